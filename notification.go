package pombo

import (
	"time"

	"pombo/internal/phone"
)

// Notification is one row that was taken in: what to send, to whom, and its state.
// The ledger owns it; everything else works on a copy.
type Notification struct {
	Seq       int64 // its number in the ledger, in the order of taking in
	MessageID MessageID
	Key       Key

	Recipient Private      // the phone as the row has it
	Phone     phone.Number // zero when Recipient is not a phone number
	Params    []Param
	Template  string // "" = the configured template
	Language  string // of the template; "" = the configured one
	Priority  int
	SendAfter time.Time
	Expires   time.Time
	Run       int64  // the run that took it in; 0 = none
	Reminds   string // the row that it reminds of: see Row

	State   State
	Reason  Reason
	Detail  string // a safe sentence
	Attempt int    // POSTs begun; a fence: only the worker with this attempt may finish it
	Tries   int    // attempts that count in the retry schedule
	Owner   string // the process that claimed it, while claimed or sending
	// Identity is Blip's name for the phone, from the ledger's cache; "" until Blip
	// has been asked.
	Identity string
	// NotBefore is when a queued notification may be claimed, or when Blip is asked
	// next about an uncertain one.
	NotBefore time.Time
	Created   time.Time // taken in
	Begun     time.Time // the last attempt's begin; zero = none yet
	Updated   time.Time // last change of state
	Settled   string    // the code last written to the row; "" = none yet
	// Unsure has the codes that the row may have instead of the pending one: Pombo
	// was writing them and does not know whether it succeeded.
	Unsure []string
}

// Outcome moves a notification to its next state. The ledger applies it only while
// the notification is still in state From with this owner and attempt, so that a
// worker whose lease ended cannot overwrite what happened later.
type Outcome struct {
	Seq     int64
	From    State // Claimed, Sending or Uncertain
	Owner   string
	Attempt int

	To        State
	Reason    Reason
	Detail    string    // safe
	NotBefore time.Time // for Queued and Uncertain; zero = at once
	Counted   bool      // the attempt counts in the retry schedule
	Code      int       // of Blip's refusal, for the breaker; it is not stored
	// Parked, with Queued, makes it wait for its template without delaying the others,
	// until NotBefore or until parked ones are released.
	Parked bool
	// Answered, with Withdrawn, says that the message which it reminds of has an answer.
	// Its row is still pending and gets the code of what was not sent in time.
	Answered bool
}

// Event is one change of state in a notification's history.
type Event struct {
	At      time.Time
	State   State
	Attempt int
	Reason  Reason
	Detail  string
}

// Receipt is what Blip reports about a message that it has accepted.
type Receipt struct {
	MessageID MessageID
	State     State        // Accepted, Dispatched, Delivered, Read or Failed
	At        time.Time    // Blip's clock; zero when Blip does not say
	Reason    Reason       // of a failure
	Code      int          // the channel's code of a failure; 0 = none
	Policy    ResendPolicy // of a failure
	Detail    string       // safe
	Identity  Private      // what Blip calls the person; "" when it does not say
	BSUID     Private      // WhatsApp's name of the person for this business; "" when Blip does not say
	UniqueID  string       // Blip's own id of the message, which an answer may refer to; "" when it does not say
}

// Failure is one message that failed while Blip could be reached.
type Failure struct {
	MessageID MessageID
	Reason    Reason
	Code      int  // of WhatsApp or Blip; 0 = none
	Refused   bool // Blip refused the POST; else a receipt said so
}

// ReceiptResult says what a receipt did to its notification.
type ReceiptResult uint8

// What a receipt can do.
const (
	// ReceiptStale: nothing; it repeats or precedes a receipt that was applied.
	ReceiptStale ReceiptResult = iota
	// ReceiptUnknown: no notification has the id.
	ReceiptUnknown
	// ReceiptMoved: the notification moved on.
	ReceiptMoved
	// ReceiptResent: it failed, and a new generation of it is queued.
	ReceiptResent
)

// NextPoll says when to ask Blip for receipts next.
type NextPoll struct {
	Seq int64
	At  time.Time // zero = no more
}

// Settlement is a result to write back to the source row.
type Settlement struct {
	Seq       int64
	RowKey    string    // the row's key
	Expected  string    // the status code that the row should still have
	Unsure    []string  // codes of ours that it may have instead: see Notification
	Code      string    // the status code to write
	MessageID MessageID // for DB_COL_MESSAGE_ID
	SentAt    time.Time // for DB_COL_SENT_AT; zero when it was not sent
	Reason    Reason    // why it was not sent; NoReason when it was
	Error     string    // the same for DB_COL_ERROR, in words; "" when there is none
	Reply     int64     // the number of the reply that stands; 0 = none
	Answer    Private   // for DB_COL_REPLY; "" = the row keeps what it has
	Answered  time.Time // for DB_COL_REPLY_AT; zero = the row keeps what it has
}

// SettleResult says what became of a settlement.
type SettleResult uint8

// What can become of a settlement.
const (
	// SettleLater: the source could not be asked; it is tried again.
	SettleLater SettleResult = iota
	// SettleDone: the row has the code.
	SettleDone
	// SettleDiverged: the row's owner changed its status; the row stays as it is.
	SettleDiverged
	// SettleGone: the row is no longer there.
	SettleGone
	// SettleRefused: the database refuses the change (a trigger, a check); the
	// row waits for a person.
	SettleRefused
)

// String returns the text that the ledger stores.
func (r SettleResult) String() string {
	switch r {
	case SettleDone:
		return "settled"
	case SettleDiverged:
		return "diverged"
	case SettleGone:
		return "gone"
	case SettleRefused:
		return "refused"
	default:
		return "due"
	}
}

// Settled is the result of one settlement.
type Settled struct {
	Settlement
	Result SettleResult
	Detail string // safe; why it was refused, or which status was found
}

// Run is one pass started by POST /send_notification.
type Run struct {
	ID       int64
	Started  time.Time
	Finished time.Time // zero while it is under way
	Taking   bool      // still taking rows in
	Error    string    // why intake did not see all rows; "" = it saw them
	Tally
}

// Tally counts the rows that a run took in, by how each ended. Accepted counts
// all that Blip has, whatever a receipt said later; Retrying those that wait
// for a further try.
type Tally struct {
	Found     int
	Waiting   int // not tried yet, or in flight
	Accepted  int
	Failed    int
	Retrying  int
	Uncertain int
	Cancelled int // cancelled, expired and suppressed
}

// Pause stops all sending until a time or until somebody resumes it. The ledger
// stores it, so it outlives a restart.
type Pause struct {
	Until  time.Time // zero = until resumed
	Reason Reason    // NoReason when an operator paused
	Detail string    // safe
	By     string    // "blip", "operator", or "pombo": too many failures in a row
}

// Latest names the newest generation of a row that is known to the ledger.
type Latest struct {
	RowKey     string
	Generation int
	// Untouched means that no code was written to the row and no other code was seen
	// in it, so it may have been pending all the time.
	Untouched bool
}

// Retired counts what retention removed from the ledger.
type Retired struct {
	Erased     int // notifications that lost phone and message
	Removed    int // notifications that are gone
	Runs       int
	Identities int
	Replies    int
}

// Forgotten counts what the ledger had about a person and what was erased.
type Forgotten struct {
	Found    int // notifications to the phone
	Open     int // of those, the queued ones: they are cancelled before they are erased
	InFlight int // of those, the ones being sent now: they are not erased
	Erased   int
}
