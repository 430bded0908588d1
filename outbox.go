package pombo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// EventType says what an event tells the company's systems. The list is closed.
type EventType string

// The types.
const (
	EventAccepted     EventType = "notification.accepted" // Blip has the message
	EventDelivered    EventType = "notification.delivered"
	EventRead         EventType = "notification.read"
	EventFailed       EventType = "notification.failed"
	EventUncertain    EventType = "notification.uncertain"
	EventSuppressed   EventType = "notification.suppressed"
	EventExpired      EventType = "notification.expired"
	EventCancelled    EventType = "notification.cancelled"
	EventHandedOver   EventType = "notification.handed_over" // another channel of the company's gets the row
	EventReply        EventType = "notification.reply"
	EventTemplate     EventType = "template.changed"
	EventAlertRaised  EventType = "alert.raised"
	EventAlertCleared EventType = "alert.cleared"
)

// EventTypes lists the types.
func EventTypes() []EventType {
	return []EventType{EventAccepted, EventDelivered, EventRead, EventFailed, EventUncertain, EventSuppressed, EventExpired, EventCancelled,
		EventHandedOver, EventReply, EventTemplate, EventAlertRaised, EventAlertCleared}
}

// EventOf returns the event that a change of state makes. ok is false for a change that
// is not reported outside.
func EventOf(from, to State) (t EventType, ok bool) {
	known := from == Accepted || from == Dispatched
	switch {
	case from == to || known && (to == Accepted || to == Dispatched):
		return "", false
	case to == Accepted, to == Dispatched:
		return EventAccepted, true
	}
	t, ok = map[State]EventType{
		Delivered: EventDelivered, Read: EventRead, Failed: EventFailed, Uncertain: EventUncertain,
		Suppressed: EventSuppressed, Expired: EventExpired, Cancelled: EventCancelled,
	}[to]
	return t, ok
}

// OutboxEvent is an event for the company's systems, and how far it has got. It has
// nothing in it about a person but the key of the row.
type OutboxEvent struct {
	Number int64 // in the outbox; the events of one stream are sent in this order
	Type   EventType
	Stream string    // what is sent one after another: a row, a template, an alert
	At     time.Time // when it happened

	// Of a notification; the zero Key for events about something else.
	Key      Key
	Template string
	State    State
	Reason   Reason
	Attempt  int

	Extra json.RawMessage // further members, as one JSON object; nil = none

	Tries        int
	Tried, Due   time.Time // the first try and the next one; zero = none
	Acknowledged time.Time // zero = not yet
	GivenUp      time.Time // zero = not; until it is replayed nothing of its stream is sent
	Answer       string    // how the last try ended, in a word: a status or what went wrong
}

// ID returns the id of the event. It follows from what the outbox has, so it is the same
// however often the event is sent.
func (e OutboxEvent) ID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%d\x00%s\x00%s", e.Number, e.At.UnixMilli(), e.Type, e.Stream))
	return "evt_" + hex.EncodeToString(sum[:16])
}

// OutboxBacklog is what waits in the outbox. The counts end at OutboxCountLimit.
type OutboxBacklog struct {
	Waiting int       // not acknowledged, without those given up
	Oldest  time.Time // when the oldest of them happened; zero = none waits
	Answer  string    // how the last try of the oldest ended; "" = it was not tried
	GivenUp int
}

// OutboxCountLimit bounds the counts of an OutboxBacklog.
const OutboxCountLimit = 100_000

// EventAnswerGone is the answer of a receiver that wants no more events.
const EventAnswerGone = "410"

// ActiveAlert is an alert as the outbox compares it: raised while it is among those that
// are active, cleared when it is not any more.
type ActiveAlert struct {
	Name          string
	Message, Hint string
	Count         int
}

// EventFilter selects events.
type EventFilter struct {
	Since  time.Time // happened at or after; zero = any
	Type   EventType // "" = any
	Open   bool      // only what was not acknowledged
	Limit  int       // 1 to 1000; 0 = 50
	Cursor string    // from the list before; "" = from the oldest
}

// EventPage is a page of events, the oldest first.
type EventPage struct {
	Events []OutboxEvent
	Next   string // "" = there are no more
}
