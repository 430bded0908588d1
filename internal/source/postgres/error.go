package postgres

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"pombo/internal/source"
)

// postgresError is what the server said, in our words. Its own may quote a row
// ("Failing row contains …", a trigger's sentence, the value that is no number),
// so nothing of them is kept but the code and the name of a constraint.
//
// https://www.postgresql.org/docs/current/errcodes-appendix.html
type serverError struct {
	code       string // SQLSTATE
	constraint string // "" = none, or no plain name
}

// Error returns what the code means, and the code.
func (e *serverError) Error() string {
	return fmt.Sprintf("%s (SQLSTATE %s)", e.meaning().message, e.code)
}

// unreachableError is that the server could not be talked to.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

func unreachable(err error) error { return &unreachableError{err} }

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]{0,62}$`)

// postgresFault turns an error of the driver into one that holds nothing of the
// server's words.
func sanitize(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		kept := &serverError{code: e.Code}
		if strings.HasPrefix(e.Code, "23") && plainName.MatchString(e.ConstraintName) {
			kept.constraint = e.ConstraintName
		}
		return kept
	}
	// The driver's own text names user and database, and tells every address
	// that it tried on a line of its own.
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		err = fmt.Errorf("connect as %s to %s: %w", e.Config.User, e.Config.Database, innermost(e))
	}
	return unreachable(err)
}

// innermost returns the cause at the end of the chain of what was tried last,
// with the address if it was a matter of the network.
func innermost(err error) error {
	for {
		if network, ok := err.(*net.OpError); ok { //nolint:errorlint // this one link of the chain
			return network
		}
		var next error
		switch e := err.(type) { //nolint:errorlint // the chain is walked link by link
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			next = all[len(all)-1]
		}
		if next == nil {
			return err
		}
		err = next
	}
}

const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// meaning is what a code means and what to do about it.
type meaning struct {
	class   source.Class
	message string
	hint    string
}

// postgresCodes has the codes that have something to say of their own, and by
// their first two characters the classes of the others.
var codes = map[string]meaning{
	// The row. The sentence is what the row is refused with.
	"09": {source.Refused, "a trigger of the table refuses the change", ""},
	"21": {source.Refused, "the database finds several rows where there must be one", ""},
	"22": {source.Refused, "a new value does not fit its column", ""},
	"23": {source.Refused, "a constraint of the table refuses the change", ""},
	"27": {source.Refused, "a trigger of the table refuses the change", ""},
	"38": {source.Refused, "a function of the table refuses the change", ""},
	"39": {source.Refused, "a function of the table refuses the change", ""},
	"44": {source.Refused, "the view does not show the row with its new status (WITH CHECK OPTION)", ""},
	"P0": {source.Refused, "a trigger of the table refuses the change", ""},

	"22001": {source.Refused, "a new value is too long for its column", ""},
	"22003": {source.Refused, "a written column is too small for the new number", ""},
	"22007": {source.Refused, "a written column takes no such time", ""},
	"22P02": {source.Refused, "a column is of another type than the new value or code", ""},
	"22P05": {source.Refused, "a new value has characters that the database's encoding lacks", ""},
	"23502": {source.Refused, "a written column may not be empty (NOT NULL)", ""},
	"23503": {source.Refused, "a foreign key of the table does not know the new code", ""},
	"23505": {source.Refused, "a unique index does not take the new values twice", ""},
	"23514": {source.Refused, "a CHECK of the table refuses the new values", ""},

	// Waiting helps.
	"08": {source.Transient, "the connection to the database broke", ""},
	"40": {source.Transient, "the database undid the statement because of another transaction", ""},
	"53": {source.Transient, "the database lacks memory or other means", ""},
	"57": {source.Transient, "the database ended the connection", ""},
	"58": {source.Transient, "the database's machine reports a fault", "see the database's log"},
	"XX": {source.Transient, "the database reports a fault of its own", "see the database's log"},

	"08P01":              {source.Transient, "the database, or a pooler before it, refuses the connection", "see the pooler's log: it may not know the database or the user of DB_URL"},
	serializationFailure: {source.Transient, "the row was changed by somebody else at the same moment, again and again", ""},
	deadlockDetected:     {source.Transient, "somebody else locks the same rows in another order, again and again", ""},
	"53300":              {source.Transient, "the database has no free connection", "raise max_connections or the account's CONNECTION LIMIT, or end what holds the others"},
	"55006":              {source.Transient, "the table is in use by something that lets nobody else in", ""},
	"55P03":              {source.Locked, "somebody holds a lock on the table or on a row", "end the transaction that holds it (pg_stat_activity shows it); it is tried again by itself"},
	"57014":              {source.Transient, "the database ended the statement before it was done", "see whether the table lacks an index (pombo sql suggests one), somebody holds a lock on it, or statement_timeout is short"},
	"57P01":              {source.Transient, "the database is being stopped", ""},
	"57P02":              {source.Transient, "the database has crashed and recovers", ""},
	"57P03":              {source.Transient, "the database is starting, stopping or recovering", ""},

	// A person must mend it.
	"0A": {source.Permanent, "the database cannot do that with this table or view", "map the table itself, or give the view an INSTEAD OF UPDATE trigger (DB_TABLE)"},
	"25": {source.Permanent, "the database does not allow it in this transaction", ""},
	"28": {source.Permanent, "the database does not let this user in from here", "see pg_hba.conf, sslmode in DB_URL, and whether the role may log in"},
	"42": {source.Permanent, "the database does not understand the statement", "compare the mapping with the table, its triggers and its views (pombo sql)"},
	"55": {source.Permanent, "the table or view is not in a state to be changed", ""},

	"25006": {source.Permanent, "the server is a read-only standby, or its database is set to read-only", "name the primary in DB_URL, or all servers and target_session_attrs=read-write"},
	"28P01": {source.Permanent, "the database refuses the password", "correct the user and the password in DB_URL"},
	"3D000": {source.Permanent, "the server has no such database", "correct the database in DB_URL"},
	"3F000": {source.Permanent, "the database has no such schema", "correct DB_TABLE"},
	"42501": {source.Permanent, "the account lacks a right", ""}, // explain adds the GRANT
	"42703": {source.Permanent, "a column is missing, in the table or in a trigger or view of it", "compare the mapping with the table, its triggers and its views (pombo sql)"},
	"428C9": {source.Permanent, "a written column is computed by the database", "map another column"},
	"42809": {source.Permanent, "this kind of table or view cannot be changed", "map the table itself (DB_TABLE)"},
	"42883": {source.Permanent, "a column is of a type that cannot be compared with others of it", "map another column"},
	"42P01": {source.Permanent, "a table or view is missing, the mapped one or one that a trigger of it uses", "see DB_TABLE and the table's triggers"},
	"53100": {source.Permanent, "the database's disk is full", "make room on the database's disk"},
	"55000": {source.Permanent, "the view cannot be changed", "map the table itself, or give the view an INSTEAD OF UPDATE trigger (DB_TABLE)"},
	"XX001": {source.Permanent, "the table is damaged", "restore it from a copy"},
	"XX002": {source.Permanent, "an index of the table is damaged", "REINDEX the table"},
}

func (e *serverError) meaning() meaning {
	if m, ok := codes[e.code]; ok {
		return m
	}
	if len(e.code) == 5 {
		if m, ok := codes[e.code[:2]]; ok {
			return m
		}
		// Classes that begin so are left to everybody's own use: a trigger has
		// chosen it.
		if strings.ContainsAny(e.code[:1], "56789IJKLMNOPQRSTUVWXYZ") {
			return codes["P0"]
		}
	}
	return meaning{source.Permanent, "the database refuses the statement", "see the database's log"}
}

func (d *dialect) Explain(err error) source.Explanation {
	if e, ok := errors.AsType[*serverError](err); ok {
		m := e.meaning()
		v := source.Explanation{Class: m.class, Hint: m.hint}
		switch {
		case m.class == source.Refused:
			v.Detail = e.Error()
			if e.constraint != "" {
				v.Detail += ": " + e.constraint
			}
		case e.code == "42501":
			v.Hint = "as the table's owner run " + strings.Join(d.grants(), "; ")
		}
		return v
	}
	if e, ok := errors.AsType[*unreachableError](err); ok {
		return e.explain()
	}
	return source.Explanation{Class: source.Transient}
}

func (e *unreachableError) explain() source.Explanation {
	var (
		untrusted *x509.UnknownAuthorityError
		badName   *x509.HostnameError
		invalid   *x509.CertificateInvalidError
		dns       *net.DNSError
		refusal   *net.OpError
	)
	switch text := e.Error(); {
	case errors.As(e, &untrusted), errors.As(e, &badName), errors.As(e, &invalid), strings.Contains(text, "x509:"):
		return source.Explanation{Class: source.Permanent, Hint: "give the server's certificate authority with sslrootcert in DB_URL, and the name that its certificate has"}
	case strings.Contains(text, "refused TLS"), strings.Contains(text, "tls:"):
		return source.Explanation{Class: source.Permanent, Hint: "the server has no TLS as sslmode in DB_URL wants it"}
	case errors.As(e, &dns):
		return source.Explanation{Class: source.Transient, Hint: "see whether the host in DB_URL is written correctly"}
	case errors.As(e, &refusal) && refusal.Op == "dial", strings.HasPrefix(text, "no connection"):
		return source.Explanation{Class: source.Transient, Hint: "see whether the database runs and DB_URL names its host and port; it is tried again by itself"}
	}
	return source.Explanation{Class: source.Transient}
}
