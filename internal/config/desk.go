package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/loopback"
)

// Desk says where and how the operator's desk is served.
type Desk struct {
	Addr            string         // host:port; "" = there is no desk
	Hosts           []string       // the names that it answers to; empty = addresses and this machine's name
	OwnTLS          bool           // with a certificate that it makes itself
	TLSCert, TLSKey string         // files; both or neither
	ProxyHeader     string         // has the name of the account that signed in at the proxy; "" = none
	ProxyFrom       []netip.Prefix // the networks of proxies
	PlainHTTP       bool           // beyond this machine without TLS, on purpose
	Name            pombo.Slot     // which value is the person's name; "" = none
	NameNumber      int            // of the values in that slot, from 1
	AuditKey        pombo.Private  // "" = the file beside a SQLite ledger
	AuditRetention  time.Duration  // 0 = for ever
}

// none says that there is none, where not setting it means the default.
const none = "-"

// deskGroup are the variables of the desk.
var deskGroup = group{
	title: "The operator's desk",
	need:  NeedDesk,
	about: "Pages for people, served by `pombo serve` and `pombo start` beside the API. `pombo desk` opens them on the same machine; other people get accounts from `pombo desk user add`. " +
		"Beyond this machine the desk listens only with a certificate, behind a proxy, or with DESK_PLAIN_HTTP.",
	variables: []variable{
		{
			name: "DESK_ADDR", standard: "127.0.0.1:5001",
			doc: "Where the desk listens; `-` = there is no desk.",
			set: deskAddr,
		},
		{
			name: "DESK_HOSTS", example: "pombo.hospital.local",
			doc: "Names under which people open the desk, with commas between; other names are refused. Not set = addresses in digits, `localhost` and the name of this machine.",
			set: deskHosts,
		},
		{
			name: "DESK_TLS", example: "own",
			doc: "`own` = TLS with a certificate that Pombo makes at the first start and keeps in `desk.pem` beside the ledger, for networks without a certificate authority; its fingerprint stands in the log.",
			set: func(c *Config, s string) *Problem {
				if !strings.EqualFold(strings.TrimSpace(s), "own") {
					return trouble(quote(s)+" is not a way to speak TLS", "write own, or set DESK_TLS_CERT and DESK_TLS_KEY")
				}
				c.Desk.OwnTLS = true
				return nil
			},
		},
		{
			name: "DESK_TLS_CERT", example: "desk.crt",
			doc: "File with the certificate of the desk, and those above it, as PEM. Together with DESK_TLS_KEY; both are read again when they change.",
			set: word(func(c *Config) *string { return &c.Desk.TLSCert }),
		},
		{
			name: "DESK_TLS_KEY", example: "desk.key",
			doc: "File with the private key of that certificate, as PEM.",
			set: word(func(c *Config) *string { return &c.Desk.TLSKey }),
		},
		{
			name: "DESK_PROXY_FROM", example: "10.0.0.5/32",
			doc: "Networks of the proxies in front of the desk, with commas between: only these may say who asks, and from where. The proxy speaks TLS to people.",
			set: deskProxies,
		},
		{
			name: "DESK_PROXY_HEADER", example: "X-Remote-User",
			doc: "Header in which a proxy of DESK_PROXY_FROM names who has signed in there; the account of that name has the rights. The proxy must take the header away from what people send.",
			set: word(func(c *Config) *string { return &c.Desk.ProxyHeader }),
		},
		{
			name: "DESK_PLAIN_HTTP", example: "yes",
			doc: "`yes` = listen beyond this machine without TLS; every page then says that others on the network can read along.",
			set: func(c *Config, s string) *Problem {
				switch strings.ToLower(strings.TrimSpace(s)) {
				case "yes":
					c.Desk.PlainHTTP = true
				case "no":
				default:
					return trouble(quote(s)+" is neither yes nor no", "write yes, or take DESK_PLAIN_HTTP away")
				}
				return nil
			},
		},
		{
			name: "DESK_NAME", example: "body1",
			doc: "Which value of a message is the person's name: a slot as in DB_COL_PARAMS, with the number among its values, such as `body1` for the first one of the text. Lists then show first name and initials. Not set = no names in lists.",
			set: deskName,
		},
		{
			name: "AUDIT_KEY", secret: true, example: "a-random-word-of-at-least-32-characters",
			doc: "Word with which the audit trail hashes phones, and links of the desk are signed; at least 32 random characters. On a SQLite ledger it may be missing: then it is made and kept in `audit.key` beside the ledger. On PostgreSQL it must be set while there is a desk, the same on every machine. Another key no longer finds people in older lines.",
			set: func(c *Config, s string) *Problem {
				if len(s) < 32 {
					return trouble(fmt.Sprintf("has only %d characters: it can be guessed", len(s)), "write a random word of at least 32 characters")
				}
				c.Desk.AuditKey = pombo.Private(s)
				return nil
			},
		},
		{
			name: "AUDIT_RETENTION", standard: "5y",
			doc: "How long a line of the audit trail is kept: in years (`5y`) or days (`730d`), at least 180d; `0` = for ever.",
			set: auditRetention,
		},
	},
}

func deskAddr(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	if s == none {
		return nil
	}
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return trouble(quote(s)+" is not an address to listen on", "write host:port, such as 127.0.0.1:5001, or - for no desk")
	}
	c.Desk.Addr = s
	return nil
}

func deskHosts(c *Config, s string) *Problem {
	for host := range strings.SplitSeq(s, ",") {
		host = strings.TrimSpace(host)
		if host == "" || strings.ContainsAny(host, "/:@ *") {
			return trouble(quote(s)+" is not a list of names of hosts", "write names such as pombo.hospital.local, without scheme and port, with commas between")
		}
		c.Desk.Hosts = append(c.Desk.Hosts, host)
	}
	return nil
}

func deskName(c *Config, s string) *Problem {
	s = strings.ToLower(strings.TrimSpace(s))
	slot, number := pombo.Slot(strings.TrimRight(s, "0123456789")), 1
	if digits := strings.TrimPrefix(s, string(slot)); digits != "" {
		var err error
		if number, err = strconv.Atoi(digits); err != nil || number < 1 || number > 99 {
			slot = ""
		}
	}
	if slot != pombo.Body && (slot != pombo.HeaderText || number != 1) {
		return trouble(quote(s)+" is not a value of a message", "write body1 for the first value of the text, body2 for the second one and so on, or header")
	}
	c.Desk.Name, c.Desk.NameNumber = slot, number
	return nil
}

func deskProxies(c *Config, s string) *Problem {
	for text := range strings.SplitSeq(s, ",") {
		text = strings.TrimSpace(text)
		network, err := netip.ParsePrefix(text)
		if err != nil {
			var one netip.Addr
			if one, err = netip.ParseAddr(text); err == nil {
				network, err = one.Prefix(one.BitLen())
			}
		}
		switch {
		case err != nil:
			return trouble(quote(text)+" is not a network", "write networks such as 10.0.0.5/32 or 10.1.0.0/16, with commas between")
		case network.Bits() == 0:
			return trouble(quote(text)+" is every address there is: anybody could say who they are", "write the address of the proxy")
		}
		c.Desk.ProxyFrom = append(c.Desk.ProxyFrom, network.Masked())
	}
	return nil
}

// auditRetention is a number of years or of days.
func auditRetention(c *Config, s string) *Problem {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "0" {
		c.Desk.AuditRetention = 0
		return nil
	}
	const day = 24 * time.Hour
	unit := map[byte]time.Duration{'d': day, 'y': 365 * day}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 16)
	if err != nil || unit == 0 || n > 36_500 || time.Duration(n)*unit > 100*365*day {
		return trouble(quote(s)+" is not a number of years or days", "write 5y or 730d, or 0 for ever")
	}
	if c.Desk.AuditRetention = time.Duration(n) * unit; c.Desk.AuditRetention < 180*day {
		return trouble("is shorter than 180d: who looked at whose phone must be known for some time", "write at least 180d")
	}
	return nil
}

// AuditKeyFile is where the key of the audit trail is kept beside a SQLite ledger; "" on
// another one.
func (c Config) AuditKeyFile() string { return c.besideLedger("audit.key") }

// DeskCertificateFile is where the certificate of DESK_TLS=own is kept.
func (c Config) DeskCertificateFile() string {
	if file := c.besideLedger("desk.pem"); file != "" {
		return file
	}
	return filepath.Join("data", "desk.pem")
}

func (c Config) besideLedger(name string) string {
	path, ok := strings.CutPrefix(c.Ledger.URL.Reveal(), "sqlite:")
	if !ok {
		return ""
	}
	return filepath.Join(filepath.Dir(path), name)
}

// checkDesk checks what the variables of the desk cannot know alone.
func (l *loader) checkDesk(c *Config) {
	d := &c.Desk
	if d.Addr == "" {
		return
	}
	if (d.TLSCert == "") != (d.TLSKey == "") {
		set, missing := "DESK_TLS_CERT", "DESK_TLS_KEY"
		if d.TLSCert == "" {
			set, missing = missing, set
		}
		l.report(set, trouble("is set and "+missing+" is not", "set "+missing+" too, or take "+set+" away"))
	}
	if d.OwnTLS && d.TLSCert != "" {
		l.report("DESK_TLS", trouble("and DESK_TLS_CERT are both set", "take one of the two away"))
	}
	if d.ProxyHeader != "" && len(d.ProxyFrom) == 0 {
		l.report("DESK_PROXY_HEADER", trouble("is set and DESK_PROXY_FROM is not: everybody could write the header", "set DESK_PROXY_FROM to the address of the proxy"))
	}
	if host, _, err := net.SplitHostPort(d.Addr); err == nil && !loopback.Host(host) && d.TLSCert == "" && !d.OwnTLS && len(d.ProxyFrom) == 0 && !d.PlainHTTP {
		l.report("DESK_ADDR", trouble("lets other machines in, and passwords and phones would travel in clear",
			"set DESK_TLS_CERT and DESK_TLS_KEY, or DESK_TLS=own, or DESK_PROXY_FROM to the address of a proxy that speaks TLS; or DESK_ADDR to 127.0.0.1:5001; or DESK_PLAIN_HTTP=yes"))
	}
	if ledger := c.Ledger.URL.Reveal(); ledger == "" || c.AuditKeyFile() != "" || l.isSet("AUDIT_KEY") {
		return
	}
	if l.isSet("DESK_ADDR") {
		l.report("AUDIT_KEY", trouble("is not set, and the machines that share the ledger have to have the same", "set AUDIT_KEY to a random word of at least 32 characters on each of them, or DESK_ADDR=- for no desk"))
		return
	}
	// The desk is on only by default: a missing key must not stop sending.
	d.Addr = ""
	l.warn("AUDIT_KEY", "is not set, so there is no desk: on a ledger in PostgreSQL set it to a random word of at least 32 characters, the same on each machine, or DESK_ADDR=- for no desk")
}
