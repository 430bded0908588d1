// Package audit is the trail of what people did: who, when, from where, to what, and
// whether it was done. The desk, the API and the command line write it through one
// small interface, Trail; the ledger keeps it.
//
// The trail is append-only: nothing but AUDIT_RETENTION takes a line away. It has no
// phone in it. What a line has of a person is Key.Person, a keyed hash of the number,
// so that "who looked at this number?" is one look-up for a person who knows the
// number, and a copy of the ledger without the key reveals nothing.
package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"pombo/internal/phone"
)

// Via is the way by which a request came.
type Via string

// The ways.
const (
	ViaDesk Via = "desk"
	ViaAPI  Via = "api"
	ViaCLI  Via = "cli" // the account is what the machine says, and unverified
)

// Result says how it ended.
type Result string

// The results.
const (
	Done    Result = "done"
	Refused Result = "refused" // the right was missing, or the password was wrong
	Failed  Result = "failed"
)

// Act is what was done.
type Act string

// The acts.
const (
	SignIn       Act = "sign_in"
	SignOut      Act = "sign_out"
	EndSession   Act = "end_session"
	SetPassword  Act = "set_password"
	LinkMade     Act = "link" // an invitation, or a link of pombo desk
	UserAdd      Act = "user_add"
	UserChange   Act = "user_change"
	Search       Act = "search"
	Uncover      Act = "uncover"
	UncoverReply Act = "uncover_reply"
	Preview      Act = "preview"
	Export       Act = "export"
	Retry        Act = "retry"
	Cancel       Act = "cancel"
	Bulk         Act = "bulk"
	Pause        Act = "pause"
	Resume       Act = "resume"
	Resends      Act = "resends"
	Hold         Act = "hold"
	Release      Act = "release"
	Run          Act = "run"
	Reconcile    Act = "reconcile"
	Replay       Act = "replay" // of events
	OptOut       Act = "optout"
	OptIn        Act = "optin"
	Forget       Act = "forget"
	Send         Act = "send"
	Stop         Act = "stop"    // of the process
	Request      Act = "request" // an address that the right was missing for
)

// Acts lists all acts.
func Acts() []Act {
	return []Act{
		SignIn, SignOut, EndSession, SetPassword, LinkMade, UserAdd, UserChange, Search, Uncover, UncoverReply, Preview, Export, Retry, Cancel, Bulk,
		Pause, Resume, Resends, Hold, Release, Run, Reconcile, Replay, OptOut, OptIn, Forget, Send, Stop, Request,
	}
}

// Entry is one line of the trail. Target and Detail never have a phone, a name or a
// text of a person in them.
type Entry struct {
	Seq     int64     // given by the ledger
	At      time.Time // zero = now
	Who     string
	Role    string
	Via     Via
	Address string // where the request came from; "" = this machine
	Act     Act
	Target  string // a message id, an account, a template
	Detail  string
	Person  []byte // Key.Person; nil = it is about nobody
	Result  Result
}

// Trail takes the lines.
type Trail interface {
	// WriteAudit appends a line; when it returns nil, the line is durable.
	WriteAudit(ctx context.Context, e Entry) error
}

// Filter chooses lines. Its zero fields choose all.
type Filter struct {
	Who         string
	Act         Act
	Person      []byte
	Since, Till time.Time // from Since on, before Till
	Before      int64     // lines with a lower Seq; 0 = from the newest on
	Limit       int
}

// Key makes what must not be guessed: the hash of a person, and the keys of the signed
// links of the desk, each from a key of its own.
type Key struct{ secret []byte }

// MinSecret is how long AUDIT_KEY must be.
const MinSecret = 32

// NewKey makes a key of a secret of at least MinSecret characters.
func NewKey(secret string) (Key, error) {
	if len(secret) < MinSecret {
		return Key{}, fmt.Errorf("the audit key has %d characters: it needs at least %d random ones", len(secret), MinSecret)
	}
	return Key{secret: []byte(secret)}, nil
}

// Person returns the keyed hash of a number: HMAC-SHA-256 of its E.164 form under the
// key itself, so that others who have the key can check it.
func (k Key) Person(n phone.Number) []byte { return sum(k.secret, n.E164()) }

// MAC returns the HMAC-SHA-256 of the parts under the key of a purpose, which is
// derived from k. The same text cut differently has another MAC.
func (k Key) MAC(purpose string, parts ...string) []byte {
	var text strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&text, "%d:%s", len(part), part)
	}
	return sum(sum(k.secret, "pombo "+purpose), text.String()) // a number begins with +, a purpose does not
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text)) // never fails
	return mac.Sum(nil)
}

// String keeps the key out of whatever prints it.
func (Key) String() string { return "[private]" }

// GoString likewise.
func (Key) GoString() string { return "[private]" }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return len(k.secret) == 0 }
