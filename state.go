package pombo

import (
	"slices"
	"strings"
)

// State says where a notification stands. The words are stored in the ledger
// and shown to people as they are.
type State string

// The states, in the order in which a notification usually meets them.
const (
	Queued     State = "queued"     // taken in, waits for a worker or for its next try
	Claimed    State = "claimed"    // a worker has it; nothing has left
	Sending    State = "sending"    // durable before the first byte leaves
	Accepted   State = "accepted"   // Blip answered 202: it has the message, nobody has read it
	Dispatched State = "dispatched" // Blip handed it to WhatsApp
	Delivered  State = "delivered"  // on the handset
	Read       State = "read"       // opened, where the person allows read receipts
	Failed     State = "failed"     // refused for good, by us, by Blip or by WhatsApp
	Uncertain  State = "uncertain"  // the request left and no answer came
	Cancelled  State = "cancelled"  // taken back by the row's owner or by an operator
	Expired    State = "expired"    // too late to be of use
	Suppressed State = "suppressed" // the person opted out
)

// States lists every state in the order of the road.
func States() []State {
	return []State{Queued, Claimed, Sending, Accepted, Dispatched, Delivered, Read, Failed, Uncertain, Cancelled, Expired, Suppressed}
}

// StateNames lists the states for a person who has to name one.
func StateNames() string {
	var names []string
	for _, s := range States() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// moves is the one table of allowed moves. What is not in it does not happen:
// the ledger refuses it. Receipts may skip steps forward (a "received" can be
// the first one to arrive), never backward.
var moves = map[State][]State{
	// A queued row waits; it may be taken back, come too late or be opted out. One
	// that waits for its second attempt may turn out to have arrived by the first. A
	// ledger that has lost something does not know whether it has left.
	Queued: {Claimed, Accepted, Uncertain, Cancelled, Expired, Suppressed},
	// Claimed ends back in the queue when the lease is over, when a look-up
	// failed or when the program stops; and in an end state when the row itself
	// is at fault, all before anything left. A trace of an attempt before ends it too.
	Claimed: {Queued, Sending, Accepted, Failed, Uncertain, Cancelled, Expired, Suppressed},
	// Sending goes back to the queue only when it is known that Blip never had it.
	Sending: {Accepted, Queued, Failed, Uncertain},
	// Blip's trace of the id, or a person, ends the doubt.
	Uncertain:  {Accepted, Dispatched, Delivered, Read, Failed, Queued, Cancelled},
	Accepted:   {Dispatched, Delivered, Read, Failed},
	Dispatched: {Delivered, Read, Failed},
	Delivered:  {Read},
	Read:       {},
	// A person may send again what ended without reaching anybody. What reached a
	// handset all the same (one of two messages with the same id) has not failed.
	Failed:     {Queued, Delivered, Read},
	Cancelled:  {Queued},
	Expired:    {Queued},
	Suppressed: {Queued},
}

// CanBecome reports whether a notification in state s may move to next.
func (s State) CanBecome(next State) bool {
	return slices.Contains(moves[s], next)
}

// Valid reports whether s is one of the states.
func (s State) Valid() bool {
	_, ok := moves[s]
	return ok
}

// Open reports whether the notification still needs something from Pombo:
// nobody can say yet whether the message went.
func (s State) Open() bool {
	return s == Queued || s == Claimed || s == Sending || s == Uncertain
}

// Sent reports whether Blip has the message. It does not say that a person has
// it: see Delivered and Read.
func (s State) Sent() bool {
	return s == Accepted || s == Dispatched || s == Delivered || s == Read
}
