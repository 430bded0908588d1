package blip

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// inbound is a message from a person as Blip posts it to the bot.
type inbound struct {
	From     flexString      `json:"from"`
	Type     flexString      `json:"type"`
	Content  json.RawMessage `json:"content"`
	Event    flexString      `json:"event"` // of a notification posted to the wrong address
	Metadata struct {
		Timestamp  flexString `json:"#wa.timestamp"` // seconds
		Created    flexString `json:"date_created"`  // milliseconds
		Button     flexString `json:"#blip.payload.content"`
		Originator flexString `json:"#tunnel.originator"`
		Original   flexString `json:"#tunnel.originalFrom"`
		BSUID      flexString `json:"#wa.bsuid"`
	} `json:"metadata"`
}

// ParseMessages reads the messages in the body of a webhook's POST, in the same
// forms as ParseReceipts. It skips what is not a message. Text is filled in for a
// text, for a button of a template and for a text that quotes another message. The
// error is pombo.ErrNotJSON when the body is not JSON at all and pombo.ErrTooMany when
// it has too many envelopes; it never quotes the body.
func ParseMessages(body []byte) ([]pombo.Inbound, error) {
	var messages []pombo.Inbound
	err := eachEnvelope(body, func(e json.RawMessage) {
		var m inbound
		if !decode(e, &m) || m.From == "" || m.Type == "" || m.Event != "" {
			return
		}
		messages = append(messages, pombo.Inbound{
			Identity: pombo.Private(m.person()), BSUID: pombo.Private(m.Metadata.BSUID), Text: pombo.Private(m.text()),
			Payload: pombo.Private(m.Metadata.Button), At: m.at(),
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return messages, nil
}

const tunnel = "@tunnel.msging.net"

// person returns the identity behind the address: without the instance, and for a
// bot behind a router, which is addressed through tunnels, that of the person at the
// other end.
func (m inbound) person() string {
	for _, from := range []flexString{m.From, m.Metadata.Originator, m.Metadata.Original} {
		identity, _, _ := strings.Cut(string(from), "/")
		if strings.Contains(identity, "@") && !strings.HasSuffix(identity, tunnel) {
			return identity
		}
	}
	identity, _, _ := strings.Cut(string(m.From), "/")
	return identity
}

func (m inbound) text() string {
	const plain = "text/plain"
	var text flexString
	switch m.Type {
	case plain:
		decode(m.Content, &text)
	case "application/vnd.lime.reply+json":
		var reply struct {
			Replied struct {
				Type  flexString `json:"type"`
				Value flexString `json:"value"`
			} `json:"replied"`
		}
		if decode(m.Content, &reply); reply.Replied.Type == plain {
			text = reply.Replied.Value
		}
	}
	return string(text)
}

func (m inbound) at() time.Time {
	if s, err := strconv.ParseInt(string(m.Metadata.Timestamp), 10, 64); err == nil {
		if t := time.Unix(s, 0).UTC(); plausible(t) {
			return t
		}
	}
	if ms, err := strconv.ParseInt(string(m.Metadata.Created), 10, 64); err == nil {
		if t := time.UnixMilli(ms).UTC(); plausible(t) {
			return t
		}
	}
	return time.Time{}
}
