package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// Replies records what people send to the bot, which notification each message answers, and
// which answer stands. An answer is a fact beside the state of its notification: it moves
// nothing, but its row may be owed the answer and the code that it gives (settlements.go).
type Replies struct {
	*store
	templates *Templates
}

// mostOvertaken is how often one reply is matched again because another one to the same
// notification was quicker.
const mostOvertaken = 20

// Take keeps what people have sent, and returns what was new of it, in its order. What it has
// kept is on the disk: which notification it answers, that it is the answer that stands, and
// that the row is owed it, all in one transaction; that transaction also ends what waits to
// remind of the row. A message with an id that has come before changes nothing. After an
// error some may have been kept; all may be taken again.
func (r *Replies) Take(ctx context.Context, list []pombo.Inbound) (taken []pombo.Reply, err error) {
	for i := range list {
		reply, isNew, err := r.take(ctx, &list[i])
		if err != nil {
			return taken, fmt.Errorf("take a reply: %w", err)
		}
		if isNew {
			taken = append(taken, reply)
		}
	}
	return taken, nil
}

func (r *Replies) take(ctx context.Context, in *pombo.Inbound) (reply pombo.Reply, isNew bool, err error) {
	key := inboundKey(in)
	if known, err := r.exists(ctx, sqlReplyKnown, key); known || err != nil {
		return reply, false, err
	}
	for range mostOvertaken {
		d, err := r.decide(ctx, in)
		if err != nil {
			return reply, false, err
		}
		d.key = key
		overtaken := false
		err = r.do(ctx, func(tx *txn) (err error) {
			isNew, overtaken, err = r.keep(tx, d)
			return err
		})
		if err != nil || !overtaken {
			return d.reply, isNew, err
		}
	}
	return reply, false, errors.New("others answer the same message at the same time without end")
}

// replyDecision is what is to be done with one reply.
type replyDecision struct {
	key    string
	reply  pombo.Reply
	phone  any
	target *replyTarget // whose answer it is, if it counts
	ends   []replyTarget
}

// inboundKey identifies a message that comes again: by Blip's id or, without one, by all its
// contents. It is a hash, because the id contains the phone.
func inboundKey(in *pombo.Inbound) string {
	text := in.ID
	if text == "" {
		parts := []string{"", in.Identity.Reveal(), in.BSUID.Reveal(), in.Phone.Reveal(), string(in.Kind), in.Text.Reveal(), in.Payload.Reveal(), in.UniqueID}
		for _, id := range in.RepliesTo {
			parts = append(parts, string(id))
		}
		text = strings.Join(append(parts, strconv.FormatInt(in.At.UnixMilli(), 10)), "\x00")
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// decide matches a reply and says what it changes.
func (r *Replies) decide(ctx context.Context, in *pombo.Inbound) (*replyDecision, error) {
	now := r.now()
	d := &replyDecision{reply: pombo.Reply{Inbound: *in, Match: pombo.Unmatched, Received: time.UnixMilli(now).UTC()}}
	m := matcher{Replies: r, in: in, now: now}
	found, err := m.match(ctx)
	if err != nil {
		return nil, err
	}
	if len(m.phones) == 1 {
		d.phone = m.phones[0]
	}
	if found == nil {
		return d, nil
	}
	d.reply.Match, d.reply.Key, d.reply.MessageID = m.by, found.key, found.key.MessageID()
	if len(m.phones) == 0 && found.phone.Valid {
		d.phone = found.phone.Int64
	}
	label, err := r.label(ctx, in, found)
	if err != nil {
		return nil, err
	}
	d.reply.Text = label
	code := r.policy.replies.codeOf(label, in.Text, in.Payload)
	if !r.policy.replies.isAnswer(in, code) {
		return d, nil
	}
	return d, r.decideAnswer(ctx, d, found, code)
}

// decideAnswer says whether an answer to a notification stands, and whether its row is owed it.
func (r *Replies) decideAnswer(ctx context.Context, d *replyDecision, found *replyTarget, code string) error {
	target, later, err := r.answers(ctx, found)
	if err != nil {
		return err
	}
	before := ""
	if target.reply.Valid {
		switch err := r.get(ctx, sqlReplyCode, []any{target.reply.Int64}, &before); {
		case errors.Is(err, sql.ErrNoRows): // it left the ledger
		case err != nil:
			return err
		}
	}
	if !r.policy.replies.stands(code, target.reply.Valid, before) {
		return nil
	}
	d.target, d.reply.Counts, d.reply.Code = target, true, code
	d.reply.Due = !later && !target.settle.Valid && (r.opts.Source == "" || target.key.Source == r.opts.Source) && r.policy.replies.writable(code)
	if r.opts.Replies.Reminders && !later {
		d.ends, err = r.reminders(ctx, target)
	}
	return err
}

// answers returns the notification that an answer counts for: the one that it names or, if
// that was sent again because WhatsApp refused it at first, the last of those that were. later
// says that its row was set back to pending since: what it has now is about another message.
func (r *Replies) answers(ctx context.Context, t *replyTarget) (target *replyTarget, later bool, err error) {
	for {
		var next int64
		err := r.get(ctx, sqlReplyNext, []any{t.key.RowKey, t.key.Source, t.key.Generation}, &next)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return t, false, nil
		case err != nil:
			return nil, false, err
		case t.settle.String != settleResent:
			return t, true, nil
		}
		if t, err = r.target(ctx, next); err != nil {
			return nil, false, err
		}
	}
}

// reminders returns the queued reminders of a row to the same person.
func (r *Replies) reminders(ctx context.Context, of *replyTarget) (list []replyTarget, err error) {
	if !of.phone.Valid {
		return nil, nil
	}
	all, err := r.candidates(ctx, of.phone.Int64)
	for _, t := range all {
		if t.state == pombo.Queued && t.reminds == of.key.RowKey && t.key.Source == of.key.Source {
			list = append(list, t)
		}
	}
	return list, err
}

// answeredDetail says in the history why a reminder was not sent.
const answeredDetail = "the message that it reminds of has been answered"

// keep writes what was decided. overtaken says that another reply to the same notification was
// quicker, or that the notification has been settled for good, and nothing was written.
func (r *Replies) keep(tx *txn, d *replyDecision) (isNew, overtaken bool, err error) {
	at, now := &d.reply, r.now()
	if d.target != nil {
		n, err := tx.change(sqlAnswering, d.target.seq, nullNumber(d.target.reply.Int64), nullText(d.target.settle))
		if err != nil || n == 0 {
			return false, err == nil, err
		}
	}
	body, err := json.Marshal([]string{at.ID, at.Text.Reveal(), at.Payload.Reveal()})
	if err != nil {
		return false, false, err
	}
	due, template := oneIf(at.Due), pombo.UnknownTemplate
	if d.target != nil {
		template = d.target.given
	}
	err = tx.queryRow(sqlKeepReply, d.key, at.Received.UnixMilli(), millis(at.At), d.phone, text(at.Identity.Reveal()), text(at.BSUID.Reveal()),
		string(at.Kind), at.Form, string(body), oneIf(at.OptOut), string(at.Match), at.Key.Source, at.Key.RowKey, at.Key.Generation,
		oneIf(at.Counts), at.Code, due, template).Scan(&at.Number)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, false, nil // it came by another way just now
	case err != nil:
		return false, false, err
	}
	if err := r.writeReplyEvent(tx, d.reply, now); err != nil || d.target == nil {
		return err == nil, false, err
	}
	if d.target.reply.Valid {
		if err := tx.exec(sqlSupersedeReply, d.target.reply.Int64); err != nil {
			return false, false, err
		}
	}
	note, err := json.Marshal(fmt.Sprintf("the person has answered (%s, matched %s)", at.Kind, at.Match))
	if err != nil {
		return false, false, err
	}
	if err := tx.exec(sqlAnswer, at.Number, due, now, string(note), d.target.seq); err != nil {
		return false, false, err
	}
	if err := tx.exec(sqlForgetReplyPoll, d.target.seq); err != nil {
		return false, false, err
	}
	for _, t := range d.ends {
		// One that was claimed just now is ended by the worker that has it.
		ended := encodeEvent(now, pombo.Cancelled, t.attempt, pombo.Withdrawn, answeredDetail)
		if _, err := tx.one(sqlCancel, r.policy.codeOf(pombo.Expired), now, ended, t.seq, string(t.state), t.attempt); err != nil {
			return false, false, err
		}
	}
	return true, false, nil
}

// Answered reports whether the newest notification of a row has an answer. Delivery asks before
// it sends what reminds of the row.
func (r *Replies) Answered(ctx context.Context, source, row string) (answered bool, err error) {
	err = r.get(ctx, sqlAnswered, []any{row, source}, &answered)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return answered, wrap(err, "look for an answer")
}

// List returns replies, the newest first. pombo.ErrNotFound says that there is no such
// notification.
func (r *Replies) List(ctx context.Context, q pombo.ReplyQuery) (page pombo.ReplyPage, err error) {
	limit, before, err := pageOf(q.Limit, q.Cursor)
	if err != nil {
		return page, err
	}
	since, until := int64(0), int64(endOfTime)
	if !q.Since.IsZero() {
		since = q.Since.UnixMilli()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixMilli()
	}
	name, args := sqlReplyList, []any{before, since, until, limit + 1}
	if q.Unmatched {
		name = sqlReplyListUnmatched
	}
	if q.Notification != "" {
		at, err := r.known(ctx, q.Notification)
		if err != nil {
			return page, wrap(err, "list replies")
		}
		name, args = sqlReplyListOf, append(args, at.key.RowKey, at.key.Source, at.key.Generation)
	}
	err = r.all(ctx, name, args, func(rows *sql.Rows) error {
		reply, err := scanReply(rows)
		switch {
		case err != nil:
			return err
		case q.Notification != "" && q.Unmatched && reply.Match != pombo.Unmatched:
			return nil
		case len(page.Replies) == limit:
			page.Next = strconv.FormatInt(page.Replies[limit-1].Number, 36)
			return nil
		}
		page.Replies = append(page.Replies, reply)
		return nil
	})
	return page, wrap(err, "list replies")
}

// Reply returns one reply; pombo.ErrNotFound when there is none with this number.
func (r *Replies) Reply(ctx context.Context, number int64) (found pombo.Reply, err error) {
	err = r.all(ctx, sqlReplyList, []any{number + 1, 0, int64(endOfTime), 1}, func(rows *sql.Rows) (err error) {
		found, err = scanReply(rows)
		return err
	})
	if err == nil && found.Number != number {
		found, err = pombo.Reply{}, pombo.ErrNotFound
	}
	return found, wrap(err, "read a reply")
}

func scanReply(rows *sql.Rows) (reply pombo.Reply, err error) {
	var (
		received               int64
		at, phone, written     sql.NullInt64
		identity, bsuid        sql.NullString
		body                   []byte
		optOut, counts, due    int
		source, row, generated = &reply.Key.Source, &reply.Key.RowKey, &reply.Key.Generation
	)
	err = rows.Scan(&reply.Number, &received, &at, &phone, &identity, &bsuid, &reply.Kind, &reply.Form, &body, &optOut, &reply.Match, source, row, generated,
		&counts, &reply.Code, &due, &written)
	if err != nil {
		return reply, err
	}
	reply.Received, reply.At, reply.Written = time.UnixMilli(received).UTC(), moment(at), moment(written)
	reply.Identity, reply.BSUID = pombo.Private(identity.String), pombo.Private(bsuid.String)
	if phone.Valid {
		reply.Phone = pombo.Private(strconv.FormatInt(phone.Int64, 10))
	}
	reply.OptOut, reply.Counts, reply.Due = optOut == 1, counts == 1, due == replyDue
	if reply.Match != pombo.Unmatched {
		reply.MessageID = reply.Key.MessageID()
	}
	return reply, unpackReply(body, &reply.Inbound)
}

// replyDue is what the column due has while a row is owed a reply.
const replyDue = 1

var errReply = errors.New("a reply cannot be read")

// unpackReply reads what keep has packed; an erased reply is empty.
func unpackReply(body []byte, in *pombo.Inbound) error {
	if len(body) == 0 {
		return nil
	}
	var list []string
	if json.Unmarshal(body, &list) != nil || len(list) < 3 {
		return errReply // the cause could quote the text
	}
	in.ID, in.Text, in.Payload = list[0], pombo.Private(list[1]), pombo.Private(list[2])
	return nil
}

// nullNumber stores a number; 0 is NULL.
func nullNumber(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func nullText(s sql.NullString) any {
	if !s.Valid {
		return nil
	}
	return s.String
}

// owedReply is the answer that stands, as the list of what is owed has it.
type owedReply struct {
	pointer, due, written, at sql.NullInt64
	code, kind                sql.NullString
	body                      sql.RawBytes
}

// answer returns what matters of it for the row.
func (o *owedReply) answer() standingAnswer {
	return standingAnswer{code: o.code.String, due: o.due.Int64 == replyDue, written: o.written.Valid}
}

func (o *owedReply) argument() any { return nullNumber(o.pointer.Int64) }

// content returns the answer in words, "" when they were erased meanwhile, and when it was given.
func (o *owedReply) content() (pombo.Private, time.Time, error) {
	if len(o.body) == 0 {
		return "", moment(o.at), nil
	}
	in := pombo.Inbound{Kind: pombo.ReplyKind(o.kind.String)}
	err := unpackReply(o.body, &in)
	return in.Answer(), moment(o.at), err
}

// recordAnswers records which rows have received their answers, together with the codes
// (done), and which never will (never): rows of sqlSettled and of sqlSettleNever.
func (sm *Settlements) recordAnswers(ctx context.Context, done, never [][]any, written, unwritten []int64, now int64) error {
	if len(written)+len(unwritten) == 0 {
		return nil
	}
	w := newWrite(onePart(sqlSettled, done), onePart(sqlSettleNever, never))
	w.run = func(tx *txn) error {
		for _, number := range written {
			if err := tx.exec(sqlReplyWritten, now, number); err != nil {
				return err
			}
		}
		for _, number := range unwritten {
			if err := tx.exec(sqlReplyUnwritten, number); err != nil {
				return err
			}
		}
		return nil
	}
	return sm.submit(ctx, sm.bulk, w)
}
