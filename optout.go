package pombo

import (
	"time"

	"pombo/internal/phone"
)

// OptOut says that a person gets no more messages. At least one of Phone and
// Identity is set: somebody who writes to the bot is known by the identity alone,
// and nobody computes one from the other.
type OptOut struct {
	Phone    phone.Number
	Identity Private // what Blip calls the person
	BSUID    Private // what WhatsApp calls the person towards this business; "" = not known
	Scope    OptOutScope
	At       time.Time // since when
	By       string    // "person" (who wrote so), "blip" (WhatsApp said so) or "operator"
}

// OptOutScope says which messages a person no longer gets.
type OptOutScope string

// The scopes. The zero scope is that of nobody.
const (
	// OptOutMarketing keeps templates of the category MARKETING back and no others.
	OptOutMarketing OptOutScope = "marketing"
	// OptOutAll keeps every message back.
	OptOutAll OptOutScope = "all"
)

// Wider returns the one of both scopes that keeps more back.
func (s OptOutScope) Wider(other OptOutScope) OptOutScope {
	if s == OptOutAll || other == "" {
		return s
	}
	return other
}
