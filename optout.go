package pombo

import (
	"time"

	"pombo/phone"
)

// OptOut says that a person wants no more messages. Phone, Identity or both name
// the person; one must never be made out of the other, since an identity need not
// have the phone in it.
type OptOut struct {
	Phone    phone.Number // zero when only the identity is known
	Identity Private      // what Blip calls the person; "" when only the phone is known
	At       time.Time    // when it was said; zero = not known
	By       string       // "person" (wrote a word), "blip" (WhatsApp said so) or "operator"
}
