package pombo

import "strings"

// Why says why a queued notification has not gone yet. The list is closed: it
// is a metric label and a word of GET /readyz.
type WaitReason string

// Why a queued notification waits.
const (
	WaitScheduled   WaitReason = "scheduled"   // its own time has not come
	WaitRate        WaitReason = "rate"        // its turn: the bot's rate, or the gap between two messages to one person
	WaitPaused      WaitReason = "paused"      // all sending is paused
	WaitQuietHours  WaitReason = "quiet_hours" // nobody is disturbed now
	WaitTemplate    WaitReason = "template"    // its template does not send now
	WaitBlip        WaitReason = "blip"        // Blip is away, in trouble or refuses the bot
	WaitLedger      WaitReason = "ledger"      // what is to be sent cannot be recorded
	WaitSource      WaitReason = "source"      // its row cannot be read again
	WaitResends     WaitReason = "resends"     // a person has to say why so many were set back to pending
	WaitRetry       WaitReason = "retry_wait"  // its next try, for any other reason
	WaitUnexplained WaitReason = "none"        // nothing explains it
)

// WaitReasons lists them all.
func WaitReasons() []WaitReason {
	return []WaitReason{WaitScheduled, WaitRate, WaitPaused, WaitQuietHours, WaitTemplate, WaitBlip, WaitLedger, WaitSource, WaitResends, WaitRetry, WaitUnexplained}
}

// Sentence says what the word means, lower case and without a full stop; empty
// for a word that is none.
func (w WaitReason) Message() string {
	switch w {
	case WaitScheduled:
		return "their time has not come"
	case WaitRate:
		return "they wait their turn at the bot's rate"
	case WaitPaused:
		return "sending is paused"
	case WaitQuietHours:
		return "it is a quiet time where the people live"
	case WaitTemplate:
		return "their template does not send now"
	case WaitBlip:
		return "Blip cannot be used"
	case WaitLedger:
		return "the ledger cannot be written"
	case WaitSource:
		return "the table cannot be read"
	case WaitResends:
		return "many were set back to pending within a minute"
	case WaitRetry:
		return "they wait for their next try"
	case WaitUnexplained:
		return "nothing explains it"
	}
	return ""
}

// Todo says what a person can do about it, in the same form.
func (w WaitReason) Hint() string {
	switch w {
	case WaitScheduled, WaitRate, WaitQuietHours:
		return "nothing: they go by themselves"
	case WaitPaused:
		return "end it with pombo resume when the cause is over"
	case WaitTemplate:
		return "see pombo templates"
	case WaitBlip:
		return "see the check of blip, and network, proxy, BLIP_URL and KEYBLIP"
	case WaitLedger:
		return "see the log: the disk may be full or may not be written"
	case WaitSource:
		return "see to the database"
	case WaitResends:
		return "pombo resume --resends to send them again, pombo cancel --resends to write their status again"
	case WaitRetry:
		return "see their reasons with pombo list"
	case WaitUnexplained:
		return "look at the log, then restart the service: nothing is lost or doubled by it"
	}
	return ""
}

// Why says what a queued notification waits for whose time to go has not come,
// from the reason for which it was put back; without one, the row itself named
// the time.
func (r Reason) WaitReason() WaitReason {
	switch r {
	case NoReason:
		return WaitScheduled
	case PairRate, RateLimited, SpamLimited:
		return WaitRate
	case Unauthorized, Forbidden, AccountBlocked, AccountLimited, NumberNotReady, BlipUnreachable, BlipUnavailable, NoAnswer, GatewayTimeout, ChannelError, CommandFailed:
		return WaitBlip
	case QuietHours:
		return WaitQuietHours
	case SourceAway:
		return WaitSource
	case ResendGuard:
		return WaitResends
	}
	if strings.HasPrefix(string(r), "template_") {
		return WaitTemplate
	}
	return WaitRetry
}
