package pombo

import "time"

// DiscrepancyKind says how the source, the ledger and Blip disagree about a
// notification. The list is closed, as that of the reasons is.
type DiscrepancyKind string

// The kinds of discrepancies.
const (
	RowPending       DiscrepancyKind = "row_pending"       // its code was written, and it is pending again
	RowNotPending    DiscrepancyKind = "row_not_pending"   // it waits to be sent, and its row no longer asks for it
	RowDiverged      DiscrepancyKind = "settle_diverged"   // the row's owner changed the status meanwhile
	RowGone          DiscrepancyKind = "settle_gone"       // the row was no longer there
	RowRefused       DiscrepancyKind = "settle_refused"    // the database refused the change
	SettleOverdue    DiscrepancyKind = "settle_overdue"    // the result has been owed for hours
	UncertainOverdue DiscrepancyKind = "uncertain_overdue" // the doubt has lasted for hours
	FailedAtBlip     DiscrepancyKind = "failed_at_blip"    // Blip reported a failure that the ledger did not know
	UnknownAtBlip    DiscrepancyKind = "unknown_at_blip"   // the ledger has it as sent, Blip has no trace
	SentAtBlip       DiscrepancyKind = "sent_at_blip"      // Blip has a trace, the ledger has it as not sent
)

type discrepancyKind struct {
	kind          DiscrepancyKind
	message, hint string
}

// discrepancyKinds is the one table of the kinds: what disagrees and what to do.
var discrepancyKinds = []discrepancyKind{
	{RowPending, "the row is pending again, although its message was sent and its status written",
		"nothing if it was set back on purpose: the next run sends it once more; otherwise set its status to STATUS_SENT before that"},
	{RowNotPending, "the message waits to be sent, but its row is no longer pending or no longer there",
		"pombo cancel ID, if it is not to be sent"},
	{RowDiverged, "the status was not written: the row's owner had changed it meanwhile",
		"look at the row; find out what else writes the status column. Set back to pending, it is sent once more"},
	{RowGone, "the status was not written: the row was no longer there", "nothing, if the row was deleted on purpose"},
	{RowRefused, "the status was not written: the database refuses the change",
		"see the detail (pombo show ID); have the trigger or the check corrected, then set the status by hand"},
	{SettleOverdue, "the result has not been written into the row for six hours",
		"check that the table can be written (pombo doctor), and look in the log for \"settle failed\""},
	{UncertainOverdue, "it has not been known for an hour whether the message arrived", "decide with pombo retry ID or pombo cancel ID"},
	{FailedAtBlip, "Blip had reported a failure that the ledger did not know; it is recorded now", "see its reason: pombo show ID"},
	{UnknownAtBlip, "the message counts as sent, but Blip has no trace of it",
		"ask Blip's support with the id; if the person got nothing, set the row back to pending"},
	{SentAtBlip, "the message counts as not sent, but Blip has a trace of it",
		"if it waits to be sent: pombo cancel ID before it is sent twice; do not retry it"},
}

// DiscrepancyKinds lists every kind.
func DiscrepancyKinds() []DiscrepancyKind {
	list := make([]DiscrepancyKind, len(discrepancyKinds))
	for i, k := range discrepancyKinds {
		list[i] = k.kind
	}
	return list
}

func (k DiscrepancyKind) entry() discrepancyKind {
	for _, e := range discrepancyKinds {
		if e.kind == k {
			return e
		}
	}
	return discrepancyKind{}
}

// Message says what disagrees, lower case and without a full stop.
func (k DiscrepancyKind) Message() string { return k.entry().message }

// Hint says what to do about it, in the same form.
func (k DiscrepancyKind) Hint() string { return k.entry().hint }

// Discrepancy is one disagreement between the source, the ledger and Blip. It is safe
// to log.
type Discrepancy struct {
	Kind      DiscrepancyKind
	MessageID MessageID
	Key       Key
}

// Reconciliation is the result of comparing the source, the ledger and Blip.
type Reconciliation struct {
	Started       time.Time
	Finished      time.Time
	Compared      int    // notifications compared
	Doubtful      int    // of those, the ones that Blip should be asked about
	Asked         int    // of those, the ones that Blip was asked about
	Unasked       string // why Blip was not asked about the others; "" when it was
	Applied       int    // notifications that a receipt has moved on
	Counts        map[DiscrepancyKind]int
	Discrepancies []Discrepancy // the first of them; Counts has all
}

// Review is the part of a notification that a reconciliation compares.
type Review struct {
	Seq          int64
	MessageID    MessageID
	Key          Key
	State        State
	Attempt      int
	Created      time.Time
	Begun        time.Time // zero = never
	Updated      time.Time
	Settled      string       // the code last written to the row; "" = none
	Unsure       []string     // codes that the row may have instead of the pending one: see Notification
	SettleResult SettleResult // SettleDiverged, SettleGone or SettleRefused; else SettleLater
	Owed         bool         // a code is still to be written
	Accepted     bool         // Blip has accepted it
	Latest       bool         // the row has no later generation
}
