package pombo

import (
	"fmt"
	"log/slog"
)

// Private is text about a person: a name, a text of a message, a phone as the
// table has it. It does not print itself: fmt, slog and encoding/json get a
// placeholder. Reveal is the only way out, so a search for Reveal finds every
// place where personal data leaves.
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
