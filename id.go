package pombo

import (
	"crypto/sha1" //nolint:gosec // RFC 9562 names SHA-1 for version 5; nothing secret hangs on it.
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Key names a notification: which source, which row of it, and which generation (1;
// one more each time a finished row is set back to pending on purpose).
type Key struct {
	Source     string
	RowKey     string
	Generation int
}

// SourceHTTP is the Key.Source of messages that came over HTTP.
const SourceHTTP = "api"

// MessageID is the id of the message at Blip: a UUID in its canonical text form.
type MessageID string

// namespace is the name space of Pombo's ids, chosen once at random. Changing it would
// make every row already sent look new.
var namespace = [16]byte{0x8c, 0x1f, 0x5c, 0x42, 0x6d, 0x0a, 0x4b, 0x1e, 0x9a, 0x57, 0x30, 0xe2, 0xb4, 0x7d, 0x61, 0xc9}

// MessageID derives the id from the key: a version 5 UUID (RFC 9562 section 5.5) of
// source, row and generation joined by NUL. It is the same on every attempt, on
// every replica and after a lost ledger, and any language can compute it again
// (Python: uuid.uuid5(namespace, "source\0row\0generation")).
//
// No two keys share a name: a source name has no NUL (it is a table's name) and
// the generation has only digits, so the first and the last NUL delimit the row.
func (k Key) MessageID() MessageID {
	return uuid5(namespace, k.Source+"\x00"+k.RowKey+"\x00"+strconv.Itoa(k.Generation))
}

// uuid5 is uuid.NewSHA1 without its five allocations: every row has its id computed.
func uuid5(space [16]byte, name string) MessageID {
	h := sha1.New() //nolint:gosec // see the import
	h.Write(space[:])
	h.Write([]byte(name))
	var u [20]byte
	h.Sum(u[:0])
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return MessageID(uuid.UUID(u[:16]).String())
}

// ParseMessageID parses an id as a person or Blip may write it: in any case, with
// spaces around it, or with the prefix "fwd:" that Blip gives forwarded ids. The error
// says what an id looks like.
func ParseMessageID(s string) (MessageID, error) {
	t := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(s), "fwd:"))
	if len(t) != 36 || uuid.Validate(t) != nil {
		return "", fmt.Errorf("%q is not an id: an id looks like 2ed6657d-e927-568b-95e1-2665a8aea6a2", s)
	}
	return MessageID(t), nil
}
