package blip

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"pombo"
)

// ErrNotReceipt means that the envelope is well formed and says nothing about a
// message of ours. Such envelopes are normal and need no answer but success.
var ErrNotReceipt = errors.New("not a receipt for a message of ours")

// errNotJSON: what came is no envelope at all.
var errNotJSON = errors.New("read a receipt: not a JSON object")

// notification is a receipt as Blip writes it. Its "from" is left out on purpose:
// it can be the person, a server or a tunnel, and means nothing here.
type notification struct {
	Event    loose  `json:"event"`
	ID       loose  `json:"id"`
	Reason   spoken `json:"reason"`
	Metadata struct {
		Timestamp   loose `json:"#envelope.timestamp"`   // milliseconds
		StorageDate loose `json:"#envelope.storageDate"` // RFC 3339, at times whole seconds only
	} `json:"metadata"`
}

// ParseReceipt reads one notification as Blip posts it to a webhook. It returns
// ErrNotReceipt for events that say nothing of the way of a message ("deleted"
// and whatever may come) and for ids that are not ours (a campaign's), and another
// error for what is no JSON object. No error quotes the body.
func ParseReceipt(body []byte) (pombo.Receipt, error) {
	var n notification
	if !decode(body, &n) {
		return pombo.Receipt{}, errNotJSON
	}
	return n.receipt()
}

// receipt translates. The words of the failure are masked.
func (n notification) receipt() (pombo.Receipt, error) {
	id, err := pombo.ParseID(string(n.ID))
	if err != nil {
		return pombo.Receipt{}, ErrNotReceipt
	}
	r := pombo.Receipt{ID: id, At: n.at()}
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
		r.Reason, r.Code, r.Detail = d.reason, code, mask(said.text)
	default:
		return pombo.Receipt{}, ErrNotReceipt
	}
	return r, nil
}

// at is when it happened, by Blip's clock; zero when it does not say.
func (n notification) at() time.Time {
	if ms, err := strconv.ParseInt(string(n.Metadata.Timestamp), 10, 64); err == nil {
		// Seconds or nonsense would give a year that is plainly wrong.
		if t := time.UnixMilli(ms).UTC(); t.Year() >= 2000 && t.Year() < 2200 {
			return t
		}
	}
	if t, err := time.Parse(time.RFC3339, string(n.Metadata.StorageDate)); err == nil {
		return t.UTC()
	}
	return time.Time{}
}

// rank puts receipts of one moment into the order of the road.
func rank(s pombo.State) int {
	return slices.Index([]pombo.State{pombo.Accepted, pombo.Dispatched, pombo.Delivered, pombo.Read, pombo.Failed}, s)
}

// Receipts asks Blip what it knows of a message, oldest first. None is no error:
// Blip never took the message, or forgot it (after three days), or is late with
// writing it down.
func (c *Client) Receipts(ctx context.Context, id pombo.ID) ([]pombo.Receipt, error) {
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
		if r, err := n.receipt(); err == nil && r.ID == id {
			receipts = append(receipts, r)
		}
	}
	slices.SortStableFunc(receipts, func(a, b pombo.Receipt) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(rank(a.State), rank(b.State)))
	})
	return receipts, nil
}

// collection finds the list in a resource. The documentation shows "items" for
// most and does not show it for templates; others have met the rest.
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
