package pombo

import (
	"fmt"
	"log/slog"
)

// Private is personal data (a name, the text of a message, a phone as the table has
// it) or a secret (a key, a password, an address that contains one). It does not
// print itself: fmt, slog and encoding/json get a placeholder. Reveal is the only
// way out, so a search for Reveal finds every place where such a text leaves.
type Private string

const hidden = "[private]"

// Reveal returns the text itself.
func (p Private) Reveal() string { return string(p) }

// String returns a placeholder.
func (p Private) String() string { return hidden }

// GoString returns a placeholder, for %#v.
func (p Private) GoString() string { return hidden }

// Format writes a placeholder whatever the verb: %x and %q would otherwise
// reach the text behind String.
func (p Private) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue returns a placeholder.
func (p Private) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns a placeholder, for encoding/json and its like.
func (p Private) MarshalText() ([]byte, error) { return []byte(hidden), nil }
