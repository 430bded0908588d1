package pombo

import (
	"strconv"
	"strings"
)

// payloadPrefix begins the payloads that Pombo gives to buttons. Bots see it as what the
// person has sent, so it never changes.
const payloadPrefix = "pombo:"

// ReplyPayload returns what a button of a message sends back when its row gives it nothing
// of its own: the answer then names the message. The buttons count from 0.
func ReplyPayload(id MessageID, button int) Private {
	return Private(payloadPrefix + string(id) + ":" + strconv.Itoa(button))
}

// ParseReplyPayload reads what ReplyPayload wrote. ok is false for everything else.
func ParseReplyPayload(p Private) (id MessageID, button int, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(p.Reveal()), payloadPrefix)
	if !ok {
		return "", 0, false
	}
	text, number, ok := strings.Cut(rest, ":")
	if !ok {
		return "", 0, false
	}
	id, err := ParseMessageID(text)
	if err != nil {
		return "", 0, false
	}
	if button, err = strconv.Atoi(number); err != nil || button < 0 || button >= maxButtons {
		return "", 0, false
	}
	return id, button, true
}
