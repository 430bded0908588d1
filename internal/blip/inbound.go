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
	From     loose           `json:"from"`
	Type     loose           `json:"type"`
	Content  json.RawMessage `json:"content"`
	Event    loose           `json:"event"` // of a notification that came to the wrong address
	Metadata struct {
		Timestamp  loose `json:"#wa.timestamp"` // seconds
		Created    loose `json:"date_created"`  // milliseconds
		Button     loose `json:"#blip.payload.content"`
		Originator loose `json:"#tunnel.originator"`
		Original   loose `json:"#tunnel.originalFrom"`
		BSUID      loose `json:"#wa.bsuid"`
	} `json:"metadata"`
}

// ParseMessages reads the messages in the body of a webhook's POST, in the same
// forms as ParseReceipts. It leaves out what is no message. Text is filled in for a
// text, for a button of a template and for a text that answers to a quoted message.
// The error is pombo.ErrNotJSON when there is no JSON at all and pombo.ErrTooMany when
// there is too much; it never quotes the body.
func ParseMessages(body []byte) ([]pombo.Inbound, error) {
	var messages []pombo.Inbound
	err := eachEnvelope(body, func(e json.RawMessage) {
		var m inbound
		if !decode(e, &m) || m.From == "" || m.Type == "" || m.Event != "" {
			return
		}
		messages = append(messages, pombo.Inbound{
			Identity: pombo.Private(m.person()), BSUID: pombo.Private(m.Metadata.BSUID), Text: pombo.Private(m.text()),
			Button: pombo.Private(m.Metadata.Button), At: m.at(),
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return messages, nil
}

const tunnel = "@tunnel.msging.net"

// person is the identity behind the address: without the instance, and for a bot
// behind a router, which sees tunnels, that of the person at the other end.
func (m inbound) person() string {
	for _, from := range []loose{m.From, m.Metadata.Originator, m.Metadata.Original} {
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
	var text loose
	switch m.Type {
	case plain:
		decode(m.Content, &text)
	case "application/vnd.lime.reply+json":
		var reply struct {
			Replied struct {
				Type  loose `json:"type"`
				Value loose `json:"value"`
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
