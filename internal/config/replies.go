package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pombo/internal/fold"
)

// Replies says what is done with what people answer.
type Replies struct {
	Within  time.Duration // in which an answer that names no message may be one to it
	Last    bool          // the last answer stands, not the first
	Payload bool          // buttons without a payload of their own name their message
}

// ReplyCode is the status code of one answer.
type ReplyCode struct{ Answer, Code string }

// repliesGroup are the variables of answers.
var repliesGroup = group{
	title: "Answers",
	need:  NeedDispatch,
	about: "What a person answers to a message (docs/replies.md). Each answer is kept in the ledger; DB_COL_REPLY, DB_COL_REPLY_AT and REPLY_CODES bring it into the table.",
	variables: []variable{
		{
			name: "REPLY_CODES", example: "Confirmar:5,Cancelar:6", also: NeedSource,
			doc: "Status codes by answer, with commas between: the text of a button, or what it sends, and the code that the row gets. Case, accents and a full stop behind do not matter. The code is written over one that Pombo has written, and over no other; what WhatsApp reports later does not change it.",
			set: replyCodes,
		},
		{
			name: "REPLY_WITHIN", standard: "72h",
			doc: "How long after a message has left an answer that does not say which message it is about may be one to it, from 1m to 720h. If two messages with buttons could be meant, none is: the answer is kept as unmatched.",
			set: duration(func(c *Config) *time.Duration { return &c.Replies.Within }, time.Minute, 720*time.Hour),
		},
		{
			name: "REPLY_KEEP", standard: "first",
			doc: "Which answer to a message stands: `first` or `last`. An answer with a code always takes the place of one without, and never the other way round.",
			set: choice(func(c *Config) *bool { return &c.Replies.Last }, "first", "last"),
		},
		{
			name: "REPLY_PAYLOAD", standard: "off",
			doc: "`on` = buttons that answer send back which message they belong to (`pombo:`, its id and the button's number), unless DB_COL_PARAMS gives them something else. A flow of the bot sees that word as what the person has sent, so it is off unless it is wanted.",
			set: choice(func(c *Config) *bool { return &c.Replies.Payload }, "off", "on"),
		},
	},
}

// choice is one of two words, of which the second means true.
func choice(field func(*Config) *bool, no, yes string) setter {
	return func(c *Config, s string) *Problem {
		var word string
		p := oneOf(func(*Config) *string { return &word }, no, yes)(c, s)
		*field(c) = word == yes
		return p
	}
}

// replyCodes is a list of answers, each with its code.
func replyCodes(c *Config, s string) *Problem {
	const write = "write answer:code, with commas between, such as Confirmar:5,Cancelar:6"
	var list []ReplyCode
	seen := map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		at := strings.LastIndex(part, ":")
		if at < 0 {
			return trouble(quote(part)+" has no code", write)
		}
		r := ReplyCode{strings.TrimSpace(part[:at]), ""}
		if p := code(func(*Config) *string { return &r.Code })(c, part[at+1:]); p != nil {
			return p
		}
		folded := fold.Text(r.Answer)
		switch {
		case folded == "" || r.Code == "":
			return trouble(quote(part)+" is not an answer with its code", write)
		case seen[folded]:
			return trouble("has the answer "+quote(r.Answer)+" twice; case and accents do not matter", "take one of the two away")
		}
		seen[folded] = true
		list = append(list, r)
	}
	if len(list) == 0 {
		return trouble("has no answer between its commas", write)
	}
	c.Source.ReplyCodes = list
	return nil
}

// checkReplies compares the codes of answers with those of states, and the answers with the
// words that end all messages.
func (l *loader) checkReplies(c *Config) {
	for _, r := range c.Source.ReplyCodes {
		for _, state := range statusCodes(&c.Source) {
			if state.code == "" || !sameCode(r.Code, state.code) {
				continue
			}
			what := fmt.Sprintf("gives %s the code of %s: nobody could tell the two apart", quote(r.Answer), state.name)
			if state.name == "STATUS_PENDING" {
				what = fmt.Sprintf("gives %s the code of STATUS_PENDING: the row would be sent again, to who has just answered", quote(r.Answer))
			}
			l.report("REPLY_CODES", trouble(what, "give answers codes of their own"))
			return
		}
		if slices.ContainsFunc(c.API.OptOutWords, func(word string) bool { return fold.Text(word) == fold.Text(r.Answer) }) {
			l.report("REPLY_CODES", trouble("has "+quote(r.Answer)+", which is one of OPT_OUT_WORDS: who writes it gets no more messages, and it is never an answer", "take it away here or there"))
			return
		}
	}
}
