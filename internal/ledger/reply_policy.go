package ledger

import (
	"errors"
	"slices"
	"time"

	"pombo"
	"pombo/internal/fold"
)

// ReplyOptions says what happens with people's answers. The zero value keeps replies and
// writes nothing to the source.
type ReplyOptions struct {
	// Codes are status codes by what is answered: a text, the label of a button or what it
	// sends. Case, accents and punctuation at the end do not matter.
	Codes map[string]string
	// Columns says that the source takes the answer itself or its time.
	Columns bool
	// Last lets the last answer stand, not the first.
	Last bool
	// Within is how long after a message has left an answer that names no message may be one
	// to it; 0 = 72 h.
	Within time.Duration
	// Poll is how long after a message with buttons has arrived its recipient's messages are
	// first read; 0 = never.
	Poll time.Duration
	// Reminders says that rows may name the one that they remind of.
	Reminders bool
}

// usualWithin is how long an answer is waited for.
const usualWithin = 72 * time.Hour

func (o ReplyOptions) check(pending string) error {
	for _, code := range o.Codes {
		if code == "" || code == pending {
			return errors.New("an answer cannot give a row the code of pending rows, or none: it would be sent again")
		}
	}
	return nil
}

// replyPolicy decides about answers. Like policy it reads and writes nothing.
type replyPolicy struct {
	codes   map[string]string // by folded text
	columns bool
	last    bool
	within  int64
}

func newReplyPolicy(o ReplyOptions) replyPolicy {
	p := replyPolicy{codes: map[string]string{}, columns: o.Columns, last: o.Last, within: usualWithin.Milliseconds()}
	if o.Within > 0 {
		p.within = o.Within.Milliseconds()
	}
	for text, code := range o.Codes {
		p.codes[fold.Text(text)] = code
	}
	return p
}

// isCode reports whether a status code is given by answers.
func (p *replyPolicy) isCode(code string) bool {
	for _, c := range p.codes {
		if c == code {
			return true
		}
	}
	return false
}

// longestAnswer is the length of the longest text that can be one of the words.
const longestAnswer = 200

// codeOf returns the status code of the first of the texts that has one; "" when none has.
func (p *replyPolicy) codeOf(texts ...pombo.Private) string {
	for _, text := range texts {
		if s := text.Reveal(); s != "" && len(s) <= longestAnswer {
			if code := p.codes[fold.Text(s)]; code != "" {
				return code
			}
		}
	}
	return ""
}

// isAnswer reports whether an inbound message can stand as an answer. A reaction does only if
// it has a code: a thumb that is up must not keep the press of a button from counting.
func (p *replyPolicy) isAnswer(in *pombo.Inbound, code string) bool {
	return !in.OptOut && (in.Kind != pombo.ReplyReaction || code != "")
}

// stands reports whether an answer replaces the one before. An answer with a code replaces
// one without, and never the other way round: thanks after a confirmation do not undo it.
func (p *replyPolicy) stands(code string, before bool, codeBefore string) bool {
	switch {
	case !before:
		return true
	case code == "" || codeBefore == "":
		return code != "" || codeBefore == "" && p.last
	}
	return p.last
}

// writable reports whether an answer with this code has something to write to a row.
func (p *replyPolicy) writable(code string) bool { return p.columns || code != "" }

// standingAnswer is the reply that stands, as far as it matters for the row.
type standingAnswer struct {
	code string
	due  bool // it is to be written
	// written says that it was due to be written, or was; else it is about an earlier
	// message of the row, and does not concern it.
	written bool
}

// owedWith returns the code that the row of a notification is owed, the answer included; ""
// when nothing is. A code that an answer has given stays: what receipts say later of the
// message matters less.
func (p *policy) owedWith(a standingAnswer, state pombo.State, accepted bool, settled string) string {
	concerned := a.due || a.written
	switch {
	case state.Open():
		return ""
	case concerned && a.code != "":
		if a.due || a.code != settled {
			return a.code
		}
		return ""
	case settled != "" && settled != p.pending && p.replies.isCode(settled):
		if a.due {
			return settled
		}
		return ""
	}
	code := p.owed(state, accepted, settled)
	if code == "" && a.due {
		code = settled
	}
	return code
}

// unsureSince returns the codes of ours that a row may have instead of the one that was written
// last, of a message that Blip had: the process may have died between a writing and its
// record. superseded are those of answers whose place another one took.
func (p *policy) unsureSince(state pombo.State, settled, code string, superseded []string) (codes []string) {
	if !p.replies.isCode(settled) {
		codes = p.sinceSettled(state, settled)
	}
	codes = append(codes, superseded...)
	codes = slices.DeleteFunc(codes, func(c string) bool { return c == "" || c == code || c == settled })
	slices.Sort(codes)
	return slices.Compact(codes)
}

// sinceSettled returns the codes that were owed on the way to a state after the one that was
// written last.
func (p *policy) sinceSettled(state pombo.State, settled string) (codes []string) {
	way := []pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read}
	if at := slices.Index(way, state); at >= 0 {
		way = way[:at+1]
	} else {
		way = []pombo.State{pombo.Accepted, state}
	}
	for _, s := range way {
		c := p.codeOf(s)
		if codes = append(codes, c); c == settled {
			codes = codes[:0] // what came before it is no longer possible
		}
	}
	return codes
}
