package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Driver is one kind of database. Each folder below internal/source has one;
// internal/app lists them all.
type Driver struct {
	// Schemes of DB_URL that mean this database, the usual one first.
	Schemes []string
	// System is what OpenTelemetry calls this database (db.system.name).
	System string
	// Port is the default, for an address without one; "" = no port, as for a file.
	Port string
	// TakesDSN reports whether a DB_DSN, given in place of DB_URL, is meant for this
	// database; nil = it has no such form. Drivers are asked in the order of
	// Options.Drivers.
	TakesDSN func(dsn string) bool
	// New checks the options and makes the dialect. It does not connect.
	New func(opts Options, m *ParsedMapping) (Dialect, error)
}

// newDialect picks the driver by the scheme of the URL, or by the form of the DSN, and
// returns its System too.
func newDialect(opts Options, m *ParsedMapping) (d Dialect, system string, err error) {
	scheme, _, _ := strings.Cut(opts.URL, ":")
	scheme = strings.ToLower(scheme)
	for _, d := range opts.Drivers {
		if scheme == "" && opts.DSN != "" && d.TakesDSN != nil && d.TakesDSN(opts.DSN) || slices.Contains(d.Schemes, scheme) {
			dialect, err := d.New(opts, m)
			return dialect, d.System, err
		}
	}
	if scheme == "" {
		return nil, "", &TableError{Op: "open the source", Permanent: true, Err: errors.New("no database is named"), Hint: "set DB_URL, for example sqlite:data/empresa.db"}
	}
	// The URL itself may contain a password, so only its scheme is repeated.
	return nil, "", &TableError{Op: "open the source", Permanent: true, Err: fmt.Errorf("unknown kind of database %q", scheme), Hint: "DB_URL starts with " + usualSchemes(opts.Drivers)}
}

// usualSchemes lists the usual scheme of each driver: "oracle:, postgres: or sqlite:".
func usualSchemes(drivers []Driver) string {
	var schemes []string
	for _, d := range drivers {
		schemes = append(schemes, d.Schemes[0]+":")
	}
	slices.Sort(schemes)
	if n := len(schemes); n > 1 {
		return strings.Join(schemes[:n-1], ", ") + " or " + schemes[n-1]
	}
	return strings.Join(schemes, "")
}
