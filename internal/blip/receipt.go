package blip

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// errNotReceipt: the envelope is not about a message of ours.
var errNotReceipt = errors.New("not a receipt for a message of ours")

// notification is a receipt as Blip writes it. It has no "from" on purpose: that can
// be the person, a server or a tunnel, and means nothing here.
type notification struct {
	Event    flexString `json:"event"`
	ID       flexString `json:"id"`
	Reason   limeReason `json:"reason"`
	Metadata struct {
		Timestamp   flexString `json:"#envelope.timestamp"`   // milliseconds
		StorageDate flexString `json:"#envelope.storageDate"` // RFC 3339, at times whole seconds only
		BSUID       flexString `json:"#wa.bsuid"`
		MessageID   flexString `json:"#message.uniqueId"`
		UniqueID    flexString `json:"#uniqueId"` // in envelopes without the other
		To          flexString `json:"#message.to"`
	} `json:"metadata"`
}

// ParseReceipts reads the notifications in the body of a webhook's POST: one
// envelope as Blip documents it, a list of them, or several one after another. It
// skips what does not move a message on: the event "deleted" and unknown ones, ids
// that are not ours (a campaign's), other envelopes. The error is pombo.ErrNotJSON
// when the body is not JSON at all and pombo.ErrTooMany when it has too many
// envelopes; it never quotes the body.
func ParseReceipts(body []byte) ([]pombo.Receipt, error) {
	var receipts []pombo.Receipt
	err := eachEnvelope(body, func(e json.RawMessage) {
		var n notification
		if !decode(e, &n) {
			return
		}
		if r, err := n.receipt(); err == nil {
			receipts = append(receipts, r)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	return receipts, nil
}

// eachEnvelope calls f for each JSON value of a body, and for each item of a list. f
// must not keep its argument. What follows the last whole value is ignored. With more
// than pombo.MaxEnvelopes the error is pombo.ErrTooMany.
func eachEnvelope(body []byte, f func(json.RawMessage)) error {
	d := json.NewDecoder(bytes.NewReader(body))
	var value json.RawMessage
	for left := pombo.MaxEnvelopes; ; {
		if d.Decode(&value) != nil { // also at the end
			break
		}
		if value[0] != '[' {
			if left--; left < 0 {
				return pombo.ErrTooMany
			}
			f(value)
			continue
		}
		list := json.NewDecoder(bytes.NewReader(value))
		_, _ = list.Token() // the bracket
		for item := json.RawMessage(nil); list.More(); {
			if left--; left < 0 {
				return pombo.ErrTooMany
			}
			if list.Decode(&item) != nil {
				break // cannot happen: the list was read whole
			}
			f(item)
		}
	}
	if d.InputOffset() == 0 {
		return pombo.ErrNotJSON
	}
	return nil
}

// receipt translates. It keeps only the known words of a failure's text.
func (n notification) receipt() (pombo.Receipt, error) {
	id, err := pombo.ParseMessageID(string(n.ID))
	if err != nil {
		return pombo.Receipt{}, errNotReceipt
	}
	r := pombo.Receipt{MessageID: id, At: n.at(), BSUID: pombo.Private(n.Metadata.BSUID), UniqueID: messageID(cmp.Or(n.Metadata.MessageID, n.Metadata.UniqueID)), Identity: n.recipient()}
	switch n.Event {
	case "accepted":
		r.State = pombo.Accepted
	case "dispatched":
		r.State = pombo.Dispatched
	case "received":
		r.State = pombo.Delivered
	case "consumed":
		r.State = pombo.Read
	case "failed":
		r.State = pombo.Failed
		said := n.Reason.reason()
		d, code := decideReason(said)
		r.Reason, r.Code, r.Detail, r.Policy = d.reason, code, known(said.text), said.policy()
	default:
		return pombo.Receipt{}, errNotReceipt
	}
	return r, nil
}

// recipient returns whom the message went to; "" when that is a tunnel or unknown.
func (n notification) recipient() pombo.Private {
	address, _, _ := strings.Cut(clean(string(n.Metadata.To)), "/")
	_, domain, found := strings.Cut(address, "@")
	if !found || strings.EqualFold(domain, tunnel) || notPeople[strings.ToLower(domain)] {
		return ""
	}
	return pombo.Private(address)
}

// at returns when it happened, by Blip's clock; zero when it does not say.
func (n notification) at() time.Time {
	if ms, err := strconv.ParseInt(string(n.Metadata.Timestamp), 10, 64); err == nil {
		if t := time.UnixMilli(ms).UTC(); plausible(t) {
			return t
		}
	}
	if t, err := time.Parse(time.RFC3339, string(n.Metadata.StorageDate)); err == nil {
		return t.UTC()
	}
	return time.Time{}
}

// plausible distinguishes a time from a number in another unit, or from nonsense.
func plausible(t time.Time) bool { return t.Year() >= 2000 && t.Year() < 2200 }

// rank orders receipts of the same moment as a message moves on.
func rank(s pombo.State) int {
	return slices.Index([]pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed}, s)
}

// Receipts returns what Blip knows of a message, oldest first. An empty list is not an
// error: Blip never accepted the message, or forgot it (after three days), or is late
// in recording it.
func (c *Client) Receipts(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	var resource json.RawMessage
	err := c.command(ctx, command{
		kind: receiptsKind, to: server, method: "get",
		uri: "/notifications?id=" + url.QueryEscape(string(id)),
	}, &resource)
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		return nil, nil // Blip's other way of saying "none"
	case err != nil:
		return nil, err
	}
	list, ok := collection(resource)
	if !ok {
		// Taking this for "none" could send a message twice.
		return nil, useless(phaseLacking, "Blip's answer has no list of notifications")
	}
	var receipts []pombo.Receipt
	for _, item := range list {
		var n notification
		if !decode(item, &n) {
			continue
		}
		if r, err := n.receipt(); err == nil && r.MessageID == id {
			receipts = append(receipts, r)
		}
	}
	slices.SortStableFunc(receipts, func(a, b pombo.Receipt) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(rank(a.State), rank(b.State)))
	})
	return receipts, nil
}

// collection returns the list in a resource. The documentation shows "items" for most
// lists and none for the list of templates; the other names have been seen in practice.
func collection(resource json.RawMessage) ([]json.RawMessage, bool) {
	var list []json.RawMessage
	if json.Unmarshal(resource, &list) == nil && list != nil {
		return list, true
	}
	var in struct {
		Data, Items, Documents, Templates []json.RawMessage
	}
	if !decode(resource, &in) {
		return nil, false
	}
	for _, list := range [][]json.RawMessage{in.Items, in.Data, in.Templates, in.Documents} {
		if list != nil {
			return list, true
		}
	}
	return nil, false
}
