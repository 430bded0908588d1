package oracle

import (
	"cmp"
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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	go_ora "github.com/sijms/go-ora/v2"

	"pombo/internal/source"
)

// address is where the database is and who logs in to it.
type address struct {
	urls []string // in the driver's form, with the password: one for each listener to try
	user string
	tls  *tls.Config // nil = the wallet's or the system's authorities
}

// account returns the user as the catalog has it.
func (a *address) account() string { return strings.ToUpper(a.user) }

// defaultPort is the listener's usual port.
const defaultPort = "1521"

// parsedAddress is what an address says, whatever its form.
type parsedAddress struct {
	user, password string
	targets        []target
	options        url.Values
}

// newAddress parses a URL or one of the ways in which Oracle's own programs name a
// database: host:port/service, a descriptor, or an alias of tnsnames.ora.
func newAddress(opts source.Options, zone *time.Location) (*address, error) {
	var p parsedAddress
	var err error
	if opts.URL != "" {
		p, err = parseURL(opts.URL)
	} else {
		p, err = parseDSN(strings.TrimSpace(opts.DSN), opts.TNSAdmin)
	}
	if err != nil {
		return nil, err
	}
	if opts.User != "" {
		p.user, p.password = opts.User, opts.Password
	}
	if p.user == "" || p.password == "" {
		return nil, addressError(errors.New("no user or no password is given"), "set DB_USER and DB_PASSWORD, or write both in DB_URL")
	}
	if strings.HasSuffix(p.user, "]") {
		return nil, addressError(errors.New("the user names a second account in brackets, which is not supported"),
			"log in as one account, grant it the rights (pombo sql prints them) and write the table as owner.table (DB_TABLE)")
	}
	return p.address(opts.Timeout, zone)
}

func addressError(err error, hint string) error {
	return &source.TableError{Op: "open the source", Permanent: true, Err: err, Hint: hint}
}

// errAddress quotes nothing of an address: in one that is written wrongly, the password
// may be anywhere.
var errAddress = errors.New("the address cannot be read")

// What a service, SID or instance, and a host, may look like.
var (
	serviceShape = regexp.MustCompile(`^[A-Za-z0-9_.$#-]+$`)
	hostShape    = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)
)

// addTargets adds a target for each of the hosts, which share a service or a SID.
func (p *parsedAddress) addTargets(hosts []string, service, sid, instance string) error {
	protocol := "tcp"
	if on := strings.ToUpper(option(p.options, "SSL")); on == "TRUE" || strings.HasPrefix(on, "ENABLE") || option(p.options, "CA") != "" {
		protocol = "tcps"
	}
	t := target{protocol: protocol, service: service, sid: sid, instance: instance}
	for _, part := range [][2]string{{"SID", sid}, {"SERVICE_NAME", service}, {"INSTANCE_NAME", instance}} {
		switch {
		case part[1] == "", part[0] == "SERVICE_NAME" && sid != "":
		case !serviceShape.MatchString(part[1]):
			return errAddress
		default:
			t.connectData += "(" + part[0] + "=" + part[1] + ")"
		}
	}
	for _, h := range hosts {
		host, port, err := net.SplitHostPort(h)
		if err != nil || !hostShape.MatchString(host) {
			return errAddress
		}
		t.host, t.port = host, port
		p.targets = append(p.targets, t)
	}
	return nil
}

func parseURL(address string) (parsedAddress, error) {
	const hint = "write DB_URL=oracle://user:password@host:1521/service, with %40 for @ and %2F for / in the password" //nolint:gosec // an example's
	u, err := url.Parse(strings.TrimRight(address, "; "))
	if err != nil || u.Hostname() == "" {
		return parsedAddress{}, addressError(errAddress, hint)
	}
	p := parsedAddress{user: u.User.Username(), options: u.Query()}
	p.password, _ = u.User.Password()
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	hosts := append([]string{net.JoinHostPort(u.Hostname(), port)}, p.options["SERVER"]...)
	service := strings.Trim(u.Path, "/")
	if u.Fragment != "" { // the service's name has a #
		service += "#" + u.Fragment
	}
	service, sid, instance := cmp.Or(option(p.options, "SERVICE NAME"), service), option(p.options, "SID"), option(p.options, "INSTANCE NAME")
	if service == "" && sid == "" {
		return parsedAddress{}, addressError(errors.New("the address names no service"), hint)
	}
	if err := p.addTargets(hosts, service, sid, instance); err != nil {
		return parsedAddress{}, addressError(err, hint)
	}
	return p, nil
}

// dsnHint says how to name a database.
const dsnHint = "write DB_DSN=host:1521/service, a descriptor, or an alias of tnsnames.ora; user and password go into DB_USER and DB_PASSWORD"

func parseDSN(dsn, tnsAdmin string) (parsedAddress, error) {
	dsn = strings.TrimRight(dsn, "; \t")
	if after, ok := cutFold(dsn, "jdbc:oracle:thin:"); ok { // as Java programs write it
		dsn = strings.TrimPrefix(after, "@")
	}
	switch {
	case strings.HasPrefix(dsn, "("):
		return parseDescriptor(dsn)
	case strings.HasPrefix(strings.ToLower(dsn), "ldap"):
		return parsedAddress{}, addressError(errors.New("names of an LDAP directory are not supported"),
			"run tnsping with the name on a machine that knows it, and write the descriptor that it shows to DB_DSN")
	case strings.ContainsAny(dsn, "/:"):
		return parseEasyConnect(dsn)
	}
	descriptor, err := findAlias(dsn, tnsAdmin)
	if err != nil {
		return parsedAddress{}, err
	}
	return parseDescriptor(descriptor)
}

// cutFold cuts a prefix, ignoring case.
func cutFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func parseDescriptor(descriptor string) (p parsedAddress, err error) {
	if p.targets, err = targets(descriptor); err != nil {
		return parsedAddress{}, addressError(err, "see the host, the service or SID and the brackets of DB_DSN")
	}
	return p, nil
}

// parseEasyConnect parses [tcps:][//]host[:port][,host…]/service[:dedicated][/instance][?option=value],
// and host:port:SID.
// https://docs.oracle.com/en/database/oracle/oracle-database/19/netag/configuring-naming-methods.html
func parseEasyConnect(dsn string) (parsedAddress, error) {
	wrong := addressError(errAddress, dsnHint)
	rest, query, _ := strings.Cut(dsn, "?")
	p := parsedAddress{}
	var err error
	if p.options, err = url.ParseQuery(query); err != nil {
		return parsedAddress{}, wrong
	}
	if after, ok := strings.CutPrefix(rest, "tcps:"); ok {
		rest = after
		p.options.Set("SSL", "true")
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "tcp:"), "//")
	list, service, named := strings.Cut(rest, "/")
	if parts := strings.Split(list, ":"); !named && len(parts) == 3 && parts[2] != "" {
		if _, err := strconv.ParseUint(parts[1], 10, 16); err != nil || p.addTargets([]string{parts[0] + ":" + parts[1]}, "", parts[2], "") != nil {
			return parsedAddress{}, wrong
		}
		return p, nil
	}
	service, instance, _ := strings.Cut(service, "/")
	service, _, _ = strings.Cut(service, ":") // shared or dedicated is the server's choice
	var hosts []string
	for h := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(h)
		if err != nil {
			host, port = strings.Trim(h, "[]"), defaultPort
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return parsedAddress{}, wrong
		}
		hosts = append(hosts, net.JoinHostPort(host, port))
	}
	if !named || service == "" {
		return parsedAddress{}, addressError(errors.New("the address names no service"), dsnHint)
	}
	if p.addTargets(hosts, service, "", instance) != nil { // user/password@host, most likely
		return parsedAddress{}, wrong
	}
	return p, nil
}

// option finds an option by its name, ignoring case.
func option(options url.Values, name string) string {
	for k, v := range options {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// clientOnlyOptions are options of Oracle's own clients that need nothing here.
var clientOnlyOptions = strings.Fields("CONNECT_TIMEOUT TRANSPORT_CONNECT_TIMEOUT RETRY_COUNT RETRY_DELAY EXPIRE_TIME SDU TDU FAILOVER LOAD_BALANCE SOURCE_ROUTE " +
	"RECV_BUF_SIZE SEND_BUF_SIZE SSL_SERVER_DN_MATCH SSL_SERVER_CERT_DN USE_TCP_FAST_OPEN ENABLE POOL_CONNECTION_CLASS POOL_PURITY SUPER_SHARDING_KEY")

// address converts a parsed address to the driver's form. It passes the driver's own
// options on, except those that are set here, and a trace, which would write people's
// data to a file.
func (p parsedAddress) address(timeout time.Duration, zone *time.Location) (*address, error) {
	seconds := func(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }
	location := zone.String()
	if _, err := time.LoadLocation(location); err != nil || location == "Local" {
		location = "UTC" // it only saves the driver a query: no value is read as a time
	}
	ours := url.Values{
		// A limit for a single read, in case ours fails; ours comes first.
		"TIMEOUT":            {seconds(timeout + 2*grace)},
		"CONNECTION TIMEOUT": {seconds(timeout)},
		"PREFETCH_ROWS":      {"500"},
		"SERVER LOCATION":    {location},
		// They decide how the server sorts and writes numbers.
		"LANGUAGE": {"AMERICAN"}, "TERRITORY": {"AMERICA"},
		"PROGRAM": {"pombo"},
		// For the connection after a listener's redirect.
		"CID": {clientID()},
		// The target says these.
		"SERVER": nil, "SERVICE NAME": nil, "SID": nil, "INSTANCE NAME": nil, "CONNSTR": nil,
	}
	a := &address{user: p.user}
	q := url.Values{}
	for k, v := range p.options {
		upper := strings.ToUpper(k)
		switch {
		case upper == "CA":
			var err error
			if a.tls, err = tlsConfig(v[0]); err != nil {
				return nil, addressError(err, "name a file with the certificate of the authority, as PEM (ca= in the address)")
			}
			q.Set("SSL", "true")
		case upper == "WALLET_LOCATION":
			q.Set("WALLET", v[0])
		case ours.Has(upper), strings.HasPrefix(upper, "TRACE"), slices.Contains(clientOnlyOptions, upper):
		default:
			q[upper] = v
		}
	}
	maps.Copy(q, ours)
	for _, t := range p.targets {
		q := maps.Clone(q)
		q.Set("connStr", t.descriptor())
		if t.protocol == "tcps" { // or the driver would ignore a wallet
			q.Set("SSL", "true")
		}
		if t.sid != "" {
			q.Set("SID", t.sid)
		}
		if t.instance != "" {
			q.Set("INSTANCE NAME", t.instance)
		}
		u := url.URL{Scheme: "oracle", User: url.UserPassword(p.user, p.password), Host: t.address(), Path: "/" + t.service, RawQuery: q.Encode()}
		if err := checkWithDriver(u.String()); err != nil {
			return nil, addressError(err, "see the host, the service or SID and the options of DB_URL or DB_DSN")
		}
		a.urls = append(a.urls, u.String())
	}
	return a, nil
}

// checkWithDriver reports whether the driver understands an address.
func checkWithDriver(address string) error {
	_, err := go_ora.ParseConfig(address)
	switch file, ok := errors.AsType[*fs.PathError](err); {
	case err == nil:
		return nil
	case ok:
		return fmt.Errorf("the address names a file that cannot be read: %w", file)
	case strings.HasPrefix(err.Error(), "unknown URL option"):
		return err
	}
	return errAddress
}

// tlsConfig returns TLS settings that trust only the authorities of a file.
func tlsConfig(file string) (*tls.Config, error) {
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

// findAlias looks an alias up in tnsnames.ora, in the folder that is named or where
// Oracle's own programs would look.
func findAlias(alias, folder string) (string, error) {
	const hint = "set TNS_ADMIN to the folder of tnsnames.ora, or write DB_DSN=host:1521/service"
	if alias == "" {
		return "", addressError(errors.New("no database is named"), "set DB_URL or DB_DSN")
	}
	if home := os.Getenv("ORACLE_HOME"); folder == "" && home != "" {
		folder = filepath.Join(home, "network", "admin")
	}
	if folder == "" {
		folder = installedNames()
	}
	if folder == "" {
		return "", addressError(fmt.Errorf("%q looks like an alias of tnsnames.ora, and it is not known where that is", alias), hint)
	}
	content, err := os.ReadFile(filepath.Join(folder, "tnsnames.ora")) //nolint:gosec // the operator names it
	if err != nil {
		return "", addressError(err, hint)
	}
	var names []string
	for _, e := range parseAliases(string(content)) {
		for _, n := range e.names {
			// The alias may lack the domain that it has in the file.
			if first, _, _ := strings.Cut(n, "."); strings.EqualFold(n, alias) || strings.EqualFold(first, alias) {
				return e.descriptor, nil
			}
			names = append(names, n)
		}
	}
	return "", addressError(fmt.Errorf("tnsnames.ora has no alias %q", alias), source.Nearest(alias, names)+" (DB_DSN)")
}

// aliases are names of tnsnames.ora that share a descriptor.
type aliases struct {
	names      []string
	descriptor string
}

// parseAliases parses tnsnames.ora: NAME[, NAME] = (DESCRIPTION = …), over any number of
// lines, with comments from # to the end of the line. It skips everything else, such as
// IFILE.
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
			// Leftovers of the entry before are on lines of their own.
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

// closing returns the index after the bracket that closes the one s begins with, or -1.
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

// oneLine collapses runs of blanks and line breaks into one blank.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
