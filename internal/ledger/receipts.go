package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"pombo"
)

// Receipts records what Blip reports about messages.
type Receipts struct {
	*store
	optOuts  *OptOutList
	referred recent // whose reference is kept
}

// standing is a notification's state, as far as a receipt needs it.
type standing struct {
	seq     int64
	key     pombo.Key
	state   pombo.State
	attempt int
	erased  bool // its message is gone: there is nothing to send
	resends int
	// answered: the person has answered it, so that it has arrived whatever a receipt says.
	answered bool
}

// Apply moves notifications as receipts say, forward only, and returns what each
// receipt did. Repeats, disorder and ids that the ledger does not know change
// nothing; whatever the order, the same receipts lead to the same state. After an
// error some may have been applied; all may be applied again.
//
// A receipt for a message whose POST has not been answered yet, or never was, is
// the trace that ends the doubt, even when it was queued again meanwhile. A failed
// one whose policy says so is queued again in the same transaction, as a new
// generation (resend.go). A receipt that says that the person has switched marketing
// messages off adds the phone to the opt-out list in the same transaction.
func (rc *Receipts) Apply(ctx context.Context, receipts []pombo.Receipt) ([]pombo.ReceiptResult, error) {
	results := make([]pombo.ReceiptResult, len(receipts))
	todo := make([]int, len(receipts))
	for i := range todo {
		todo[i] = i
	}
	// If a notification moves between the look and the change, it is looked at again; each
	// time, it has moved on.
	for range len(pombo.States()) {
		lost, err := rc.apply(ctx, receipts, todo, results)
		if err != nil {
			return results, fmt.Errorf("apply receipts: %w", err)
		}
		if todo = lost; len(todo) == 0 {
			break
		}
	}
	return results, nil
}

// change is one change that a receipt asks for.
type change struct {
	receipt int // its place; -1 = a step on the way
	at      standing
	args    []any
	resend  *resend // of a failure that has one
	optsOut bool    // its recipient goes on the list of opt-outs
}

// apply looks where each notification stands, decides, and changes it if it
// still stands there. It returns the receipts for which it did not.
func (rc *Receipts) apply(ctx context.Context, receipts []pombo.Receipt, todo []int, results []pombo.ReceiptResult) (lost []int, err error) {
	now := rc.now()
	known := map[pombo.MessageID]*standing{}
	var plain, special []change // special: what takes more than one statement
	var notes replyNotes
	for _, i := range todo {
		r := &receipts[i]
		at, ok := known[r.MessageID]
		if !ok {
			if at, err = rc.standing(ctx, r.MessageID); err != nil {
				return nil, err
			}
			known[r.MessageID] = at
		}
		if at != nil && r.BSUID != "" {
			if err := rc.optOuts.rememberBSUID(ctx, r.BSUID.Reveal(), at.seq); err != nil {
				return nil, err
			}
		}
		rc.noteReference(&notes, at, r)
		switch {
		case at == nil:
			results[i] = pombo.ReceiptUnknown
			continue
		case at.attempt == 0 || !r.State.Sent() && r.State != pombo.Failed:
			continue // it has not left yet, so that this cannot be about it
		}
		trace := *r
		if at.state.Open() {
			if r.State == pombo.Failed || at.state != pombo.Uncertain && r.State != pombo.Accepted {
				// The receipt has overtaken the answer to the POST, or replaces it.
				step := rc.receiptArgs(at, &pombo.Receipt{State: pombo.Accepted, Reason: pombo.TraceFound}, now)
				plain = append(plain, change{receipt: -1, at: *at, args: step})
				at.state = pombo.Accepted
			} else if trace.Reason == pombo.NoReason {
				trace.Reason = pombo.TraceFound
			}
		}
		if !at.state.CanBecome(r.State) {
			continue
		}
		c := change{receipt: i, at: *at}
		if r.State == pombo.Failed {
			c.optsOut = optsOut(r.State, r.Reason)
			trace.Detail = detailOf(r)
			if c.resend = resendAfter(at, r, now); c.resend == nil {
				trace.Detail += whyFinal(r.Policy)
			}
		}
		rc.noteArrival(&notes, at, r, now)
		c.args = rc.receiptArgs(at, &trace, now)
		if c.resend != nil || c.optsOut || at.state == pombo.Failed {
			special = append(special, c)
		} else {
			plain = append(plain, c)
		}
		at.state = r.State
	}
	if err := rc.beforeApply(ctx, notes); err != nil {
		return nil, err
	}
	if lost, err = rc.applyPlain(ctx, plain, results); err != nil {
		return nil, err
	}
	more, err := rc.applySpecial(ctx, special, results, now)
	return append(lost, more...), err
}

// applyPlain makes the changes that are one statement each.
func (rc *Receipts) applyPlain(ctx context.Context, changes []change, results []pombo.ReceiptResult) (lost []int, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	rows := make([][]any, len(changes))
	for i := range changes {
		rows[i] = changes[i].args
	}
	hit, err := rc.each(ctx, sqlApply, rows)
	if err != nil {
		return nil, err
	}
	for i, ok := range hit {
		switch at := changes[i].receipt; {
		case at < 0:
		case ok:
			results[at] = pombo.ReceiptMoved
		default:
			lost = append(lost, at)
		}
	}
	return lost, nil
}

// applySpecial makes the changes that come in pairs: a failure with the message that
// follows it, and a late delivery with the end of that message.
func (rc *Receipts) applySpecial(ctx context.Context, changes []change, results []pombo.ReceiptResult, now int64) (lost []int, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	listed := false // a recipient was put on the list of opt-outs
	err = rc.do(ctx, func(tx *txn) error {
		lost, listed = lost[:0], false
		for i := range changes {
			c := &changes[i]
			results[c.receipt] = pombo.ReceiptStale
			if c.optsOut {
				isNew, err := rc.optOuts.optOutRecipient(tx, c.at.seq)
				if err != nil {
					return err
				}
				listed = listed || isNew
			}
			if c.at.state == pombo.Failed {
				if err := rc.undoResend(tx, &c.at, now); err != nil {
					return err
				}
			}
			moved, err := tx.one(sqlApply, c.args...)
			if err != nil {
				return err
			}
			if !moved {
				lost = append(lost, c.receipt)
				continue
			}
			results[c.receipt] = pombo.ReceiptMoved
			if c.resend == nil {
				continue
			}
			queued, err := rc.resend(tx, &c.at, c.resend, now)
			if err != nil {
				return err
			}
			if queued {
				results[c.receipt] = pombo.ReceiptResent
			}
		}
		return nil
	})
	if err == nil && listed {
		rc.optOuts.reloadOptOuts(ctx)
	}
	return lost, err
}

func (rc *Receipts) receiptArgs(at *standing, r *pombo.Receipt, now int64) []any {
	when := now
	if !r.At.IsZero() {
		when = min(now, r.At.UnixMilli())
	}
	var first any
	if at.state.Open() {
		first = rc.policy.firstPoll(pombo.Accepted, now)
	}
	over := r.State == pombo.Read || r.State == pombo.Failed
	return []any{
		string(r.State), rc.policy.codeOf(r.State), now, over, first,
		encodeEvent(when, r.State, at.attempt, r.Reason, r.Detail), at.seq, string(at.state), at.attempt, classOf(r.State),
		rc.policy.fallbackAt(r.State, r.Reason, true, at.attempt, when),
	}
}

// detailOf says in words what a failure says, the code included.
func detailOf(r *pombo.Receipt) string {
	code := strconv.Itoa(r.Code)
	switch {
	case r.Code == 0 || len(code) > 3 && strings.Contains(r.Detail, code):
		return r.Detail
	case r.Detail == "":
		return "code " + code
	}
	return "code " + code + ": " + r.Detail
}

// standing returns where the notification stands; nil when there is none.
func (db *store) standing(ctx context.Context, id pombo.MessageID) (*standing, error) {
	if _, err := pombo.ParseMessageID(string(id)); err != nil {
		return nil, nil //nolint:nilerr,nilnil // what is not an id is unknown
	}
	var found *standing
	err := db.all(ctx, sqlStanding, []any{idNumber(id)}, func(rows *sql.Rows) error {
		var s standing
		if err := rows.Scan(&s.seq, &s.state, &s.attempt, &s.erased, &s.resends, &s.key.Source, &s.key.RowKey, &s.key.Generation, &s.answered); err != nil {
			return err
		}
		if s.key.MessageID() == id { // the column has only the first half of it
			found = &s
			return errEnough
		}
		return nil
	})
	return found, err
}

// known returns where the notification stands; pombo.ErrNotFound when there is none.
func (db *store) known(ctx context.Context, id pombo.MessageID) (*standing, error) {
	at, err := db.standing(ctx, id)
	if err == nil && at == nil {
		err = pombo.ErrNotFound
	}
	return at, err
}

// PollDue returns sent notifications for which Blip is to be asked for receipts,
// the longest due first.
func (rc *Receipts) PollDue(ctx context.Context, limit int) ([]pombo.Notification, error) {
	list, err := rc.list(ctx, sqlPollDue, rc.now(), limit)
	return list, wrap(err, "look for receipts to ask for")
}

// Polled sets when Blip is next asked about notifications; the zero time ends the
// polling. It does not restart polling that has ended meanwhile.
func (rc *Receipts) Polled(ctx context.Context, polls []pombo.NextPoll) error {
	rows := make([][]any, len(polls))
	for i, p := range polls {
		rows[i] = []any{millis(p.At), p.Seq}
	}
	if len(rows) == 0 {
		return nil
	}
	if _, err := rc.each(ctx, sqlPolled, rows); err != nil {
		return fmt.Errorf("record the next polls: %w", err)
	}
	return nil
}
