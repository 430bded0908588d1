package pombo

import (
	"crypto/sha1" //nolint:gosec // RFC 9562 names SHA-1 for version 5; nothing secret hangs on it.
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Key names a notification: which source, which row of it, and which
// generation (1; one more each time somebody sets a finished row back to
// pending on purpose).
type Key struct {
	Source     string
	RowKey     string
	Generation int
}

// SourceHTTP is the Key.Source of messages that came over HTTP.
const SourceHTTP = "api"

// ID is the id of the message at Blip: a UUID in its canonical text form.
type MessageID string

// namespace is the name space of Pombo's ids, drawn once at random. Changing it
// would make every row already sent look new.
var namespace = [16]byte{0x8c, 0x1f, 0x5c, 0x42, 0x6d, 0x0a, 0x4b, 0x1e, 0x9a, 0x57, 0x30, 0xe2, 0xb4, 0x7d, 0x61, 0xc9}

// ID derives the id from the key: a version 5 UUID (RFC 9562 section 5.5) of
// source, row and generation joined by NUL. It is the same on every attempt, on
// every replica and after a lost ledger, and anybody can compute it again
// (Python: uuid.uuid5(namespace, "source\0row\0generation")).
//
// No two keys share a name: a source name has no NUL (it is one of ours) and
// the generation has only digits, so the first and the last NUL part the name.
func (k Key) MessageID() MessageID {
	return uuid5(namespace, k.Source+"\x00"+k.RowKey+"\x00"+strconv.Itoa(k.Generation))
}

func uuid5(space [16]byte, name string) MessageID {
	h := sha1.New() //nolint:gosec // see the import
	h.Write(space[:])
	h.Write([]byte(name))
	var u [20]byte
	h.Sum(u[:0])
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return MessageID(b[:])
}

// ParseMessageID reads an id as a person or Blip may write it: any case, blanks
// around, the "fwd:" prefix that Blip puts before forwarded ids. The error says
// what an id looks like.
func ParseMessageID(s string) (MessageID, error) {
	t := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(s), "fwd:"))
	if len(t) != 36 {
		return "", fmt.Errorf("%q is not an id: an id looks like 2ed6657d-e927-568b-95e1-2665a8aea6a2", s)
	}
	for i := range len(t) {
		switch c := t[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return "", fmt.Errorf("%q is not an id: an id looks like 2ed6657d-e927-568b-95e1-2665a8aea6a2", s)
			}
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f':
		default:
			return "", fmt.Errorf("%q is not an id: an id looks like 2ed6657d-e927-568b-95e1-2665a8aea6a2", s)
		}
	}
	return MessageID(t), nil
}
