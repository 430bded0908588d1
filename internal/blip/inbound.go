package blip

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// inbound is a message as Blip posts it: one that a person sent to the bot, or, by the
// data feed of Integrations, also one of the bot or of an agent. A value of the metadata
// may be null.
type inbound struct {
	ID       flexString      `json:"id"`
	From     flexString      `json:"from"`
	Type     flexString      `json:"type"`
	Content  json.RawMessage `json:"content"`
	Event    flexString      `json:"event"` // of a notification posted to the wrong address
	Metadata struct {
		Timestamp  flexString `json:"#wa.timestamp"` // seconds
		Created    flexString `json:"date_created"`  // milliseconds
		Payload    flexString `json:"#blip.payload.content"`
		Button     flexString `json:"#wa.interactive.button.id"`
		List       flexString `json:"#wa.interactive.list.id"`
		Reference  flexString `json:"#messageReferenceInternalID"`
		Emitter    flexString `json:"#messageEmitter"`
		Originator flexString `json:"#tunnel.originator"`
		Original   flexString `json:"#tunnel.originalFrom"`
		BSUID      flexString `json:"#wa.bsuid"`
	} `json:"metadata"`
}

// ParseMessages reads what people sent out of the body of a webhook's POST, in the same
// forms as ParseReceipts. It skips what is not a message, what the bot or an agent
// sent, and content that answers nothing, such as "is writing". The error is
// pombo.ErrNotJSON when the body is not JSON at all and pombo.ErrTooMany when it has
// too many envelopes; it never quotes the body.
//
// The phone of a message stays empty: the address of a person may be a phone, and may
// as well be a random name, a name of WhatsApp's or a tunnel.
func ParseMessages(body []byte) ([]pombo.Inbound, error) {
	var messages []pombo.Inbound
	err := eachEnvelope(body, func(e json.RawMessage) {
		var m inbound
		if !decode(e, &m) || m.From == "" || m.Type == "" || m.Event != "" {
			return
		}
		person, ok := m.person()
		if !ok || m.byAgent() {
			return
		}
		if in, ok := m.read(); ok {
			in.Identity = pombo.Private(clean(person))
			messages = append(messages, in)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return messages, nil
}

// byAgent reports whether an agent at a desk wrote the message, in the bot's name.
func (m *inbound) byAgent() bool { return strings.EqualFold(string(m.Metadata.Emitter), "human") }

const tunnel = "tunnel.msging.net"

// notPeople are the domains of bots, servers and agents. Channels have names below
// gw.msging.net and others of their own.
var notPeople = map[string]bool{"msging.net": true, "desk.msging.net": true, "blip.ai": true}

// person returns the identity of the sender: without the instance, and for a bot behind
// a router, which is addressed through tunnels, that of the person at the other end. ok
// is false when the sender is not a person but a bot, a server or an agent.
func (m *inbound) person() (identity string, ok bool) {
	tunnelled := ""
	for _, from := range []flexString{m.From, m.Metadata.Originator, m.Metadata.Original} {
		address, _, _ := strings.Cut(string(from), "/")
		name, domain, found := strings.Cut(address, "@")
		domain = strings.ToLower(domain)
		switch {
		case domain == tunnel:
			if tunnelled == "" {
				tunnelled = address
			}
		case found && (notPeople[domain] || strings.EqualFold(name, "postmaster")):
			return "", false
		case found:
			return address, true
		}
	}
	if tunnelled != "" {
		return tunnelled, true
	}
	address, _, _ := strings.Cut(string(m.From), "/")
	return address, true
}

func (m *inbound) at() time.Time {
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
