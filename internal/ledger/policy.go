package ledger

import (
	"database/sql"
	"slices"
	"strings"
	"time"

	"pombo"
)

// policy decides what follows from a notification's state: which code its row is owed, when Blip is
// first asked for receipts, whether a failed message is sent again, whether its recipient goes on the
// opt-out list, and when rows that were set back wait for an operator. It reads and writes nothing;
// its caller records the decision in the transaction in which the notification moves.
type policy struct {
	pending            string
	codes              map[pombo.State]string
	content            map[string]string // code → the states that owe no further one, as ",a,b,"
	first              time.Duration     // until the first poll; negative = never
	resendsBeforePause int
	replies            replyPolicy
	fallback           Fallback
}

func newPolicy(opts *Options) policy {
	p := policy{
		pending: opts.Pending, codes: opts.Codes, first: opts.FirstPoll, resendsBeforePause: opts.ResendsBeforePause,
		replies: newReplyPolicy(opts.Replies), fallback: opts.Fallback, content: map[string]string{},
	}
	for _, code := range p.replies.codes {
		p.content[code] = "," // an answer's code stays, whatever a receipt says later
		for _, s := range pombo.States() {
			p.content[code] += string(s) + ","
		}
	}
	for _, code := range p.codes {
		if _, done := p.content[code]; done {
			continue
		}
		var b strings.Builder
		b.WriteByte(',')
		for _, s := range pombo.States() {
			if c := p.codeOf(s); c == code || c == "" {
				b.WriteString(string(s) + ",")
			}
		}
		p.content[code] = b.String()
	}
	if p.fallback.Code != "" {
		p.content[p.fallback.Code] = "," + settleFallback + ","
	}
	return p
}

// codeOf returns the status code that a state is written back with, "" when the row keeps the
// code that it has. What follows Accepted stands for what came before it: a row whose message
// was read before the first settlement is still owed the code of Accepted.
func (p *policy) codeOf(s pombo.State) string {
	for {
		if c := p.codes[s]; c != "" {
			return c
		}
		switch s {
		case pombo.Read:
			s = pombo.Delivered
		case pombo.Delivered:
			s = pombo.Dispatched
		case pombo.Dispatched:
			s = pombo.Accepted
		default:
			return ""
		}
	}
}

// owed returns the code that the row of a notification is owed, "" when it is owed none.
// settled is the code that was written last.
func (p *policy) owed(state pombo.State, accepted bool, settled string) string {
	code := p.codeOf(state)
	if code == "" && accepted {
		// WhatsApp refused it after Blip had accepted it: the row gets the code that quicker
		// settling would have written.
		code = p.codeOf(pombo.Accepted)
	}
	if code == settled || state.Open() {
		return ""
	}
	return code
}

// contentWith returns the states of a row that has a code and needs no other one: those that
// the code is for, and those that have none.
func (p *policy) contentWith(code string) string { return p.content[code] }

// stateOf returns the state that a code in a row stands for, if it is one that Pombo writes.
func (p *policy) stateOf(code string) (pombo.State, bool) {
	if code == "" || code == p.pending {
		return "", false
	}
	for _, s := range []pombo.State{pombo.Accepted, pombo.Delivered, pombo.Read, pombo.Failed} {
		if p.codes[s] == code {
			return s, true
		}
	}
	if p.replies.isCode(code) {
		return pombo.Delivered, true // the person has answered
	}
	return "", false
}

// unsure returns what a row may have instead of the pending code when the last written code is
// unknown. settled is NULL when nothing was written, and empty when that is unknown: a process
// may have died between the writing and its record, and then the generation failed.
func (p *policy) unsure(settled sql.NullString) (codes []string) {
	if !settled.Valid || settled.String != "" {
		return nil
	}
	for _, s := range []pombo.State{pombo.Accepted, pombo.Failed} {
		if c := p.codeOf(s); c != "" {
			codes = append(codes, c)
		}
	}
	if p.fallback.Code != "" {
		codes = append(codes, p.fallback.Code)
	}
	return codes
}

// owedElsewhere is owed for a row that was handed over to another channel.
func (p *policy) owedElsewhere(settled string) string {
	if p.fallback.Code == settled {
		return ""
	}
	return p.fallback.Code
}

// fallbackAt is when to decide whether the row of a notification that has been in the state
// since a time goes to another channel; nil = never. accepted says that Blip had the message.
func (p *policy) fallbackAt(s pombo.State, r pombo.Reason, accepted bool, attempt int, since int64) any {
	switch {
	case p.fallback.Code == "":
	case (s == pombo.Accepted || s == pombo.Dispatched) && p.fallback.After > 0:
		return since + p.fallback.After.Milliseconds()
	case s == pombo.Failed && p.fallsBack(r, accepted, attempt):
		return since
	}
	return nil
}

// fallsBack reports whether a failure leads to another channel. A refusal by Blip is about the
// message; only the fate of a message that Blip had accepted, a person who cannot be written to
// at all, or a failure of every try is about the channel.
func (p *policy) fallsBack(r pombo.Reason, accepted bool, attempt int) bool {
	return slices.Contains(p.fallback.On, r) &&
		(accepted || r == pombo.TriesExhausted || attempt == 0 && r.Class() == pombo.ClassPerson)
}

// firstPoll is when Blip is first asked for receipts of a message that is in the state; nil =
// never.
func (p *policy) firstPoll(s pombo.State, now int64) any {
	if p.first < 0 || !s.Sent() {
		return nil
	}
	return now + p.first.Milliseconds()
}

// blipRemembers is how long Blip knows what became of a message.
const blipRemembers = 72 * time.Hour

// resend is how a failed message is sent again.
type resend struct {
	at     int64 // not before
	count  int   // how often by itself until now, this one included
	reason pombo.Reason
	byHand bool
}

// resendAfter returns how a message that failed according to a receipt is sent again; nil when
// it is not. A message that the person has answered has arrived.
func resendAfter(at *standing, r *pombo.Receipt, now int64) *resend {
	wait, ok := r.Policy.Wait(at.resends)
	if !ok || at.answered {
		return nil
	}
	failed := now
	if !r.At.IsZero() {
		failed = min(now, r.At.UnixMilli())
	}
	return &resend{at: max(now, failed+wait.Milliseconds()), count: at.resends + 1, reason: pombo.ResentByItself}
}

// resendByHand is how a message is sent again at an operator's request.
func resendByHand(now int64) *resend {
	return &resend{at: now, reason: pombo.RetriedByOperator, byHand: true}
}

// whyFinal says in the history why a failure is the end.
func whyFinal(r pombo.ResendPolicy) string {
	if r != pombo.ResendNever {
		return "; it has been sent again as often as it may be"
	}
	return "; " + r.Message()
}

// optsOut reports whether the end of a message says that its recipient has switched
// marketing messages off at WhatsApp, and goes on the opt-out list.
func optsOut(s pombo.State, r pombo.Reason) bool {
	return s == pombo.Failed && r == pombo.OptedOutOfMarketing
}

const (
	// guardMinute is the time within which rows that were set back count.
	guardMinute = int64(time.Minute / time.Millisecond)
	// guardFar is how much later than its own time a stopped row is due; taken off
	// again when it is released.
	guardFar = 100 * 365 * 24 * 60 * guardMinute
)

// setBack is what is known when rows were set back to pending.
type setBack struct {
	rows     int  // just now
	before   int  // in the minute before
	stopping bool // the guard has begun to stop rows
	some     bool // it has stopped some
}

// guardStops reports whether rows that were set back wait for an operator: there are too many
// within a minute, or the guard stops those of the minute before or has some.
func (p *policy) guardStops(b setBack) bool {
	return b.goesOn() || b.before+b.rows > p.resendsBeforePause
}

// goesOn reports whether the guard is still at what it began earlier.
func (b setBack) goesOn() bool { return b.stopping && (b.some || b.before > 0) }
