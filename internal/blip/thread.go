package blip

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// threadTake is the most that Blip lists of a conversation at once.
const threadTake = 100

// threaded is a message as Blip lists it in a conversation: that of a webhook with its
// direction instead of addresses.
type threaded struct {
	inbound
	Direction flexString `json:"direction"` // of the bot's messages "sent"
	Date      flexString `json:"date"`
}

// Thread returns what a person sent lately, the oldest first: of the last hundred
// messages of the conversation those that are theirs. Blip keeps about three months. It
// knows a conversation by the identity that it gave for the phone.
func (c *Client) Thread(ctx context.Context, identity pombo.Private) ([]pombo.Inbound, error) {
	var resource json.RawMessage
	err := c.command(ctx, command{
		kind: threadKind, to: server, method: "get", limit: 8 << 20,
		uri: "/threads/" + url.PathEscape(identity.Reveal()) + "?$take=" + strconv.Itoa(threadTake) + "&direction=desc",
	}, &resource)
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		return nil, nil // nothing was ever said
	case err != nil:
		return nil, err
	}
	list, ok := collection(resource)
	if !ok {
		return nil, useless(phaseLacking, "Blip's answer has no list of messages")
	}
	var messages []pombo.Inbound
	for _, item := range list {
		var t threaded
		if !decode(item, &t) || !strings.EqualFold(string(t.Direction), "received") || t.byAgent() {
			continue
		}
		in, ok := t.read()
		if !ok {
			continue
		}
		if in.At.IsZero() {
			if at, err := time.Parse(time.RFC3339, string(t.Date)); err == nil && plausible(at) {
				in.At = at.UTC()
			}
		}
		in.Identity = identity
		messages = append(messages, in)
	}
	slices.Reverse(messages)
	return messages, nil
}
