package pombo

import "strings"

// Why says why a queued notification has not gone yet. The list is closed: it
// is a metric label and a word of GET /readyz.
type Why string

// Why a queued notification waits.
const (
	WhyScheduled  Why = "scheduled"   // its own time has not come
	WhyRate       Why = "rate"        // its turn: the bot's rate, or the gap between two messages to one person
	WhyPaused     Why = "paused"      // all sending is paused
	WhyQuietHours Why = "quiet_hours" // nobody is disturbed now
	WhyTemplate   Why = "template"    // its template does not send now
	WhyBlip       Why = "blip"        // Blip is away, in trouble or refuses the bot
	WhyLedger     Why = "ledger"      // what is to be sent cannot be recorded
	WhySource     Why = "source"      // its row cannot be read again
	WhyResends    Why = "resends"     // a person has to say why so many were set back to pending
	WhyRetry      Why = "retry_wait"  // its next try, for any other reason
	WhyNone       Why = "none"        // nothing explains it
)

// Whys lists them all.
func Whys() []Why {
	return []Why{WhyScheduled, WhyRate, WhyPaused, WhyQuietHours, WhyTemplate, WhyBlip, WhyLedger, WhySource, WhyResends, WhyRetry, WhyNone}
}

// Sentence says what the word means, lower case and without a full stop; empty
// for a word that is none.
func (w Why) Sentence() string {
	switch w {
	case WhyScheduled:
		return "their time has not come"
	case WhyRate:
		return "they wait their turn at the bot's rate"
	case WhyPaused:
		return "sending is paused"
	case WhyQuietHours:
		return "it is a quiet time where the people live"
	case WhyTemplate:
		return "their template does not send now"
	case WhyBlip:
		return "Blip cannot be used"
	case WhyLedger:
		return "the ledger cannot be written"
	case WhySource:
		return "the table cannot be read"
	case WhyResends:
		return "many were set back to pending within a minute"
	case WhyRetry:
		return "they wait for their next try"
	case WhyNone:
		return "nothing explains it"
	}
	return ""
}

// Todo says what a person can do about it, in the same form.
func (w Why) Todo() string {
	switch w {
	case WhyScheduled, WhyRate, WhyQuietHours:
		return "nothing: they go by themselves"
	case WhyPaused:
		return "end it with pombo resume when the cause is over"
	case WhyTemplate:
		return "see pombo templates"
	case WhyBlip:
		return "see the check of blip, and network, proxy, BLIP_URL and KEYBLIP"
	case WhyLedger:
		return "see the log: the disk may be full or may not be written"
	case WhySource:
		return "see to the database"
	case WhyResends:
		return "pombo resume --resends to send them again, pombo cancel --resends to write their status again"
	case WhyRetry:
		return "see their reasons with pombo list"
	case WhyNone:
		return "look at the log, then restart the service: nothing is lost or doubled by it"
	}
	return ""
}

// Why says what a queued notification waits for whose time to go has not come,
// from the reason for which it was put back; without one, the row itself named
// the time.
func (r Reason) Why() Why {
	switch r {
	case NoReason:
		return WhyScheduled
	case PairRate, RateLimited, SpamLimited:
		return WhyRate
	case Unauthorized, Forbidden, AccountBlocked, AccountLimited, NumberNotReady, BlipUnreachable, BlipUnavailable, NoAnswer, GatewayTimeout, ChannelError, CommandFailed:
		return WhyBlip
	case QuietHours:
		return WhyQuietHours
	case SourceAway:
		return WhySource
	case ResendGuard:
		return WhyResends
	}
	if strings.HasPrefix(string(r), "template_") {
		return WhyTemplate
	}
	return WhyRetry
}
