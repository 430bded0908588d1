package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	go_ora "github.com/sijms/go-ora/v2"
)

// oracleAddress is where the database is and who logs in to it.
type oracleAddress struct {
	url  string // as the driver wants it, with the password
	user string
	tls  *tls.Config // nil = what the driver makes of a wallet or of the system's authorities
}

// account is the user as the catalog has it.
func (a *oracleAddress) account() string { return strings.ToUpper(a.user) }

// oraclePort is the listener's usual port.
const oraclePort = "1521"

// place is what an address says, in whichever form it came.
type place struct {
	user, password string
	hosts          []string // host:port
	service        string
	descriptor     string // in place of hosts and service
	options        url.Values
}

// newOracleAddress reads a URL or one of the ways in which Oracle's own programs
// name a database: host:port/service, a descriptor, or an alias of tnsnames.ora.
func newOracleAddress(o Options, zone *time.Location) (*oracleAddress, error) {
	var p place
	var err error
	if o.URL != "" {
		p, err = placeOfURL(o.URL)
	} else {
		p, err = placeOfDSN(strings.TrimSpace(o.DSN))
	}
	if err != nil {
		return nil, err
	}
	if o.User != "" {
		p.user, p.password = o.User, o.Password
	}
	if p.user == "" || p.password == "" {
		return nil, badAddress(errors.New("no user or no password is given"), "set DB_USER and DB_PASSWORD, or write both in DB_URL")
	}
	return p.address(o.Timeout, zone)
}

func badAddress(err error, hint string) error {
	return &Error{Op: "open the source", Permanent: true, Err: err, Hint: hint}
}

// errAddress repeats nothing of an address: a password may stand anywhere in one
// that is written wrongly.
var errAddress = errors.New("the address cannot be read")

func placeOfURL(address string) (place, error) {
	const hint = "write DB_URL=oracle://user:password@host:1521/service, with %40 for @ and %2F for / in the password" //nolint:gosec // an example's
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return place{}, badAddress(errAddress, hint)
	}
	p := place{user: u.User.Username(), service: strings.Trim(u.Path, "/"), options: u.Query()}
	p.password, _ = u.User.Password()
	port := u.Port()
	if port == "" {
		port = oraclePort
	}
	p.hosts = []string{net.JoinHostPort(u.Hostname(), port)}
	if p.service == "" && option(p.options, "SID") == "" && option(p.options, "SERVICE NAME") == "" {
		return place{}, badAddress(errors.New("the address names no service"), hint)
	}
	return p, nil
}

func placeOfDSN(dsn string) (place, error) {
	switch {
	case strings.HasPrefix(dsn, "("):
		return place{descriptor: oneLine(dsn)}, nil
	case strings.ContainsAny(dsn, "/:"):
		return placeOfEasyConnect(dsn)
	}
	descriptor, err := findAlias(dsn)
	return place{descriptor: descriptor}, err
}

// placeOfEasyConnect reads [tcps:][//]host[:port][,host…]/service[:dedicated][/instance][?option=value].
// https://docs.oracle.com/en/database/oracle/oracle-database/19/netag/configuring-naming-methods.html
func placeOfEasyConnect(dsn string) (place, error) {
	const hint = "write DB_DSN=host:1521/service, a descriptor, or an alias of tnsnames.ora; user and password go to DB_USER and DB_PASSWORD"
	wrong := badAddress(errAddress, hint)
	rest, query, _ := strings.Cut(dsn, "?")
	p := place{}
	var err error
	if p.options, err = url.ParseQuery(query); err != nil {
		return place{}, wrong
	}
	if after, ok := strings.CutPrefix(rest, "tcps:"); ok {
		rest = after
		p.options.Set("SSL", "true")
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "tcp:"), "//")
	hosts, service, named := strings.Cut(rest, "/")
	service, instance, _ := strings.Cut(service, "/")
	p.service, _, _ = strings.Cut(service, ":") // shared or dedicated is the server's choice
	if instance != "" {
		p.options.Set("INSTANCE NAME", instance)
	}
	for h := range strings.SplitSeq(hosts, ",") {
		host, port, err := net.SplitHostPort(h)
		if err != nil {
			host, port = strings.Trim(h, "[]"), oraclePort
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" || strings.ContainsAny(host, " @()=") {
			return place{}, wrong
		}
		p.hosts = append(p.hosts, net.JoinHostPort(host, port))
	}
	if !named || p.service == "" {
		return place{}, badAddress(errors.New("the address names no service"), hint)
	}
	if strings.ContainsAny(p.service+instance, " @()=") { // user/password@host, most likely
		return place{}, wrong
	}
	return p, nil
}

// option finds an option by its name, in upper or lower case.
func option(options url.Values, name string) string {
	for k, v := range options {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// address turns what was read into what the driver wants. Of the driver's own
// options all may be given but those that are set here, and a trace, which would
// write people's data into a file.
func (p place) address(timeout time.Duration, zone *time.Location) (*oracleAddress, error) {
	seconds := func(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }
	location := zone.String()
	if _, err := time.LoadLocation(location); err != nil || location == "Local" {
		location = "UTC" // it only saves the driver a question: no time is read as one
	}
	ours := url.Values{
		// A limit for a single read, should our own fail: that one comes first.
		"TIMEOUT":            {seconds(timeout + 2*grace)},
		"CONNECTION TIMEOUT": {seconds(timeout)},
		"PREFETCH_ROWS":      {"500"},
		"SERVER LOCATION":    {location},
		// They decide how the server sorts and how it writes numbers.
		"LANGUAGE": {"AMERICAN"}, "TERRITORY": {"AMERICA"},
		"PROGRAM": {"pombo"},
	}
	a := &oracleAddress{user: p.user}
	q := url.Values{}
	for k, v := range p.options {
		upper := strings.ToUpper(k)
		switch {
		case upper == "CA":
			var err error
			if a.tls, err = trusting(v[0]); err != nil {
				return nil, badAddress(err, "name a file with the certificate of the authority, as PEM (ca= in the address)")
			}
			q.Set("SSL", "true")
		case upper == "WALLET_LOCATION":
			q.Set("WALLET", v[0])
		case ours.Has(upper), strings.HasPrefix(upper, "TRACE"):
		default:
			q[upper] = v
		}
	}
	maps.Copy(q, ours)
	u := url.URL{Scheme: "oracle", User: url.UserPassword(p.user, p.password), Host: ":0", Path: "/" + p.service}
	if p.descriptor != "" {
		q.Set("connStr", p.descriptor)
	} else {
		u.Host = p.hosts[0]
		q["SERVER"] = append(q["SERVER"], p.hosts[1:]...)
		if len(q["SERVER"]) == 0 {
			q.Del("SERVER")
		}
	}
	u.RawQuery = q.Encode()
	a.url = u.String()
	if _, err := go_ora.ParseConfig(a.url); err != nil {
		said := errAddress
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			said = fmt.Errorf("the address names a file that cannot be read: %w", file)
		} else if strings.HasPrefix(err.Error(), "unknown URL option") {
			said = err
		}
		return nil, badAddress(said, "see the host, the service or SID and the options of DB_URL or DB_DSN")
	}
	return a, nil
}

// trusting returns the settings of TLS by which only the authorities of a file are
// believed.
func trusting(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// findAlias looks an alias up in tnsnames.ora, which is where Oracle's own
// programs would look for it.
func findAlias(alias string) (string, error) {
	const hint = "set TNS_ADMIN to the folder of tnsnames.ora, or write DB_DSN=host:1521/service"
	if alias == "" {
		return "", badAddress(errors.New("no database is named"), "set DB_URL or DB_DSN")
	}
	folder := os.Getenv("TNS_ADMIN")
	if home := os.Getenv("ORACLE_HOME"); folder == "" && home != "" {
		folder = filepath.Join(home, "network", "admin")
	}
	if folder == "" {
		return "", badAddress(fmt.Errorf("%q looks like an alias of tnsnames.ora, and it is not known where that is", alias), hint)
	}
	content, err := os.ReadFile(filepath.Join(folder, "tnsnames.ora")) //nolint:gosec // the operator names it
	if err != nil {
		return "", badAddress(err, hint)
	}
	var names []string
	for _, e := range parseAliases(string(content)) {
		for _, n := range e.names {
			// The alias may be written without the domain that the file gives it.
			if first, _, _ := strings.Cut(n, "."); strings.EqualFold(n, alias) || strings.EqualFold(first, alias) {
				return e.descriptor, nil
			}
			names = append(names, n)
		}
	}
	return "", badAddress(fmt.Errorf("tnsnames.ora has no alias %q", alias), nearest(alias, names)+" (DB_DSN)")
}

// aliases are names of tnsnames.ora that share a descriptor.
type aliases struct {
	names      []string
	descriptor string
}

// parseAliases reads the text of tnsnames.ora: NAME[, NAME] = (DESCRIPTION = …),
// over as many lines as one likes, with comments from # to the end of a line.
// What is nothing of the kind is passed over, as IFILE is.
func parseAliases(content string) []aliases {
	var b strings.Builder
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(line, "#")
		b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
	}
	var all []aliases
	rest := b.String()
	for {
		before, after, found := strings.Cut(rest, "=")
		if !found {
			return all
		}
		value := strings.TrimLeft(after, " \t\n")
		if !strings.HasPrefix(value, "(") {
			_, rest, _ = strings.Cut(after, "\n")
			continue
		}
		end := closing(value)
		if end < 0 {
			return all
		}
		var names []string
		for n := range strings.SplitSeq(before, ",") {
			// Something left over from before stands on lines of its own.
			n = strings.TrimSpace(n)
			if n = n[strings.LastIndexByte(n, '\n')+1:]; n != "" {
				names = append(names, n)
			}
		}
		if len(names) > 0 {
			all = append(all, aliases{names, oneLine(value[:end])})
		}
		rest = value[end:]
	}
}

// closing returns where the bracket that s begins with is closed, behind it, or
// -1.
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

// oneLine makes one blank of all blanks and line breaks in a row.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
