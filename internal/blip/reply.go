package blip

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"pombo"
)

// The shapes in which Blip delivers what a person sent, for the log. The shape for a
// press on a template's button is not documented, so the log records it.
const (
	formText          = "text"           // written, quoting nothing
	formPayload       = "payload"        // text with a button's payload in the metadata
	formReply         = "reply"          // the press of a button or the choice from a list
	formTemplateReply = "template_reply" // an answer to a template that the envelope repeats
	formQuote         = "quote"          // quotes another message
	formMedia         = "media"          // a picture, a place or a contact, quoting nothing
	formReaction      = "reaction"
	formWithdrawn     = "reaction_withdrawn"
)

const (
	plainText     = "text/plain"
	replyType     = "application/vnd.lime.reply+json"
	reactionType  = "application/vnd.lime.reaction+json"
	selectType    = "application/vnd.lime.select+json"
	longestID     = 255
	longestAnswer = 4096 // in characters, as WhatsApp's own messages
)

// kinds of content that is neither text nor an envelope around another.
var contentKinds = map[string]pombo.ReplyKind{
	"application/vnd.lime.media-link+json": pombo.ReplyMedia,
	"application/vnd.lime.location+json":   pombo.ReplyLocation,
	"application/vnd.lime.contact+json":    pombo.ReplyContact,
}

// replied is the content of a message that answers another.
type replied struct {
	Replied struct {
		Type  flexString      `json:"type"`
		Value json.RawMessage `json:"value"`
	} `json:"replied"`
	InReplyTo struct {
		ID    flexString `json:"id"`
		Type  flexString `json:"type"`
		Value struct {
			Type    flexString `json:"type"`
			Options []struct {
				Text flexString `json:"text"`
			} `json:"options"`
		} `json:"value"`
	} `json:"inReplyTo"`
}

// reaction is the content of a reaction; one that was withdrawn has no emoji.
type reaction struct {
	Emoji struct {
		Values []rune `json:"values"`
	} `json:"emoji"`
	InReactionTo struct {
		ID flexString `json:"id"`
	} `json:"inReactionTo"`
}

// read reads everything but the sender. ok is false when the content answers nothing.
func (m *inbound) read() (in pombo.Inbound, ok bool) {
	in = pombo.Inbound{
		ID: messageID(m.ID), BSUID: pombo.Private(clean(string(m.Metadata.BSUID))),
		UniqueID: messageID(m.Metadata.Reference), At: m.at(),
	}
	kind := mediaKind(m.Type)
	switch {
	case m.Type == plainText:
		in.Form = formText
		m.readText(&in, m.Content)
		if in.Kind != pombo.ReplyText {
			in.Form = formPayload
		}
		return in, in.Text != "" || in.Payload != ""
	case m.Type == replyType:
		ok = m.readReply(&in)
		return in, ok
	case m.Type == reactionType:
		m.readReaction(&in)
	case kind != "":
		in.Kind, in.Form = kind, formMedia
	default:
		return in, false
	}
	return in, true
}

// readText reads a text. The metadata says that it is the press of a button or a choice
// from a list, and then what that sends.
func (m *inbound) readText(in *pombo.Inbound, content json.RawMessage) {
	var text flexString
	decode(content, &text)
	in.Kind, in.Text = pombo.ReplyText, pombo.Private(clean(string(text)))
	payload := m.Metadata.Payload
	switch {
	case m.Metadata.List != "":
		in.Kind = pombo.ReplyList
		payload = m.Metadata.List
	case payload != "" || m.Metadata.Button != "":
		in.Kind = pombo.ReplyButton
		if payload == "" || clean(string(payload)) == in.Text.Reveal() {
			payload = m.Metadata.Button
		}
	}
	if s := pombo.Private(clean(string(payload))); s != in.Text {
		in.Payload = s
	}
}

func (m *inbound) readReply(in *pombo.Inbound) bool {
	var r replied
	decode(m.Content, &r)
	in.RepliesTo = messageIDs(r.InReplyTo.ID)
	if kind := mediaKind(r.Replied.Type); kind != "" {
		in.Kind, in.Form = kind, formQuote
		return true
	}
	if r.Replied.Type != plainText {
		return false
	}
	m.readText(in, r.Replied.Value)
	if r.InReplyTo.Type == selectType && in.Kind == pombo.ReplyText {
		for _, o := range r.InReplyTo.Value.Options {
			if clean(string(o.Text)) == in.Text.Reveal() {
				in.Kind = pombo.ReplyButton
			}
		}
	}
	switch {
	case r.InReplyTo.Value.Type == "template":
		in.Form = formTemplateReply
	case in.Kind == pombo.ReplyText:
		in.Form = formQuote
	default:
		in.Form = formReply
	}
	return in.Text != "" || in.Payload != ""
}

func (m *inbound) readReaction(in *pombo.Inbound) {
	var r reaction
	decode(m.Content, &r)
	in.Kind, in.Form = pombo.ReplyReaction, formReaction
	in.RepliesTo = messageIDs(r.InReactionTo.ID)
	if len(r.Emoji.Values) == 0 {
		in.Form = formWithdrawn
		return
	}
	in.Text = pombo.Private(clean(string(r.Emoji.Values)))
}

func mediaKind(t flexString) pombo.ReplyKind {
	for _, prefix := range []string{"image/", "audio/", "video/"} {
		if strings.HasPrefix(string(t), prefix) {
			return pombo.ReplyMedia
		}
	}
	return contentKinds[string(t)]
}

// unforwarded removes the "fwd:" that each hop through a router may have added.
func unforwarded(id flexString) string {
	s := strings.TrimSpace(string(id))
	for strings.HasPrefix(s, "fwd:") {
		s = strings.TrimSpace(s[len("fwd:"):])
	}
	return s
}

// messageID returns the id of a message that is not ours, if it can be stored.
func messageID(id flexString) string {
	s := clean(unforwarded(id))
	if len(s) > longestID {
		return "" // Blip's and WhatsApp's ids are shorter
	}
	return s
}

// messageIDs returns the id if it has the form of ours. Those of WhatsApp and of
// campaigns do not.
func messageIDs(id flexString) []pombo.MessageID {
	ours, err := pombo.ParseMessageID(unforwarded(id))
	if err != nil {
		return nil
	}
	return []pombo.MessageID{ours}
}

// clean returns a text that every database can store: without NUL and blanks around it,
// and no longer than a message of WhatsApp can be.
func clean(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\x00", ""))
	if len(s) <= longestAnswer || utf8.RuneCountInString(s) <= longestAnswer {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:longestAnswer]))
}
