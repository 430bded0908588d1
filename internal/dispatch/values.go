package dispatch

import (
	"fmt"

	"pombo"
)

// checkValues holds the row's values against WhatsApp's rules, which WhatsApp
// itself would do later, out of sight. ok is false when the row cannot be sent;
// o says what becomes of it.
func checkValues(held pombo.Outcome, params []pombo.Param) (o pombo.Outcome, ok bool) {
	for i, p := range params {
		if reason, detail := pombo.CheckValue(p.Value); reason != pombo.NoReason {
			return fail(held, reason, fmt.Sprintf("value %d (%s) %s", i+1, p.Slot, detail)), false
		}
	}
	return held, true
}
