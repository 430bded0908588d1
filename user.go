package pombo

import (
	"strings"
	"time"
)

// Role is how much a person may do at the operator's desk. Each role may do what the
// one before it may.
type Role string

// The roles.
const (
	RoleViewer   Role = "viewer"   // sees everything, masked, and changes nothing
	RoleOperator Role = "operator" // sends again, cancels, pauses
	RoleAdmin    Role = "admin"    // also erases people and keeps the accounts
)

// Roles lists the roles, the least first.
func Roles() []Role { return []Role{RoleViewer, RoleOperator, RoleAdmin} }

// AtLeast reports whether r may do what other may. An unknown role may do nothing.
func (r Role) AtLeast(other Role) bool { return r.rank() > 0 && r.rank() >= other.rank() }

func (r Role) rank() int {
	for i, known := range Roles() {
		if r == known {
			return i + 1
		}
	}
	return 0
}

// Grants is what an account may do beyond its role, as a set of bits.
type Grants uint8

// The grants.
const (
	GrantUncover Grants = 1 << iota // see the phone and the values of one message, with a purpose
	GrantExport                     // export phones in clear
	GrantAudit                      // read the audit trail
	GrantResend                     // send one message again whose row was corrected, without being an operator
)

// grantNames is the one table of grants: what each is called, in the order of its bits.
var grantNames = []string{"uncover", "export", "audit", "resend"}

// GrantNames lists the words of all grants.
func GrantNames() []string { return append([]string(nil), grantNames...) }

// ParseGrants makes a set of words; ok is false when one is unknown.
func ParseGrants(words ...string) (set Grants, ok bool) {
	for _, word := range words {
		known := false
		for i, name := range grantNames {
			if word == name {
				set |= 1 << i
				known = true
			}
		}
		if !known {
			return 0, false
		}
	}
	return set, true
}

// Has reports whether all of the other set are in g.
func (g Grants) Has(other Grants) bool { return g&other == other }

// Names lists the words of the set.
func (g Grants) Names() []string {
	var out []string
	for i, name := range grantNames {
		if g.Has(1 << i) {
			out = append(out, name)
		}
	}
	return out
}

// String joins the words of the set with commas.
func (g Grants) String() string { return strings.Join(g.Names(), ",") }

// User is an account of the operator's desk.
type User struct {
	Name     string  // ValidUserName
	Hash     Private // of the password; "" = none is set yet, and nobody can sign in
	Role     Role
	Grants   Grants
	Language string // "" = what the browser asks for
	KeysOff  bool   // no keyboard shortcuts
	Created  time.Time
	Seen     time.Time // the last sign-in; zero = never
	Disabled bool
}

// ValidUserName reports whether a name can be that of an account: 1 to 64 letters and
// digits of ASCII, and . _ - @ \ between them, as directories have them.
func ValidUserName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune(`._-@\`, r)) {
			return false
		}
	}
	return true
}

// DeskSession is one sign-in at the desk as the ledger keeps it.
type DeskSession struct {
	Token   string // hashed: it is not the word in the cookie
	Name    string // of the account
	Data    []byte
	Expires time.Time
}
