package pombo

import (
	"time"

	"pombo/internal/phone"
)

// OptOut records that a person gets no more messages. At least one of Phone and
// Identity is set: a person who writes to the bot is known only by the identity,
// and neither can be computed from the other.
type OptOut struct {
	Phone    phone.Number
	Identity Private // Blip's name of the person
	BSUID    Private // WhatsApp's name of the person for this business; "" = unknown
	Scope    OptOutScope
	At       time.Time // since when
	By       string    // "person" (in a message), "blip" (WhatsApp reported it) or "operator"
}

// OptOutScope says which messages a person no longer gets.
type OptOutScope string

// The scopes. The zero scope means that there is no opt-out.
const (
	// OptOutMarketing stops templates of the category MARKETING only.
	OptOutMarketing OptOutScope = "marketing"
	// OptOutAll stops every message.
	OptOutAll OptOutScope = "all"
)

// Wider returns whichever of the two scopes stops more.
func (s OptOutScope) Wider(other OptOutScope) OptOutScope {
	if s == OptOutAll || other == "" {
		return s
	}
	return other
}
