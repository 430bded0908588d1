// Package oracle is a source database: a table, view or synonym in Oracle, from 11.2 on.
//
// One set of texts serves all releases, so there is no FETCH FIRST, and no PL/SQL but
// the call that names the session. The UPDATE of a batch never waits for a row: it first
// locks the rows that nobody else has locked, and they stay locked until the COMMIT.
// Arguments have the type of their column, so that an index is used: NUMBER for numbers,
// bytes for RAW, and text for everything else, which Oracle converts.
//
// The texts name a format wherever a time is read or written, so they depend on the
// types of the columns. Until introspection has read these, SQL shows the texts for the
// sample table of Advice.
//
// driver.go says how a statement is sent and how it ends when nobody answers, address.go
// how the database is found.
package oracle

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"pombo/internal/source"
)

// Driver is Oracle. Any DB_DSN may be one of Oracle's, because an alias of tnsnames.ora
// has no form of its own; so it comes last in Options.Drivers.
var Driver = source.Driver{
	Schemes:  []string{"oracle"},
	System:   "oracle.db",
	Port:     defaultPort,
	TakesDSN: func(string) bool { return true },
	New:      func(opts source.Options, m *source.ParsedMapping) (source.Dialect, error) { return newDialect(opts, m) },
}

type dialect struct {
	mapping    *source.ParsedMapping
	address    *address
	timeout    time.Duration
	gate       loginGate
	unanswered *unanswered
	panics     panics

	seen atomic.Pointer[foundTable] // by the last introspection; nil before
	// multibyte: a character may take several bytes in the database.
	multibyte atomic.Bool
	// cannotLockRows: what the name means is a view, or the account has READ instead of
	// SELECT. The UPDATE then has to wait for locks.
	cannotLockRows atomic.Bool
}

// foundTable is the table or view that the name of the mapping means.
type foundTable struct {
	owner, name string // of the catalog; an owner of "" is the schema of the session
	columns     []source.Column
}

func newDialect(opts source.Options, m *source.ParsedMapping) (*dialect, error) {
	a, err := newAddress(opts, m.Zone)
	if err != nil {
		return nil, err
	}
	return &dialect{mapping: m, address: a, timeout: opts.Timeout, gate: newLoginGate(opts.Now), unanswered: newUnanswered()}, nil
}

func (d *dialect) Connector() (driver.Connector, error) {
	return &connector{address: d.address, gate: &d.gate, unanswered: d.unanswered, panics: &d.panics, timeout: d.timeout}, nil
}

func (d *dialect) Pool(db *sql.DB) {
	// A login takes a dozen round trips and a process of the server, so sessions are few
	// and are kept.
	d.unanswered.resize = func(sessions int) {
		db.SetMaxOpenConns(sessions)
		db.SetMaxIdleConns(sessions)
	}
	d.unanswered.resize(maxSessions)
	// A service may move to another node; a connection would stay with the old one. What
	// a session has accumulated at the server ends with it too.
	db.SetConnMaxLifetime(30 * time.Minute)
}

// DriverPanics returns how often the driver has panicked.
func (d *dialect) DriverPanics() int64 { return d.panics.count.Load() }

// catalogName writes a name as the catalog has it: in upper case unless it was quoted.
func catalogName(n source.Name) string {
	if n.Exact {
		return n.Text
	}
	return strings.ToUpper(n.Text)
}

func (d *dialect) quoted(n source.Name) string { return source.Quote(catalogName(n)) }

// table writes the table's name as the mapping has it.
func (d *dialect) table() string {
	parts := make([]string, len(d.mapping.TableName))
	for i, n := range d.mapping.TableName {
		parts[i] = d.quoted(n)
	}
	return strings.Join(parts, ".")
}

// identifyText names the session, so that a DBA who sees it in V$SESSION knows whom to
// ask.
const identifyText = "BEGIN DBMS_APPLICATION_INFO.SET_MODULE('Pombo', 'intake and settle'); END;"

// settingsText undoes what a logon trigger or the driver may have set: keys must be
// ordered and compared in the same way, or pages would leave rows out.
const settingsText = "ALTER SESSION SET NLS_SORT = BINARY NLS_COMP = BINARY NLS_NUMERIC_CHARACTERS = '.,'"

// loginText returns what go-ora v2.9.0 runs in each login, on one line.
func loginText() string {
	var columns []string
	for _, name := range []string{"CALENDAR", "COMP", "LENGTH_SEMANTICS", "NCHAR_CONV_EXCP", "DATE_LANGUAGE", "SORT", "CURRENCY", "DATE_FORMAT", "ISO_CURRENCY", "NUMERIC_CHARACTERS", "DUAL_CURRENCY", "TIMESTAMP_FORMAT", "TIMESTAMP_TZ_FORMAT"} {
		columns = append(columns, fmt.Sprintf("MAX(CASE WHEN PARAMETER='NLS_%s' THEN VALUE END) AS NLS_%[1]s", name))
	}
	return "BEGIN SELECT " + strings.Join(columns, ", ") + " into :p_nls_calendar, :p_nls_comp, :p_nls_length_semantics, :p_nls_nchar_conv_excep, :p_nls_date_lang, :p_nls_sort, :p_nls_currency, " +
		":p_nls_date_format, :p_nls_iso_currency, :p_nls_numeric_chars, :p_nls_dual_currency, :p_nls_timestamp, :p_nls_timestamp_tz FROM sys.nls_session_parameters ; END;"
}
