package source

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"pombo"
)

// MaxRowKey is the longest row key in bytes. No sensible key is longer, and the ledger
// keeps every key for good.
const MaxRowKey = 512

// ParseWholeKey parses a key of whole numbers in its canonical form: no sign but a
// minus, no leading zero.
func ParseWholeKey(rowKey string) (int64, bool) {
	n, err := strconv.ParseInt(rowKey, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == rowKey
}

// ParseUUIDKey parses the 16 bytes of a UUID in its canonical form.
func ParseUUIDKey(rowKey string) ([]byte, bool) {
	id, err := pombo.ParseMessageID(rowKey)
	if err != nil || string(id) != rowKey {
		return nil, false
	}
	b := make([]byte, 0, 16)
	for i := 0; i < len(rowKey); i += 2 {
		if rowKey[i] == '-' {
			i++
		}
		n, _ := strconv.ParseUint(rowKey[i:i+2], 16, 8) // ParseMessageID has checked the digits
		b = append(b, byte(n))
	}
	return b, true
}

// FormatUUID writes 16 bytes as a UUID.
func FormatUUID(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// ErrTextKey rejects a row whose key ValidTextKey does not allow.
var ErrTextKey = fmt.Errorf("a key is empty, longer than %d bytes, not UTF-8 text, or has a NUL character in it; correct it, or map another column", MaxRowKey)

// ValidTextKey reports whether a text can be a row key: it must survive being written
// to the ledger, to JSON and into an id. PostgreSQL, where the ledger may be, stores no
// NUL.
func ValidTextKey(rowKey string) bool {
	return rowKey != "" && len(rowKey) <= MaxRowKey && utf8.ValidString(rowKey) && !strings.ContainsRune(rowKey, 0)
}

// sameKey writes the key of another row, as a column of any type has it, as the row itself would
// have it: a number without a fraction of zeros, a UUID with its dashes. "" means no row.
func sameKey(kind Kind, text string) string {
	text = strings.TrimSpace(text)
	switch kind {
	case KindWhole:
		if n, fraction, ok := strings.Cut(text, "."); ok && strings.Trim(fraction, "0") == "" {
			text = n
		}
	case KindUUID:
		if b, err := hex.DecodeString(strings.ReplaceAll(text, "-", "")); err == nil && len(b) == 16 {
			text = FormatUUID(b)
		}
	}
	if !ValidTextKey(text) {
		return ""
	}
	return text
}
