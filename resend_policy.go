package pombo

import "time"

// ResendPolicy says what follows from a failed receipt: Blip had accepted the
// message, and it reached nobody. Which failure has which policy is one table in
// package blip.
//
// All but ResendNever and ResendSuspend send the message again automatically, as a
// new generation with a new id, and only so often: see Wait.
type ResendPolicy string

// The policies.
const (
	ResendNever    ResendPolicy = ""         // the same again would fail again, or may have arrived
	ResendBackoff  ResendPolicy = "backoff"  // a temporary failure: again in minutes, then later and later
	ResendDays     ResendPolicy = "days"     // again in days: sooner makes it worse, and WhatsApp punishes retries
	ResendTemplate ResendPolicy = "template" // suspend the template; again in hours
	ResendSuspend  ResendPolicy = "suspend"  // suspend the template until Blip lists it as approved; never again
	ResendBot      ResendPolicy = "bot"      // pause the bot; again in hours
	ResendAccount  ResendPolicy = "account"  // pause the bot for hours; again after that
)

// resendPolicies is the one table of the policies.
var resendPolicies = map[ResendPolicy]struct {
	message string
	// pause is how long after the failure the template is suspended or the bot
	// paused. An hour wastes few messages on probing whether the failure is over.
	pause time.Duration
	// waits come before each further message. There are few, because each is a whole
	// message: WhatsApp counts it, and the person may get it late.
	waits []time.Duration
}{
	ResendNever:    {"not sent again automatically", 0, nil},
	ResendBackoff:  {"temporary: sent again after 5 minutes, 30 minutes and 2 hours", 0, []time.Duration{5 * time.Minute, 30 * time.Minute, 2 * time.Hour}},
	ResendDays:     {"sent again after 24 hours and, after that, 72 hours", 0, []time.Duration{24 * time.Hour, 72 * time.Hour}},
	ResendTemplate: {"the template is suspended for an hour; sent again after 6, 24 and 48 hours", time.Hour, resendInHours},
	ResendSuspend:  {"the template is suspended until Blip lists it as approved; not sent again automatically", time.Hour, nil},
	ResendBot:      {"all sending pauses for an hour; sent again after 6, 24 and 48 hours", time.Hour, resendInHours},
	ResendAccount:  {"all sending pauses for six hours; sent again after 6, 24 and 48 hours", 6 * time.Hour, resendInHours},
}

var resendInHours = []time.Duration{6 * time.Hour, 24 * time.Hour, 48 * time.Hour}

// Wait says how long after the failure the message is sent again when it has
// already been sent again so often; ok is false when it is not.
func (r ResendPolicy) Wait(before int) (wait time.Duration, ok bool) {
	waits := resendPolicies[r].waits
	if before < 0 || before >= len(waits) {
		return 0, false
	}
	return waits[before], true
}

// Pause says for how long after the failure the template is suspended or the bot
// paused; 0 for a policy that stops nothing. pombo resume ends a pause of the bot
// early.
func (r ResendPolicy) Pause() time.Duration { return resendPolicies[r].pause }

// Message says what the policy does, lower case and without a full stop. An unknown
// policy never sends again.
func (r ResendPolicy) Message() string {
	if p, ok := resendPolicies[r]; ok {
		return p.message
	}
	return ResendNever.Message()
}
