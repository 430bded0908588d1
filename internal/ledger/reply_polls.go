package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"pombo"
)

// Unanswered returns messages with buttons that have arrived without an answer and whose
// recipients' messages are due to be read, the longest due first. One person may appear for
// several messages. Without ReplyOptions.Poll there are none.
func (r *Replies) Unanswered(ctx context.Context, limit int) (list []pombo.Unanswered, err error) {
	for len(list) < limit {
		var over []int64
		due, err := r.unanswered(ctx, limit, &list, &over)
		if err != nil {
			return list, fmt.Errorf("look for answers to ask for: %w", err)
		}
		if len(over) > 0 {
			if err := r.endPolls(ctx, over); err != nil {
				return list, fmt.Errorf("end questions for answers: %w", err)
			}
		}
		if due < limit || len(over) == 0 {
			return list, nil
		}
		list = list[:0] // those that are due are read again, without the ones that are over
	}
	return list, nil
}

// unanswered reads what is due, and names what nobody waits for: what is answered or erased, and
// what has nothing to press.
func (r *Replies) unanswered(ctx context.Context, limit int, list *[]pombo.Unanswered, over *[]int64) (due int, err error) {
	type poll struct {
		one    pombo.Unanswered
		phone  sql.NullInt64
		target replyTarget
	}
	var polls []poll
	err = r.due(ctx, sqlReplyPollsDue, []any{r.now(), limit}, func(rows *sql.Rows) error {
		var p poll
		var name sql.NullString
		var answered bool
		var message, history sql.RawBytes
		if err := rows.Scan(&p.one.Seq, &p.one.Polls, &p.phone, &name, &answered, &message, &history); err != nil {
			return err
		}
		due++
		if answered || !p.phone.Valid || len(message) == 0 {
			*over = append(*over, p.one.Seq)
			return nil
		}
		var n pombo.Notification
		if err := unpack(message, &n); err != nil {
			return err
		}
		p.target.params, p.target.name = n.Params, r.resolve(n.Template)
		if p.target.summary, err = summarize(history); err != nil {
			return err
		}
		p.one.Identity, p.one.Since = pombo.Private(name.String), p.target.summary.begun
		polls = append(polls, p)
		return nil
	})
	for i := 0; err == nil && i < len(polls); i++ {
		p := &polls[i]
		if names := r.identities.of(p.phone.Int64); len(names) > 0 {
			p.one.Identity = pombo.Private(names[0])
		}
		var buttons bool
		switch buttons, err = r.hasButtons(ctx, &p.target); {
		case err != nil:
		case buttons && p.one.Identity != "":
			*list = append(*list, p.one)
		default:
			*over = append(*over, p.one.Seq)
		}
	}
	return due, err
}

// NextPoll sets when the messages of notifications' recipients are next read; the zero time
// ends that. It does not reopen one that has been answered meanwhile.
func (r *Replies) NextPoll(ctx context.Context, polls []pombo.NextPoll) error {
	err := r.do(ctx, func(tx *txn) error {
		for _, p := range polls {
			var err error
			if p.At.IsZero() {
				err = tx.exec(sqlForgetReplyPoll, p.Seq)
			} else {
				err = tx.exec(sqlReplyPollNext, millis(p.At), p.Seq)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "record the next questions for answers")
}

func (r *Replies) endPolls(ctx context.Context, seqs []int64) error {
	polls := make([]pombo.NextPoll, len(seqs))
	for i, seq := range seqs {
		polls[i].Seq = seq
	}
	return r.NextPoll(ctx, polls)
}

// replyNotes is what replies need from receipts: Blip's other id of each message, and whose
// answers to poll for.
type replyNotes struct{ references, identities, arrived [][]any }

// noteReference notes Blip's other id of a message and its recipient, once. The recipient was
// looked up before sending, and may be lost with the process that asked (identity.go): then an
// answer could not be attributed.
func (rc *Receipts) noteReference(notes *replyNotes, at *standing, r *pombo.Receipt) {
	if at == nil || rc.referred.has(at.seq) {
		return
	}
	if r.UniqueID != "" {
		notes.references = append(notes.references, []any{at.seq, referenceNumber(r.UniqueID)})
	}
	if r.Identity != "" {
		notes.identities = append(notes.identities, []any{at.seq, r.Identity.Reveal()})
	}
}

// noteArrival notes that a message is on the handset, if its answers are polled for.
func (rc *Receipts) noteArrival(notes *replyNotes, at *standing, r *pombo.Receipt, now int64) {
	poll := rc.opts.Replies.Poll
	if poll > 0 && !at.answered && (r.State == pombo.Delivered || r.State == pombo.Read) {
		notes.arrived = append(notes.arrived, []any{at.seq, now + poll.Milliseconds()})
	}
}

// beforeApply records the notes. It comes before the receipts are applied: what is recorded
// twice, or for a receipt that is lost, does no harm.
func (rc *Receipts) beforeApply(ctx context.Context, notes replyNotes) error {
	for _, b := range []struct {
		name statement
		rows [][]any
	}{{sqlKeepReference, notes.references}, {sqlKeepIdentity, notes.identities}, {sqlStartReplyPoll, notes.arrived}} {
		if len(b.rows) == 0 {
			continue
		}
		if _, err := rc.each(ctx, b.name, b.rows); err != nil {
			return err
		}
	}
	for _, row := range slices.Concat(notes.references, notes.identities) {
		rc.referred.add(row[0].(int64))
	}
	return nil
}

// recent has the numbers of notifications of which something was written just now, to spare
// writing it again with each of their receipts.
type recent struct {
	mu   sync.Mutex
	seqs map[int64]bool
}

// mostRecent is how many numbers are kept.
const mostRecent = 10_000

func (r *recent) has(seq int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seqs[seq]
}

func (r *recent) add(seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seqs == nil || len(r.seqs) >= mostRecent {
		r.seqs = map[int64]bool{}
	}
	r.seqs[seq] = true
}
