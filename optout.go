package pombo

import (
	"time"

	"pombo/phone"
)

// OptOut says that a person gets no more messages. At least one of Phone and
// Identity is set: somebody who writes to the bot is known by the identity
// alone, and nobody computes one from the other.
type OptOut struct {
	Phone    phone.Number
	Identity Private   // what Blip calls the person
	At       time.Time // since when
	By       string    // "person" (who wrote so), "blip" (WhatsApp said so) or "operator"
}
