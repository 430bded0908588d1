package access

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Grant is what one account may do with a file.
type Grant struct {
	SID    string // "S-1-1-0"; what depends on a domain stays as SDDL has it ("DA")
	Read   bool   // it may read the contents, or give itself the right to
	Change bool   // it may change or replace them
}

// Strangers returns the accounts that may read or change what sddl protects and are
// neither the system, its administrators, the owner nor one of trusted. Rights that
// only what lies in a folder inherits count as well.
//
// It judges the accounts that the list names, not who is a member of which group. A
// refusal counts for the account that it names, and for all when it names everyone.
func Strangers(sddl string, trusted ...string) ([]Grant, error) {
	owner, entries, err := parse(sddl)
	if err != nil {
		return nil, err
	}
	trusted = append(slices.Clone(trusted), owner)
	denied := map[string]rights{}
	var found []Grant
	for _, e := range entries {
		if e.deny {
			denied[e.sid] |= e.rights
			continue
		}
		allowed := e.rights &^ denied[e.sid] &^ denied[everyone]
		g := Grant{SID: e.sid, Read: allowed&mayRead != 0, Change: allowed&mayChange != 0}
		if !g.Read && !g.Change || trustworthy(e.sid) || slices.Contains(trusted, e.sid) {
			continue
		}
		if i := slices.IndexFunc(found, func(f Grant) bool { return f.SID == g.SID }); i >= 0 {
			found[i].Read, found[i].Change = found[i].Read || g.Read, found[i].Change || g.Change
			continue
		}
		found = append(found, g)
	}
	return found, nil
}

// Services returns the virtual accounts of services (NT SERVICE\…) that may read what
// sddl protects. Each is the account of one service, and only an administrator can have
// let it in.
func Services(sddl string) ([]string, error) {
	all, err := Strangers(sddl)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, g := range all {
		if g.Read && strings.HasPrefix(g.SID, "S-1-5-80-") && g.SID != allServices {
			list = append(list, g.SID)
		}
	}
	return list, nil
}

// rights is an access mask.
type rights uint32

// What of a mask counts. Who may change the list or take the file over (WRITE_DAC,
// WRITE_OWNER) can give itself the rest.
const (
	takeOver  rights = 0x40000 | 0x80000
	mayRead   rights = 0x1 | 0x80000000 | 0x10000000 | takeOver           // FILE_READ_DATA, GENERIC_READ, GENERIC_ALL
	mayChange rights = 0x2 | 0x4 | 0x10000 | 0x40 | 0x50000000 | takeOver // write, append, delete, delete a child, GENERIC_WRITE and GENERIC_ALL
)

// rightNames are the words of SDDL for rights, as they are on files.
var rightNames = map[string]rights{
	"GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000,
	"RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
	"FA": 0x1f01ff, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200a0,
	"CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
}

const (
	everyone       = "S-1-1-0"
	system         = "S-1-5-18"
	administrators = "S-1-5-32-544"
	allServices    = "S-1-5-80-0"
)

// aliases are the words of SDDL for accounts that are the same on every machine.
var aliases = map[string]string{
	"WD": everyone, "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4",
	"NU": "S-1-5-2", "IU": "S-1-5-4", "SU": "S-1-5-6", "AN": "S-1-5-7", "AU": "S-1-5-11",
	"SY": system, "LS": "S-1-5-19", "NS": "S-1-5-20",
	"BA": administrators, "BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "PU": "S-1-5-32-547",
	"AO": "S-1-5-32-548", "SO": "S-1-5-32-549", "PO": "S-1-5-32-550", "BO": "S-1-5-32-551",
	"RE": "S-1-5-32-552", "RU": "S-1-5-32-554", "RD": "S-1-5-32-555", "NO": "S-1-5-32-556",
	"AC": "S-1-15-2-1",
}

// trustworthy reports whether an account may read everything anyway, or gets nothing by
// its line: the system and what installs programs, administrators of the machine and of
// the domain, the creator of the file, and programs in a sandbox, for which the user's
// own rights count as well.
func trustworthy(sid string) bool {
	switch sid {
	case system, administrators, "S-1-3-0", "S-1-3-4", "DA", "EA", "LA", ServiceSID("TrustedInstaller"):
		return true
	}
	domain := strings.HasPrefix(sid, "S-1-5-21-")
	return domain && (strings.HasSuffix(sid, "-500") || strings.HasSuffix(sid, "-512")) || strings.HasPrefix(sid, "S-1-15-")
}

// entry is a line of a list of rights.
type entry struct {
	deny   bool
	rights rights
	sid    string
}

var (
	sidShape  = regexp.MustCompile(`^(S-1(-\d+)+|[A-Z]{2})`)
	listFlags = regexp.MustCompile(`^(P|AR|AI|NO_ACCESS_CONTROL)*`)
)

// parse reads owner and list of SDDL, in the form in which Windows writes it.
func parse(sddl string) (owner string, entries []entry, err error) {
	wrong := fmt.Errorf("%q is not SDDL", sddl)
	rest := sddl
	for _, part := range []string{"O:", "G:"} {
		after, ok := strings.CutPrefix(rest, part)
		if !ok {
			continue
		}
		sid := sidShape.FindString(after)
		if sid == "" {
			return "", nil, wrong
		}
		if rest = after[len(sid):]; part == "O:" {
			owner = fullSID(sid)
		}
	}
	list, ok := strings.CutPrefix(rest, "D:")
	if !ok && rest != "" && !strings.HasPrefix(rest, "S:") {
		return "", nil, wrong
	}
	flags := listFlags.FindString(list)
	if !ok || strings.Contains(flags, "NO_ACCESS_CONTROL") { // as on a disk that has no lists
		return owner, []entry{{rights: rightNames["FA"], sid: everyone}}, nil
	}
	for list = list[len(flags):]; strings.HasPrefix(list, "("); {
		end := closing(list)
		if end < 0 {
			return "", nil, wrong
		}
		e, counts, ok := parseEntry(list[1 : end-1])
		if !ok {
			return "", nil, wrong
		}
		if counts {
			entries = append(entries, e)
		}
		list = list[end:]
	}
	if list != "" && !strings.HasPrefix(list, "S:") {
		return "", nil, wrong
	}
	return owner, entries, nil
}

// closing returns the index after the bracket that closes the first one, or -1.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// parseEntry reads type;flags;rights;object;inherited object;account[;condition].
// counts is false for a line that gives and takes nothing, such as one for auditing. A
// right under a condition counts as given, and a refusal under one as not made.
func parseEntry(text string) (e entry, counts, ok bool) {
	fields := strings.SplitN(text, ";", 7)
	if len(fields) < 6 {
		return e, false, false
	}
	switch fields[0] {
	case "A", "XA", "OA":
	case "D":
		e.deny = true
	default:
		return e, false, true
	}
	if sidShape.FindString(fields[5]) != fields[5] || fields[5] == "" {
		return e, false, false
	}
	e.sid = fullSID(fields[5])
	e.rights, ok = parseRights(fields[2])
	return e, ok, ok
}

func parseRights(text string) (sum rights, ok bool) {
	if text != "" && text[0] >= '0' && text[0] <= '9' {
		n, err := strconv.ParseUint(text, 0, 32)
		return rights(n), err == nil
	}
	for ; text != ""; text = text[2:] {
		if len(text) < 2 {
			return 0, false
		}
		r, known := rightNames[text[:2]]
		if !known {
			return 0, false
		}
		sum |= r
	}
	return sum, true
}

func fullSID(sid string) string {
	if full, ok := aliases[sid]; ok {
		return full
	}
	return sid
}

// names are those of accounts that every Windows has.
var names = map[string]string{
	everyone: "Everyone", "S-1-5-2": "NETWORK", "S-1-5-4": "INTERACTIVE", "S-1-5-7": "ANONYMOUS LOGON", "S-1-5-11": "Authenticated Users",
	system: "SYSTEM", administrators: "Administrators", "S-1-5-32-545": "Users", "S-1-5-32-546": "Guests", "S-1-5-32-547": "Power Users",
}

// Icacls returns the command that takes a file, or a folder with all that is in it, from
// everybody but the system, its administrators and the accounts to keep. It works in
// cmd and in PowerShell.
func Icacls(path string, folder bool, strangers []Grant, keep ...string) string {
	inherit := ""
	if folder {
		inherit = "(OI)(CI)"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `icacls "%s" /inheritance:r`, path)
	if len(strangers) > 0 {
		b.WriteString(" /remove:g")
	}
	for _, s := range strangers {
		fmt.Fprintf(&b, ` "*%s"`, s.SID)
	}
	b.WriteString(" /grant:r")
	for _, sid := range []string{system, administrators} {
		fmt.Fprintf(&b, ` "*%s:%sF"`, sid, inherit)
	}
	for _, sid := range keep {
		if !trustworthy(sid) {
			fmt.Fprintf(&b, ` "*%s:%sM"`, sid, inherit)
		}
	}
	return b.String()
}
