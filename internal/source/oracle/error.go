package oracle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sijms/go-ora/v2/network"

	"pombo/internal/source"
)

// serverError is what the server or its listener said, in our words. Theirs may quote a
// row or a trigger, so only the code is kept.
//
// https://docs.oracle.com/en/error-help/db/
type serverError struct {
	code int
	// until is set for a refused login: the next one is not tried before then.
	until time.Time
}

// Error returns what the code means, and the code.
func (e *serverError) Error() string {
	s := fmt.Sprintf("%s (ORA-%05d)", e.meaning().message, e.code)
	if !e.until.IsZero() {
		s += ", and is not asked again before " + e.until.Format("15:04")
	}
	return s
}

// lostError says that the server cannot be reached, or no longer.
type lostError struct {
	err       error
	retryable bool // what was sent is a SELECT
}

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// Is tells database/sql to try again on another connection.
func (e *lostError) Is(target error) bool { return e.retryable && target == driver.ErrBadConn }

// sanitize turns an error of the driver into one without the server's words. nil stays
// nil.
func sanitize(err error) error {
	if err == nil {
		return nil
	}
	if ours, ok := errors.AsType[*serverError](err); ok {
		return ours
	}
	if ours, ok := errors.AsType[*lostError](err); ok {
		return ours
	}
	if e, ok := errors.AsType[*network.OracleError](err); ok {
		if codes[e.ErrCode].message == lineBroke {
			return &lostError{err: &serverError{code: e.ErrCode}}
		}
		return &serverError{code: e.ErrCode}
	}
	var other net.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn), errors.Is(err, net.ErrClosed):
		err = errors.New(lineBroke)
	case errors.As(err, &other), errors.As(err, &certificate), strings.HasPrefix(err.Error(), "no login within"):
	case strings.Contains(err.Error(), "tls:"):
	default:
		// The driver's own words may quote what it could not read. It gives the code of
		// a failed negotiation only in its text.
		if code := codeInText.FindStringSubmatch(err.Error()); code != nil {
			n, _ := strconv.Atoi(code[1])
			return &serverError{code: n}
		}
		err = errors.New("the driver does not understand the database")
	}
	return &lostError{err: err}
}

var codeInText = regexp.MustCompile(`(?i)\bora-0*([1-9][0-9]{0,4})\b`)

func isLost(err error) bool {
	_, ok := errors.AsType[*lostError](err)
	return ok
}

// meaning is what a code means and what to do about it.
type meaning struct {
	class   source.Class
	message string
	hint    string
}

const (
	lineBroke = "the connection to the database broke"
	starting  = "the database is starting, stopping or not open yet"
	noService = "the listener does not know the service, or it does not run yet"
	noRoom    = "the listener or the database takes no more connections"
	lacksRoom = "the database lacks room or memory"
	ownRule   = "a trigger or function of the table refuses the change"
	ourText   = "the database does not understand the statement"
)

// codes has the codes with a meaning of their own; meaning covers the others.
var codes = map[int]meaning{
	// The row. The message is what the row is refused with.
	1:     {source.Refused, "a unique index does not take the new values twice", ""},
	1400:  {source.Refused, "a written column may not be empty (NOT NULL)", ""},
	1401:  {source.Refused, "a new value is too long for its column", ""},
	1407:  {source.Refused, "a written column may not be empty (NOT NULL)", ""},
	1402:  {source.Refused, "the view does not show the row with its new status (WITH CHECK OPTION)", ""},
	1438:  {source.Refused, "a written column is too small for the new number", ""},
	1461:  {source.Refused, "a new value is too long for its column", ""},
	1722:  {source.Refused, "a column holds numbers and the new value or code is not a number", ""},
	1830:  {source.Refused, "a written column takes no such time", ""},
	1840:  {source.Refused, "a written column takes no such time", ""},
	1843:  {source.Refused, "a written column takes no such time", ""},
	1858:  {source.Refused, "a written column takes no such time", ""},
	1861:  {source.Refused, "a written column takes no such time", ""},
	2290:  {source.Refused, "a CHECK of the table refuses the new values", ""},
	2291:  {source.Refused, "a foreign key of the table does not know the new code", ""},
	2292:  {source.Refused, "another table still refers to the old values", ""},
	4088:  {source.Refused, ownRule, ""},
	4091:  {source.Refused, ownRule, ""},
	6502:  {source.Refused, ownRule, ""},
	6512:  {source.Refused, ownRule, ""},
	12899: {source.Refused, "a new value is too long for its column", ""},
	24381: {source.Refused, "a row of the batch is refused", ""}, // which one is found by halves
	28115: {source.Refused, "a security policy of the table refuses the change", ""},

	// Waiting helps.
	28: {source.Transient, lineBroke, ""}, 1001: {source.Transient, lineBroke, ""}, 1012: {source.Transient, lineBroke, ""}, 1041: {source.Transient, lineBroke, ""}, 1092: {source.Transient, lineBroke, ""}, 2396: {source.Transient, lineBroke, ""},
	2399: {source.Transient, lineBroke, ""}, 3113: {source.Transient, lineBroke, ""}, 3114: {source.Transient, lineBroke, ""}, 3135: {source.Transient, lineBroke, ""}, 3136: {source.Transient, lineBroke, ""}, 3106: {source.Transient, lineBroke, ""}, 3120: {source.Transient, lineBroke, ""}, 3137: {source.Transient, lineBroke, ""}, 3146: {source.Transient, lineBroke, ""},
	12537: {source.Transient, lineBroke, ""}, 12547: {source.Transient, lineBroke, ""}, 12571: {source.Transient, lineBroke, ""}, 25401: {source.Transient, lineBroke, ""}, 25402: {source.Transient, lineBroke, ""}, 25405: {source.Transient, lineBroke, ""}, 25408: {source.Transient, lineBroke, ""},

	1033: {source.Transient, starting, ""}, 1034: {source.Transient, starting, ""}, 1089: {source.Transient, starting, ""}, 1090: {source.Transient, starting, ""}, 1109: {source.Transient, starting, ""}, 12528: {source.Transient, starting, ""}, 12757: {source.Transient, starting, ""},
	cancelled: {source.Transient, "the database ended the statement before it was done", ""},
	12505:     {source.Transient, noService, "see whether the database runs, and correct the SID in DB_DSN if it never worked (lsnrctl status lists them)"},
	12514:     {source.Transient, noService, "see whether the database runs, and correct the service in DB_URL or DB_DSN if it never worked (lsnrctl services lists them)"},
	12521:     {source.Transient, noService, "see whether the instance runs, and correct its name in DB_DSN if it never worked"},
	12170:     {source.Transient, "the database was not reached in time", "see the network and the firewall on the way to it"},
	1153:      {source.Transient, "the listener does not understand the connect data", "see the listener's log"},
	12541:     {source.Transient, "nothing listens at the database's address", "see whether the listener runs and DB_URL names its host and port"},
	12543:     {source.Transient, "the database's host cannot be reached", "see the network and the firewall on the way to it"},
	12545:     {source.Transient, "the database's host is not known", "see whether the host in DB_URL is written correctly"},
	12516:     {source.Transient, noRoom, ""}, 12518: {source.Transient, noRoom, ""}, 12519: {source.Transient, noRoom, ""}, 12520: {source.Transient, noRoom, ""},
	18:    {source.Transient, noRoom, "raise SESSIONS and PROCESSES, or end what holds the others"},
	20:    {source.Transient, noRoom, "raise PROCESSES, or end what holds the others"},
	2391:  {source.Transient, "the account has as many sessions as its profile allows", "raise SESSIONS_PER_USER of its profile; Pombo uses two"},
	54:    {source.Locked, "somebody holds a lock on the table or on a row", "end the transaction that holds it (V$LOCK shows it); it is tried again by itself"},
	30006: {source.Locked, "somebody holds a lock on a row", "end the transaction that holds it (V$LOCK shows it); it is tried again by itself"},
	60:    {source.Transient, "somebody else locks the same rows in another order", ""},
	104:   {source.Transient, "somebody else locks the same rows in another order", ""},
	1555:  {source.Transient, "the statement took longer than the database keeps old data (undo)", "see whether the table lacks an index (pombo sql suggests one)"},
	2049:  {source.Locked, "somebody holds a lock on a row", ""},
	4020:  {source.Transient, "the table is being changed", ""},
	4021:  {source.Transient, "the table is being changed", ""},
	4061:  {source.Transient, "a package of the table was changed meanwhile", ""},
	4068:  {source.Transient, "a package of the table was changed meanwhile", ""},
	8177:  {source.Transient, "the row was changed by somebody else at the same moment", ""},
	1000:  {source.Transient, "the session has as many cursors as the database allows", "raise OPEN_CURSORS"},
	257:   {source.Transient, "the database's archive is full", "tell the DBA to make room for the archived logs"},
	600:   {source.Transient, "the database reports a fault of its own", "see the database's alert log"},
	7445:  {source.Transient, "the database reports a fault of its own", "see the database's alert log"},
	4030:  {source.Transient, lacksRoom, "tell the DBA"}, 4031: {source.Transient, lacksRoom, "tell the DBA"}, 1652: {source.Transient, lacksRoom, "tell the DBA"}, 1653: {source.Transient, lacksRoom, "tell the DBA"}, 1654: {source.Transient, lacksRoom, "tell the DBA"},
	1536: {source.Transient, lacksRoom, "tell the DBA"}, 30036: {source.Transient, lacksRoom, "tell the DBA"},

	// A person has to correct it.
	wrongPassword:   {source.Permanent, "the database refuses user and password", "correct DB_USER and DB_PASSWORD (or DB_URL) and start Pombo again; further tries would lock the account"},
	accountLocked:   {source.Permanent, "the account is locked", "ALTER USER … ACCOUNT UNLOCK, and see that the password is right before Pombo is started again"},
	passwordExpired: {source.Permanent, "the password has expired", "set a new one, write it to DB_PASSWORD and start Pombo again; a profile with PASSWORD_LIFE_TIME UNLIMITED keeps it from happening again"},
	1004:            {source.Permanent, "the database allows no login without a password", "set DB_USER and DB_PASSWORD"},
	1005:            {source.Permanent, "no password was given", "set DB_PASSWORD"},
	1031:            {source.Permanent, "the account lacks a right", ""}, // Explain adds the hint
	1045:            {source.Permanent, "the account may not log in", ""},
	28041:           {source.Permanent, "the database and the driver do not agree on the login; often the password has expired", "set a new password for the account"},
	28040:           {source.Permanent, "the database does not accept this kind of login", "raise SQLNET.ALLOWED_LOGON_VERSION_SERVER no higher than 12a, and set the account's password anew"},
	// The driver takes part in a negotiation of AES and SHA by itself.
	12269: {source.Permanent, "the database refuses encryption that it considers weak, and the driver knows no other", "use TCPS (a port that the listener has for it), or let the DBA set SQLNET.ALLOW_WEAK_CRYPTO_CLIENTS=TRUE"},
	12650: {source.Permanent, "the database and the driver know no common way to encrypt or check the line", "let SQLNET.ENCRYPTION_TYPES_SERVER have AES256 and SQLNET.CRYPTO_CHECKSUM_TYPES_SERVER have SHA256, or use TCPS"},
	12660: {source.Permanent, "the database wants the line encrypted or checked, and DB_URL rejects that", "take ENCRYPTION and DATA INTEGRITY out of DB_URL or DB_DSN, or use TCPS"},
	12154: {source.Permanent, "the name of the database cannot be resolved", "write DB_DSN=host:1521/service, or a descriptor"},
	997:   {source.Permanent, "a column is of type LONG, which cannot be read in parts", "map another column, or a view of it (DB_TABLE)"},
	942:   {source.Permanent, "the account sees no such table or view, the mapped one or one that a trigger of it uses", ""},
	904:   {source.Permanent, "a column is missing, in the table or in a trigger or view of it", "compare the mapping with the table, its triggers and its views (pombo sql)"},
	932:   {source.Permanent, "a column is of a type that the statement cannot use", "compare the mapping with the table (pombo sql)"},
	980:   {source.Permanent, "the synonym means a table that is no longer there", "correct the synonym or DB_TABLE"},
	1720:  {source.Permanent, "the view's owner lacks a right on the table behind it", "grant it to the view's owner WITH GRANT OPTION"},
	1732:  {source.Permanent, "the view cannot be changed", "map the table itself, or give the view an INSTEAD OF trigger (DB_TABLE)"},
	1733:  {source.Permanent, "a column of the view cannot be changed", "map the table itself, or give the view an INSTEAD OF trigger (DB_TABLE)"},
	1776:  {source.Permanent, "the view joins tables and cannot be changed", "map the table itself, or give the view an INSTEAD OF trigger (DB_TABLE)"},
	1779:  {source.Permanent, "the view joins tables and cannot be changed", "map the table itself, or give the view an INSTEAD OF trigger (DB_TABLE)"},
	4063:  {source.Permanent, "the view has errors", "have its owner compile it"},
	4098:  {source.Permanent, "a trigger of the table is invalid", "have its owner compile it"},
	12081: {source.Permanent, "the table cannot be changed", "map another table (DB_TABLE)"},
	16000: {source.Permanent, "the database is open for reading only", "name the primary in DB_URL or DB_DSN"},
	42399: {source.Permanent, "the view is for reading only", "map the table itself (DB_TABLE)"},
	54017: {source.Permanent, "a written column is computed by the database", "map another column"},
}

// cancelled is the server's answer to a cancel.
const cancelled = 1013

// notForUpdate are the codes that say that rows cannot be locked one by one: they belong
// to some kind of view, or the account may only read them.
var notForUpdate = []int{1031, 1732, 2014, 42399}

// Codes after which another login would do harm: some databases lock an account after
// three failures.
const (
	wrongPassword   = 1017
	accountLocked   = 28000
	passwordExpired = 28001
)

func (e *serverError) meaning() meaning {
	if m, ok := codes[e.code]; ok {
		return m
	}
	switch {
	case e.code >= 20000 && e.code <= 20999:
		return meaning{source.Refused, ownRule, ""}
	case e.code >= 900 && e.code <= 999:
		return meaning{source.Permanent, ourText, "compare the mapping with the table (pombo sql)"}
	case e.code >= 12500 && e.code <= 12699:
		return meaning{source.Transient, "the connection to the database failed", "see the listener's log"}
	}
	return meaning{source.Permanent, "the database refuses the statement", "see the code in Oracle's documentation"}
}

func (d *dialect) Explain(err error) source.Explanation {
	if e, ok := errors.AsType[*serverError](err); ok {
		m := e.meaning()
		v := source.Explanation{Class: m.class, Hint: m.hint}
		switch {
		case m.class == source.Refused:
			v.Detail = e.Error()
		case e.code == 942:
			v.Hint = d.unseenHint()
		case e.code == 1031:
			v.Hint = d.grantsHint()
		case e.code == 1045:
			v.Hint = "run GRANT CREATE SESSION TO " + source.Quote(d.address.account())
		}
		return v
	}
	if _, ok := errors.AsType[*source.LockedError](err); ok {
		return source.Explanation{Class: source.Locked, Hint: codes[54].hint}
	}
	var (
		certificate *tls.CertificateVerificationError
		untrusted   x509.UnknownAuthorityError
		dns         *net.DNSError
		refusal     *net.OpError
	)
	switch {
	case err == nil:
	case errors.As(err, &certificate), errors.As(err, &untrusted):
		return source.Explanation{Class: source.Permanent, Hint: "give the certificate of the server's authority (ca=file.pem in DB_URL) or a wallet, and the name that its certificate has"}
	case strings.Contains(err.Error(), "handshake failure"), strings.Contains(err.Error(), "no supported version"), strings.Contains(err.Error(), "protocol version"):
		return source.Explanation{Class: source.Permanent, Hint: "the server may know only what is no longer safe: let it take TLS 1.2 with ECDHE, or start Pombo with the variable GODEBUG=tlsrsakex=1 for one that knows RSA alone"}
	case strings.Contains(err.Error(), "tls:"):
		return source.Explanation{Class: source.Permanent, Hint: "see whether the port in DB_URL is one for TCPS"}
	case errors.As(err, &dns):
		return source.Explanation{Class: source.Transient, Hint: "see whether the host in DB_URL is written correctly"}
	case errors.As(err, &refusal) && refusal.Op == "dial", strings.HasPrefix(err.Error(), "no login"):
		return source.Explanation{Class: source.Transient, Hint: "see whether database and listener run and DB_URL names their host and port; it is tried again by itself"}
	}
	return source.Explanation{Class: source.Transient}
}

// loginGate allows one login at a time, and none for a while after the database refused
// the account: each failure counts towards locking it, and several connections at once
// would use up the limit.
type loginGate struct {
	slot    chan struct{} // of the login under way
	now     func() time.Time
	refusal *serverError // guarded by slot
}

// refusalPause is how long no login is tried after a refusal: a database that locks an
// account does so after several failures within a time of its own.
const refusalPause = 15 * time.Minute

func newLoginGate(now func() time.Time) loginGate {
	return loginGate{slot: make(chan struct{}, 1), now: now}
}

// acquire waits for the slot. It fails while logins pause.
func (g *loginGate) acquire(ctx context.Context) error {
	select {
	case g.slot <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if g.refusal != nil && g.now().Before(g.refusal.until) {
		defer func() { <-g.slot }()
		return g.refusal
	}
	return nil
}

// release frees the slot. err is how the login ended.
func (g *loginGate) release(err error) error {
	defer func() { <-g.slot }()
	g.refusal = nil
	if e, ok := errors.AsType[*serverError](err); ok && (e.code == wrongPassword || e.code == accountLocked || e.code == passwordExpired) {
		g.refusal = &serverError{code: e.code, until: g.now().Add(refusalPause)}
		return g.refusal
	}
	return err
}
