package blipsim

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Act is what a person does with a message.
type Act string

// The acts.
const (
	PressButton Act = "press"    // one of the template's quick replies
	WriteText   Act = "write"    // a text that quotes nothing
	QuoteText   Act = "quote"    // a text that quotes the message
	React       Act = "react"    // with an emoji
	Withdraw    Act = "withdraw" // a reaction
	SendPicture Act = "picture"  // that quotes the message
)

// Answer is what a person sends to the bot after a message was received. The zero Answer
// is none.
type Answer struct {
	Act    Act
	Button int           // which quick reply is pressed, from 1; 0 = the first
	Text   string        // what is written; "" = "ok"
	After  time.Duration // after the message was received; 0 = AnswerAfter
}

// Said is what a person sent to the bot.
type Said struct {
	ID      string // Blip's
	Message string // id of the message that it answers
	From    string // the identity
	Act     Act
	Text    string // what is written, or stands on the button
	Payload string // what the button sends; "" = its text
	At      time.Time

	quotes taken
}

// Said returns what people have sent so far, in the order of the messages that they
// answer: the newest KeepMessages of those.
func (s *Server) Said() []Said {
	now := s.opts.Now()
	var all []Said
	for _, t := range s.recent.newest(-1) {
		if said, ok := s.answerTo(t); ok && !said.At.After(now) {
			all = append(all, said)
		}
	}
	return all
}

// answerTo computes what the recipient of a message sends, in the future too. Like a
// receipt it follows from the message alone.
func (s *Server) answerTo(t taken) (said Said, ok bool) {
	if t.msg.ID == "" {
		return Said{}, false
	}
	a, received := s.actOn(t)
	if a.Act == "" || received.IsZero() {
		return Said{}, false
	}
	after := a.After
	if after == 0 {
		after = s.delays.answer
	}
	roll := s.fate(t.msg.ID, t.delivery, "answer id")
	said = Said{
		ID: "wamid.HBgM" + strings.ToUpper(strconv.FormatUint(roll, 36)), Message: t.msg.ID, From: s.identityOf(t.mark.to),
		Act: a.Act, At: received.Add(after), quotes: t,
	}
	switch a.Act {
	case PressButton:
		label, payload, there := s.quickReply(t.msg, max(a.Button, 1))
		if !there {
			return Said{}, false
		}
		said.Text, said.Payload = label, payload
	case WriteText, QuoteText:
		if said.Text = a.Text; said.Text == "" {
			said.Text = "ok"
		}
	case React:
		said.Text = "👍"
	}
	return said, true
}

// actOn decides what the recipient does, and when the message is received; zero = never.
func (s *Server) actOn(t taken) (a Answer, received time.Time) {
	a = s.scripts.of(strconv.FormatUint(t.mark.to, 10)).Answer
	if a.Act == "" && s.opts.AnswerRate > 0 {
		if n := s.quickReplies(t.msg); n > 0 && share(s.fate(t.msg.ID, t.delivery, "answer")) < s.opts.AnswerRate {
			a = Answer{Act: PressButton, Button: 1 + int(s.fate(t.msg.ID, t.delivery, "button")%uint64(n))}
		}
	}
	if a.Act == "" {
		return a, received
	}
	for _, r := range s.receiptsOf(t.msg.ID, t.delivery, t.mark) {
		if r.Event == Received {
			received = r.At
		}
	}
	return a, received
}

// formOf returns the template of a message; nil when it has none that the account has.
func (s *Server) formOf(e *envelope) *form {
	t := e.template()
	if t == nil {
		return nil
	}
	return s.templates[templateKey{t.Name, t.Language.Code}]
}

func (s *Server) quickReplies(e *envelope) (n int) {
	if f := s.formOf(e); f != nil {
		for _, b := range f.Buttons {
			if b.Type == "QUICK_REPLY" {
				n++
			}
		}
	}
	return n
}

// quickReply returns what stands on the nth quick reply of a message, from 1, and what it
// sends when the message says so.
func (s *Server) quickReply(e *envelope, n int) (label, payload string, ok bool) {
	f := s.formOf(e)
	if f == nil {
		return "", "", false
	}
	for i, b := range f.Buttons {
		if b.Type != "QUICK_REPLY" {
			continue
		}
		if n--; n > 0 {
			continue
		}
		for _, p := range e.template().params() {
			if p.Slot == "button"+strconv.Itoa(i)+"-payload" {
				payload = p.Value
			}
		}
		return b.Text, payload, true
	}
	return "", "", false
}

// content returns type and content of what was said, as Blip wraps it.
func (said *Said) content(old bool) (kind string, body []byte) {
	const plain, picture = "text/plain", "application/vnd.lime.media-link+json"
	quoted := map[string]any{"id": said.Message, "type": said.quotes.msg.Type, "value": said.quotes.msg.sent(), "direction": "sent"}
	reply := func(kind string, value any) (string, []byte) {
		return "application/vnd.lime.reply+json", encode(map[string]any{"replied": map[string]any{"type": kind, "value": value}, "inReplyTo": quoted})
	}
	switch said.Act {
	case PressButton:
		if old {
			if said.Payload != "" {
				return plain, encode(said.Payload)
			}
			return plain, encode(said.Text)
		}
		return reply(plain, said.Text)
	case QuoteText:
		return reply(plain, said.Text)
	case SendPicture:
		return reply(picture, map[string]any{"type": "image/jpeg", "uri": "https://example.com/picture.jpg", "size": 48213})
	case React:
		return "application/vnd.lime.reaction+json", encode(map[string]any{"emoji": map[string]any{"values": []rune(said.Text)}, "inReactionTo": quoted})
	case Withdraw:
		return "application/vnd.lime.reaction+json", encode(map[string]any{"inReactionTo": quoted})
	}
	return plain, encode(said.Text)
}

// sent returns the content of a message as far as it is kept.
func (e *envelope) sent() any {
	if t := e.template(); t != nil {
		return map[string]any{"type": "template", "template": t}
	}
	return map[string]any{}
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // cannot happen: it is text, numbers and what was read from JSON
	}
	return b
}

// saidMetadata is the metadata of what was said. Blip leaves some of it null.
func (s *Server) saidMetadata(said *Said) []byte {
	t := said.quotes
	roll := s.fate(said.ID, 0, "unique")
	own := randomUUID(roll)
	ms := strconv.FormatInt(said.At.UnixMilli(), 10)
	fields := []field{
		text("#wa.timestamp", strconv.FormatInt(said.At.Unix(), 10)), text("date_created", ms), text("#date_processed", ms),
		text("#uniqueId", own), text("$internalId", own), text("traceparent", trace(roll)),
		text("#wa.bsuid", "BR."+strconv.FormatUint(s.fate(said.From, 0, "bsuid")>>8, 10)),
	}
	if said.Act != WriteText {
		sent := "wamid." + strings.ToUpper(strconv.FormatUint(s.fate(said.Message, t.delivery, "wamid"), 36))
		fields = append(fields,
			text("#wa.context.id", sent), text("#wa.context.from", "5511400000000"), raw("#wa.context.group_id", []byte("null")))
		if !s.opts.OldPresses || said.Act != PressButton {
			fields = append(fields, text("#inReplyToId", sent),
				text("#messageReferenceInternalID", randomUUID(s.fate(said.Message, t.delivery, "unique"))))
		}
	}
	if said.Act == PressButton {
		payload := said.Payload
		if s.opts.OldPresses || payload == "" {
			payload = said.Text
		}
		fields = append(fields, text("#blip.payload.content", payload))
	}
	return appendObject(nil, roll, fields...)
}

// appendSaid appends what was said as Blip posts it to the bot.
func (s *Server) appendSaid(dst []byte, said *Said, bot string) []byte {
	kind, body := said.content(s.opts.OldPresses)
	return appendObject(dst, s.fate(said.ID, 0, "order"), text("id", said.ID), text("from", said.From), text("to", bot),
		text("type", kind), raw("content", body), raw("metadata", s.saidMetadata(said)))
}

// appendSent appends a message of the bot, as the data feed posts it.
func (s *Server) appendSent(dst []byte, t taken) []byte {
	meta := appendObject(nil, 0, text("#uniqueId", randomUUID(s.fate(t.msg.ID, t.delivery, "unique"))), raw("#stateName", []byte("null")))
	return appendObject(dst, s.fate(t.msg.ID, t.delivery, "feed"), text("id", t.msg.ID), text("from", t.bot.node+"/!iris-hosted-3-abcd1234"), text("to", t.msg.To),
		text("type", t.msg.Type), raw("content", encode(t.msg.sent())), raw("metadata", meta))
}
