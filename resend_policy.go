package pombo

import "time"

// Remedy says what follows from a failed receipt: Blip had taken the message, and
// it reached nobody. Which failure has which remedy is one table in package blip.
//
// All but ResendNever send the message again by itself, as a new generation with a
// new id, and only so often: see Resend.
type ResendPolicy string

// The remedies.
const (
	ResendNever    ResendPolicy = ""         // the same again would fail again, or may have arrived
	ResendBackoff  ResendPolicy = "backoff"  // trouble that passes: again in minutes, then more
	ResendDays     ResendPolicy = "days"     // again in days: sooner makes it worse, and WhatsApp punishes retries
	ResendTemplate ResendPolicy = "template" // stop the template; again in hours
	ResendSuspend  ResendPolicy = "suspend"  // stop the template until Blip lists it as approved; never again
	ResendBot      ResendPolicy = "bot"      // stop the bot; again in hours
	ResendAccount  ResendPolicy = "account"  // stop the bot for hours; again after that
)

// ResendPolicies lists them in the order of their reach.
func ResendPolicies() []ResendPolicy {
	return []ResendPolicy{ResendBackoff, ResendDays, ResendNever, ResendTemplate, ResendSuspend, ResendBot, ResendAccount}
}

// resends has the waits before each further message. There are few, because each
// is a whole message: WhatsApp counts it, and the person may get it late.
var resends = map[ResendPolicy][]time.Duration{
	ResendBackoff:  {5 * time.Minute, 30 * time.Minute, 2 * time.Hour},
	ResendDays:     {24 * time.Hour, 72 * time.Hour},
	ResendTemplate: {6 * time.Hour, 24 * time.Hour, 48 * time.Hour},
	ResendBot:      {6 * time.Hour, 24 * time.Hour, 48 * time.Hour},
	ResendAccount:  {6 * time.Hour, 24 * time.Hour, 48 * time.Hour},
}

// Resend says how long after the failure the message is sent again when it has
// been sent again so often before, and whether it is at all.
func (r ResendPolicy) Wait(before int) (wait time.Duration, ok bool) {
	list := resends[r]
	if before < 0 || before >= len(list) {
		return 0, false
	}
	return list[before], true
}

// Stop says for how long after the failure the template or the bot stops; 0 for a
// remedy that stops nothing. An hour wastes few messages on trying whether the
// trouble is over; pombo resume ends the stop of the bot before.
func (r ResendPolicy) Pause() time.Duration {
	switch r {
	case ResendTemplate, ResendSuspend, ResendBot:
		return time.Hour
	case ResendAccount:
		return 6 * time.Hour
	}
	return 0
}

// Sentence says what the remedy does, lower case and without a full stop.
func (r ResendPolicy) Message() string {
	switch r {
	case ResendBackoff:
		return "trouble that passes: sent again after 5 minutes, 30 minutes and 2 hours"
	case ResendDays:
		return "sent again after 24 hours and, after that, 72 hours"
	case ResendTemplate:
		return "the template stops for an hour; sent again after 6, 24 and 48 hours"
	case ResendSuspend:
		return "the template stops until Blip lists it as approved; not sent again by itself"
	case ResendBot:
		return "all sending stops for an hour; sent again after 6, 24 and 48 hours"
	case ResendAccount:
		return "all sending stops for six hours; sent again after 6, 24 and 48 hours"
	default:
		return "not sent again by itself"
	}
}
