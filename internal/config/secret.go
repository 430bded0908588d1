package config

import (
	"fmt"
	"log/slog"
)

// Secret is a key, a password or an address that contains one. It does not
// print itself: fmt, slog and encoding/json get a placeholder. Reveal is the
// only way out, so a search for Reveal finds every place where a secret leaves.
type Secret string

const redacted = "[secret]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// GoString returns a placeholder, for %#v.
func (s Secret) GoString() string { return redacted }

// Format writes a placeholder whatever the verb: %x would reach the text
// behind String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, for encoding/json and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
