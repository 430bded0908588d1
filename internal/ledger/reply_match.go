package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"pombo"
	"pombo/internal/phone"
)

// A reply is matched by the surest sign first: our id, a payload that only one message has,
// Blip's other id of the message, and last the person, if only one message can be meant. It
// never guesses between two: two children of one mother have an appointment each, and the wrong
// one would be cancelled.

// matcher looks for the notification that one reply answers.
type matcher struct {
	*Replies
	in  *pombo.Inbound
	now int64

	by     pombo.ReplyMatch // how it was found
	phones []int64          // of the person, as far as known
}

// replyTarget is a notification that a reply may answer.
type replyTarget struct {
	standing
	settle  sql.NullString
	reply   sql.NullInt64 // the answer that stands
	phone   sql.NullInt64
	params  []pombo.Param
	reminds string
	given   string // its template, as the row names it
	name    string // of its template
	summary summary
}

// match returns the notification that the reply answers; nil when there is none, or nobody can
// say which. It sets by and phones.
func (m *matcher) match(ctx context.Context) (found *replyTarget, err error) {
	if m.phones, err = m.phonesOf(ctx); err != nil {
		return nil, err
	}
	for _, way := range []struct {
		by   pombo.ReplyMatch
		look func(context.Context) (*replyTarget, error)
	}{
		{pombo.MatchedByID, m.byID},
		{pombo.MatchedByPayload, m.byOurPayload},
		{pombo.MatchedByPayload, m.byRowPayload},
		{pombo.MatchedByReference, m.byReference},
		{pombo.MatchedByPerson, m.byPerson},
	} {
		found, err := way.look(ctx)
		if err != nil {
			return nil, err
		}
		if found != nil {
			m.by = way.by
			return found, nil
		}
	}
	return nil, nil //nolint:nilnil // unmatched is not an error
}

func (m *matcher) byID(ctx context.Context) (*replyTarget, error) {
	for _, id := range m.in.RepliesTo {
		if t, err := m.targetOf(ctx, id); t != nil || err != nil {
			return t, err
		}
	}
	return nil, nil //nolint:nilnil // not found this way
}

func (m *matcher) byOurPayload(ctx context.Context) (*replyTarget, error) {
	for _, p := range []pombo.Private{m.in.Payload, m.in.Text} {
		if id, _, ok := pombo.ParseReplyPayload(p); ok {
			return m.targetOf(ctx, id)
		}
	}
	return nil, nil //nolint:nilnil // not found this way
}

// byRowPayload finds the only message to the person with a button that sends this. Where rows
// share their payloads, it does not tell them apart.
func (m *matcher) byRowPayload(ctx context.Context) (only *replyTarget, err error) {
	if m.in.Text == "" && m.in.Payload == "" {
		return nil, nil //nolint:nilnil // not found this way
	}
	several := false
	err = m.eachCandidate(ctx, func(t *replyTarget) error {
		if mayHaveArrived(t.state) && slices.ContainsFunc(t.params, m.sends) {
			several = several || only != nil
			only = t
		}
		return nil
	})
	if several {
		only = nil
	}
	return only, err
}

// sends reports whether a value is a button's payload that the person has sent.
func (m *matcher) sends(p pombo.Param) bool {
	_, value, ok := p.Slot.Button()
	return ok && value == pombo.ButtonPayload && p.Value != "" && (p.Value == m.in.Payload || p.Value == m.in.Text)
}

func (m *matcher) byReference(ctx context.Context) (*replyTarget, error) {
	if m.in.UniqueID == "" {
		return nil, nil //nolint:nilnil // not found this way
	}
	var seq int64
	err := m.get(ctx, sqlSeqOfReference, []any{referenceNumber(m.in.UniqueID)}, &seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // not found this way
	}
	if err != nil {
		return nil, err
	}
	t, err := m.target(ctx, seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // it left the ledger
	}
	return t, err
}

// clockSkew is how much earlier than its message an answer may seem to be: the clocks are not
// the same, and WhatsApp's has seconds only.
const clockSkew = 2 * 60 * 1000

// byPerson finds the only message with buttons to the person that an answer can be to. Messages
// that may have arrived compete with those that have; only one that has arrived is answered.
func (m *matcher) byPerson(ctx context.Context) (only *replyTarget, err error) {
	if m.in.Kind == pombo.ReplyReaction {
		return nil, nil //nolint:nilnil // a reaction names its message
	}
	at := m.now
	if !m.in.At.IsZero() {
		at = min(at, m.in.At.UnixMilli())
	}
	several := false
	err = m.eachCandidate(ctx, func(t *replyTarget) error {
		if !mayHaveArrived(t.state) || t.summary.begun.IsZero() || t.settle.String == settleResent {
			return nil
		}
		if t.reply.Valid && !m.policy.replies.last {
			return nil // it has its answer
		}
		if since := at - t.summary.begun.UnixMilli(); since < -clockSkew || since > m.policy.replies.within {
			return nil
		}
		buttons, err := m.hasButtons(ctx, t)
		if err != nil || !buttons {
			return err
		}
		several = several || only != nil
		only = t
		return nil
	})
	if several || only != nil && only.state != pombo.Delivered && only.state != pombo.Read {
		only = nil
	}
	return only, err
}

// mayHaveArrived reports whether a message in this state may be on the handset.
func mayHaveArrived(s pombo.State) bool {
	return s.Sent() || s == pombo.Sending || s == pombo.Uncertain
}

// hasButtons reports whether the person could press something to answer.
func (r *Replies) hasButtons(ctx context.Context, t *replyTarget) (bool, error) {
	for _, p := range t.params {
		if _, value, ok := p.Slot.Button(); ok && value == pombo.ButtonPayload {
			return true, nil
		}
	}
	buttons, err := r.buttons(ctx, t)
	return slices.ContainsFunc(buttons, pombo.Button.QuickReply), err
}

// buttons returns the buttons of the template as it was when the message left or, if nobody had
// seen it by then, as it is.
func (r *Replies) buttons(ctx context.Context, t *replyTarget) ([]pombo.Button, error) {
	version, known, err := r.templates.TemplateAt(ctx, t.name, "", t.summary.begun)
	if err != nil || known {
		return version.Buttons, err
	}
	all, err := r.templates.TemplateVersions(ctx, t.name, "")
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1].Buttons, nil
}

// label returns the text of a reply: the text on the button, where the reply has only the
// payload that Pombo gave it.
func (r *Replies) label(ctx context.Context, in *pombo.Inbound, t *replyTarget) (pombo.Private, error) {
	text := in.Text
	_, button, ok := pombo.ParseReplyPayload(text)
	if !ok && text == "" {
		_, button, ok = pombo.ParseReplyPayload(in.Payload)
	}
	if !ok {
		return text, nil
	}
	if _, _, both := pombo.ParseReplyPayload(in.Payload); !both && in.Payload != "" {
		return in.Payload, nil // Blip has put the label there
	}
	buttons, err := r.buttons(ctx, t)
	if err != nil || button >= len(buttons) {
		return text, err
	}
	return pombo.Private(buttons[button].Text), nil
}

func (r *Replies) targetOf(ctx context.Context, id pombo.MessageID) (*replyTarget, error) {
	at, err := r.standing(ctx, id)
	if at == nil || err != nil {
		return nil, err
	}
	return r.target(ctx, at.seq)
}

func (r *Replies) target(ctx context.Context, seq int64) (t *replyTarget, err error) {
	err = r.first(ctx, sqlReplyTarget, []any{seq}, func(rows *sql.Rows) error {
		t, err = r.scanTarget(rows)
		return err
	})
	return t, err
}

func (r *Replies) scanTarget(rows *sql.Rows) (*replyTarget, error) {
	var t replyTarget
	var message, history sql.RawBytes
	err := rows.Scan(&t.seq, &t.state, &t.attempt, &t.settle, &t.reply, &t.phone, &t.key.Source, &t.key.RowKey, &t.key.Generation, &message, &history)
	if err != nil {
		return nil, err
	}
	var n pombo.Notification
	if err := unpack(message, &n); err != nil {
		return nil, err
	}
	t.params, t.reminds, t.given, t.name = n.Params, n.Reminds, n.Template, r.resolve(n.Template)
	t.summary, err = summarize(history)
	return &t, err
}

// mostCandidates is how many messages to one person are looked at.
const mostCandidates = 200

// candidates returns the newest notifications to a phone.
func (r *Replies) candidates(ctx context.Context, to int64) (list []replyTarget, err error) {
	err = r.all(ctx, sqlReplyCandidates, []any{to, mostCandidates}, func(rows *sql.Rows) error {
		t, err := r.scanTarget(rows)
		if err == nil {
			list = append(list, *t)
		}
		return err
	})
	return list, err
}

// eachCandidate calls f with the notifications to the phones of the person.
func (m *matcher) eachCandidate(ctx context.Context, f func(*replyTarget) error) error {
	for _, to := range m.phones {
		list, err := m.candidates(ctx, to)
		if err != nil {
			return err
		}
		for i := range list {
			if err := f(&list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// tunnel is the domain of the identities of people who write through a router. Nothing is
// sent to them.
const tunnel = "@tunnel.msging.net"

// phonesOf returns the phones of the person: the one that the message states, the one that a
// receipt gave for the business-scoped user id, and the one that Blip knows by this identity.
// A phone is not derived from an identity: its digits only say where to look.
func (m *matcher) phonesOf(ctx context.Context) (list []int64, err error) {
	add := func(to int64) {
		if !slices.Contains(list, to) {
			list = append(list, to)
		}
	}
	if stated, ok := digitsOf(m.in.Phone.Reveal()); ok {
		add(stated)
	}
	if bsuid := m.in.BSUID.Reveal(); bsuid != "" {
		var to int64
		switch err := m.get(ctx, sqlPhoneOfBSUID, []any{bsuid}, &to); {
		case err == nil:
			add(to)
		case !errors.Is(err, sql.ErrNoRows):
			return nil, err
		}
	}
	identity := m.in.Identity.Reveal()
	if identity == "" || strings.HasSuffix(identity, tunnel) {
		return list, nil
	}
	to, known, err := m.phoneOf(ctx, identity)
	if known {
		add(to)
	}
	return list, err
}

// digitsOf reads a number as Blip writes one, country code first.
func digitsOf(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := phone.Parse("+" + s)
	if err != nil {
		return 0, false
	}
	to, ok := digits(n).(int64)
	return to, ok
}

// phoneOf returns the phone that Blip knows by an identity, as far as the ledger has it.
func (r *Replies) phoneOf(ctx context.Context, identity string) (to int64, known bool, err error) {
	name, _, _ := strings.Cut(identity, "@")
	if to, ok := digitsOf(name); ok {
		if slices.Contains(r.identities.of(to), identity) {
			return to, true, nil
		}
		var called string
		err := r.get(ctx, sqlIdentityOf, []any{to}, &called)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, false, nil
		}
		return to, err == nil && called == identity, err
	}
	if to, ok := r.identities.phoneOf(identity); ok {
		return to, true, nil
	}
	err = r.get(ctx, sqlPhoneOfIdentity, []any{identity}, &to)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return to, err == nil, err
}

// referenceNumber is the number under which Blip's other id of a message is found.
func referenceNumber(uniqueID string) int64 {
	sum := sha256.Sum256([]byte(uniqueID))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}
