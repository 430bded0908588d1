package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"pombo"
	"pombo/internal/loopback"
)

// blipURL is scheme and host of Blip.
func blipURL(c *Config, s string) *Problem {
	const write = "write it as https://http.msging.net or https://{contract}.http.msging.net"
	u, p := baseURL(s, write)
	switch {
	case p != nil:
		return p
	case strings.TrimRight(u.Path, "/") != "":
		return trouble("has a path behind the host", write)
	case u.Scheme == "http" && !loopback.Host(u.Hostname()):
		return trouble("is plain http to another machine: the key would travel in clear", "write https://")
	}
	c.Blip.URL = u.Scheme + "://" + u.Host
	return nil
}

// contract is the first label of the host name.
func contract(c *Config, s string) *Problem {
	s = strings.ToLower(strings.TrimSpace(s))
	valid := len(s) <= 63 && !strings.HasPrefix(s, "-") && !strings.HasSuffix(s, "-")
	for _, r := range s {
		valid = valid && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	}
	if !valid {
		return trouble(quote(s)+" cannot be part of a host name", "write only what stands before .http.msging.net in the address: letters, digits and hyphens")
	}
	c.Blip.URL = "https://" + s + ".http.msging.net"
	return nil
}

// apiURL is the base address of the API, perhaps with a path when it stands
// behind another server.
func apiURL(c *Config, s string) *Problem {
	const write = "write it as http://127.0.0.1:5000"
	u, p := baseURL(s, write)
	if p != nil {
		return p
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if strings.HasSuffix(path, "/send_notification") {
		return trouble("ends in /send_notification", "take that away: the job adds it")
	}
	c.Job.URL = u.Scheme + "://" + u.Host + path
	return nil
}

// eventsURL is where events are posted to.
func eventsURL(c *Config, s string) *Problem {
	const write = "write it as https://erp.example.com/pombo"
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return trouble("is not an https address", write)
	case u.User != nil:
		return trouble("has a user or a password in it", "take that away: the signature proves who sends")
	case u.Fragment != "":
		return trouble("has a # in it", write)
	case u.Scheme == "http" && !loopback.Host(u.Hostname()):
		return trouble("is plain http to another machine: events would travel in clear", "write https://")
	}
	c.Events.URL = u.String()
	return nil
}

// eventsSecret has the secrets that sign events.
func eventsSecret(c *Config, s string) *Problem {
	const write = "write whsec_ and the base64 of 24 to 64 random bytes (echo whsec_$(openssl rand -base64 32)); several with blanks between"
	c.Events.Secrets = nil
	for word := range strings.FieldsSeq(s) {
		text, ok := strings.CutPrefix(word, "whsec_")
		key, err := base64.StdEncoding.DecodeString(text)
		switch {
		case !ok:
			return trouble("has a word that does not begin with whsec_", write)
		case err != nil:
			return trouble("has a word that is not base64 behind whsec_", write)
		case len(key) < 24 || len(key) > 64:
			return trouble(fmt.Sprintf("has a secret of %d bytes", len(key)), write)
		}
		c.Events.Secrets = append(c.Events.Secrets, pombo.Private(word))
	}
	return nil
}

// baseURL is an http or https address with nothing behind the path. A problem
// does not show the address: somebody may have put a password into it.
func baseURL(s, write string) (*url.URL, *Problem) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, trouble("is not an http address", write)
	case u.User != nil:
		return nil, trouble("has a user or a password in it", write)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, trouble("has a ? or a # in it", write)
	}
	return u, nil
}

// listen is the address of the server.
func listen(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return trouble(quote(s)+" is not an address to listen on", "write host:port, such as 127.0.0.1:5000")
	}
	c.API.Addr = s
	return nil
}

// databaseURL is the address of a database of one of the schemes.
func databaseURL(field func(*Config) *pombo.Private, schemes ...string) setter {
	return func(c *Config, s string) *Problem {
		s = strings.TrimSpace(s)
		scheme, rest, found := strings.Cut(s, ":")
		scheme = strings.ToLower(scheme)
		// What stands before the colon may be shown only when it is a scheme that
		// people write: it could be a user with a password behind it.
		switch {
		case !found || !slices.Contains(schemes, scheme):
			fix := "write an address that starts with " + listOr(prefixed(schemes))
			if slices.Contains(schemes, "oracle") {
				fix += "; host:1521/service alone belongs into DB_DSN"
			}
			return trouble("is not an address of a database that Pombo knows", fix)
		case scheme == "sqlite" && (strings.HasPrefix(rest, "//") || strings.TrimSpace(rest) == ""):
			return trouble("names no file as Pombo reads it", "write sqlite: and the path, such as sqlite:data/pombo.db or sqlite:C:/pombo/pombo.db, without //")
		case scheme != "sqlite" && !splits(s):
			return trouble("cannot be read as user, password, host and database", "write "+scheme+"://user:password@host:port/database, with @ / # ? % in the password percent-encoded (@ is %40, / is %2F, # is %23, ? is %3F, % is %25)")
		}
		*field(c) = pombo.Private(s)
		return nil
	}
}

// prefixed returns how addresses of the schemes begin, each database once.
func prefixed(schemes []string) []string {
	var out []string
	for _, s := range schemes {
		switch s {
		case "postgresql": // the other name of postgres
		case "sqlite":
			out = append(out, "sqlite:")
		default:
			out = append(out, s+"://")
		}
	}
	return out
}

// splits reports whether an address splits into its parts beyond doubt. A / or
// a # in a password makes what follows it, up to the real @, look like a path;
// then a part of the password would pass for the host. An @ does the same: some
// drivers cut at the first one, and net/url at the last.
func splits(s string) bool {
	u, err := url.Parse(s)
	_, rest, found := strings.Cut(s, "://")
	if err != nil || u.Opaque != "" || u.Fragment != "" || !found {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	return strings.Count(authority, "@") <= 1 && !strings.Contains(u.Path, "@") && !strings.Contains(u.RawQuery, "@")
}

// dsn is an Oracle database the cx_Oracle way.
func dsn(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	bare := s // without what other programs write before it
	for _, prefix := range []string{"tcp://", "tcps://", "jdbc:oracle:thin:@"} {
		bare = strings.TrimPrefix(bare, prefix)
	}
	switch {
	case strings.HasPrefix(bare, "ldap"):
		return trouble("names an entry of an LDAP directory", "run tnsping with the name on a machine that knows it, and write the descriptor that it shows")
	case strings.Contains(bare, "://"):
		return trouble("is an address with a scheme", "put it into DB_URL instead, without DB_USER and DB_PASSWORD")
	case strings.Contains(bare, "@"):
		return trouble("has a user or a password in it", "write only host:1521/service and put the rest into DB_USER and DB_PASSWORD")
	case namesPassword(s):
		return trouble("has a password in it", "take it out and put it into DB_PASSWORD")
	case strings.ContainsFunc(s, unicode.IsControl):
		return trouble("goes on over several lines or has a tab in it", "write it on one line")
	}
	c.Source.DSN = s
	return nil
}

// namesPassword reports whether a DSN of words, such as libpq's "host=db
// password=…", has a password among them.
func namesPassword(dsn string) bool {
	for dsn = strings.ToLower(dsn); ; {
		_, after, found := strings.Cut(dsn, "password")
		if !found {
			return false
		}
		if dsn = strings.TrimSpace(after); strings.HasPrefix(dsn, "=") {
			return true
		}
	}
}
