package blipsim

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

const whatsApp = "wa.gw.msging.net"

// canonical returns the number that WhatsApp knows a phone by: Brazilian mobile
// numbers outside the areas 11 to 19, 21, 22, 24, 27 and 28 lose their ninth
// digit. Phone is E.164 without the plus sign.
func canonical(phone string) string {
	if len(phone) != 13 || phone[:2] != "55" || phone[4] != '9' {
		return phone
	}
	switch area := phone[2:4]; {
	case area >= "11" && area <= "19", area == "21", area == "22", area == "24", area == "27", area == "28":
		return phone
	default:
		return phone[:4] + phone[5:]
	}
}

// identityOf returns what Blip calls a number.
func (s *Server) identityOf(n uint64) string {
	if n == 0 {
		return "postmaster@" + whatsApp // no number: the message went nowhere
	}
	if !s.opt.Faults.IdentitiesAsGUID {
		return strconv.FormatUint(n, 10) + "@" + whatsApp
	}
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[8:], n)
	s.ids.Encrypt(u[:], u[:])
	return u.String() + "@" + whatsApp
}

// recipient reads an identity. The digits are those of the number; ok is false
// when it is nobody on WhatsApp.
func (s *Server) recipient(to string) (n uint64, digits string, ok bool) {
	local, domain, _ := strings.Cut(to, "@")
	domain, _, _ = strings.Cut(domain, "/")
	if domain != whatsApp {
		return 0, "", false
	}
	if u, isUUID := parseUUID(local); isUUID {
		s.ids.Decrypt(u[:], u[:])
		n = binary.BigEndian.Uint64(u[8:])
		if n == 0 || binary.BigEndian.Uint64(u[:8]) != 0 {
			return 0, "", false
		}
		return n, strconv.FormatUint(n, 10), true
	}
	if !digitsOnly(local) {
		return 0, "", false
	}
	n, err := strconv.ParseUint(local, 10, 64)
	if err != nil || n == 0 {
		return 0, "", false
	}
	return n, local, true
}

// digitsOnly also says that a number of E.164 fits: 1 to 18 digits.
func digitsOnly(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 18
}

// getAccount answers the question for the identity of a phone.
func (s *Server) getAccount(sc *scratch, c *command, phone string) {
	s.counters.accounts.Add(1)
	digits, plus := strings.CutPrefix(phone, "+")
	var identity string
	switch {
	case phone == "":
		c.fail(64, "The account is missing")
		return
	case !plus:
		// Blip believes anything without the plus sign and says it back.
		identity = phone + "@" + whatsApp
	case !digitsOnly(digits):
		c.fail(64, "The account is not a valid phone number")
		return
	case s.opt.Faults.LegacyAccounts && s.scripts.of(digits).NoAccount:
		c.fail(67, "The resource was not found")
		return
	default:
		n, err := strconv.ParseUint(canonical(digits), 10, 64)
		if err != nil || n == 0 {
			c.fail(64, "The account is not a valid phone number")
			return
		}
		identity = s.identityOf(n)
	}
	sc.part = appendObject(sc.part[:0], s.roll(),
		text("fullName", "Contato "+digits[max(0, len(digits)-4):]),
		text("alternativeAccount", identity), text("identity", identity),
		text("phoneNumber", phone), text("source", "WhatsApp"))
	c.succeed("application/vnd.lime.account+json", sc.part)
}
