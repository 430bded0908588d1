package pombo

// WaitReason says why a queued notification has not been sent yet. The list is
// closed: it is a metric label and a word of GET /readyz.
type WaitReason string

// Why a queued notification waits.
const (
	WaitScheduled   WaitReason = "scheduled"   // its own time has not come
	WaitRate        WaitReason = "rate"        // the bot's rate, or the interval between two messages to one person
	WaitPaused      WaitReason = "paused"      // all sending is paused
	WaitQuietHours  WaitReason = "quiet_hours" // the recipient must not be disturbed now
	WaitTemplate    WaitReason = "template"    // its template cannot be sent now
	WaitBlip        WaitReason = "blip"        // Blip is unreachable, in trouble or refuses the bot
	WaitLedger      WaitReason = "ledger"      // the ledger cannot record what will be sent
	WaitSource      WaitReason = "source"      // its row cannot be checked again
	WaitDocuments   WaitReason = "documents"   // the document of its header cannot be read
	WaitResends     WaitReason = "resends"     // an operator has to confirm that so many rows were set back to pending
	WaitRetry       WaitReason = "retry_wait"  // its next try, for any other reason
	WaitUnexplained WaitReason = "none"        // nothing explains it
)

const sentAutomatically = "nothing: they are sent automatically"

type waitReason struct {
	reason        WaitReason
	message, hint string
}

// waitReasons is the one table of the wait reasons: what each means and what to do
// about it.
var waitReasons = []waitReason{
	{WaitScheduled, "their time has not come", sentAutomatically},
	{WaitRate, "they wait their turn at the bot's rate", sentAutomatically},
	{WaitPaused, "sending is paused", "end it with pombo resume when the cause is over"},
	{WaitQuietHours, "it is a quiet time where the people live", sentAutomatically},
	{WaitTemplate, "their template cannot be sent now", "see pombo templates"},
	{WaitBlip, "Blip cannot be used", "see the check of blip, and network, proxy, BLIP_URL and KEYBLIP"},
	{WaitLedger, "the ledger cannot be written", "see the log: the disk may be full or read-only"},
	{WaitSource, "the table cannot be read", "check the database"},
	{WaitDocuments, "their documents cannot be read", "check that DOCUMENTS_DIR is mounted and may be read, or the database that has them"},
	{WaitResends, "many were set back to pending within a minute", "pombo resume --resends to send them again, pombo cancel --resends to write their status again"},
	{WaitRetry, "they wait for their next try", "see their reasons with pombo list"},
	{WaitUnexplained, "nothing explains it", "look at the log, then restart the service: that loses and doubles nothing"},
}

// WaitReasons lists them all.
func WaitReasons() []WaitReason {
	list := make([]WaitReason, len(waitReasons))
	for i, w := range waitReasons {
		list[i] = w.reason
	}
	return list
}

func (w WaitReason) entry() waitReason {
	for _, e := range waitReasons {
		if e.reason == w {
			return e
		}
	}
	return waitReason{}
}

// Message says what the word means, lower case and without a full stop; empty
// for an unknown word.
func (w WaitReason) Message() string { return w.entry().message }

// Hint says what a person can do about it, in the same form.
func (w WaitReason) Hint() string { return w.entry().hint }
