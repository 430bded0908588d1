package oracle

import (
	"cmp"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	go_ora "github.com/sijms/go-ora/v2"

	"pombo"
	"pombo/internal/source"
)

// oracleDialect is a table, view or synonym in Oracle, from 11.2 on.
//
// One set of texts serves all releases, so there is no FETCH FIRST, and no PL/SQL but
// one call that names the session. The UPDATE of a batch never waits for a row: the
// rows that nobody else has locked are found first, and stay locked until the COMMIT.
// Arguments travel as the column has them, so that an index is used: numbers as NUMBER,
// RAW as bytes, everything else as text, which Oracle turns into what the column holds.
//
// The texts name a format wherever a time is read or written, so they depend on
// the types of the columns. Before Learn has read these, SQL shows the texts for
// the sample table of Advice.
//
// How a statement is sent, and how it ends when nobody answers, is told in
// oracle_driver.go; how the database is found in oracle_connect.go.
type dialect struct {
	mapping    *source.ParsedMapping
	address    *address
	timeout    time.Duration
	gate       loginGate
	unanswered *unanswered
	panics     panics

	seen atomic.Pointer[foundTable] // as it was last read
	// wide is whether a character may take several bytes in the database.
	multibyte atomic.Bool
	// whole is whether the rows cannot be locked one by one: what the name means is a
	// view, or the account has READ in place of SELECT. Then the UPDATE has to wait.
	cannotLockRows atomic.Bool
}

// oracleTable is the table or view that the name of the mapping means.
type foundTable struct {
	owner, name string // of the catalog; an owner of "" is the schema of the session
	columns     []source.Column
}

// Driver is the driver. Any DB_DSN may be one of Oracle's: an alias of tnsnames.ora has
// no form of its own. So it comes last in Options.Drivers.
var Driver = source.Driver{
	Schemes:  []string{"oracle"},
	TakesDSN: func(string) bool { return true },
	New:      func(opts source.Options, m *source.ParsedMapping) (source.Dialect, error) { return newDialect(opts, m) },
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

// oracleName writes a name as the catalog has it: what is not quoted is turned
// into upper case.
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

// Formats of times, as Oracle and as Go write them.
const (
	dateFormat      = "'YYYY-MM-DD HH24:MI:SS'"
	timestampFormat = "'YYYY-MM-DD HH24:MI:SS.FF6'"
	zonedFormat     = "'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM'"

	goTimestamp = "2006-01-02 15:04:05.000000"
	goZoned     = "2006-01-02 15:04:05.000000 -07:00"
)

// oracleTime says how a time is read from, written to and formatted for a column
// of a type. ok is false for a column that holds no times.
func timeFormats(declared string) (read, write, layout string, ok bool) {
	switch {
	case declared == "DATE":
		return "TO_CHAR(%s, " + dateFormat + ")", "TO_DATE(%s, " + dateFormat + ")", time.DateTime, true
	case strings.HasPrefix(declared, "TIMESTAMP") && strings.HasSuffix(declared, "TIME ZONE"):
		return "TO_CHAR(%s, " + zonedFormat + ")", "TO_TIMESTAMP_TZ(%s, " + zonedFormat + ")", goZoned, true
	case strings.HasPrefix(declared, "TIMESTAMP"):
		return "TO_CHAR(%s, " + timestampFormat + ")", "TO_TIMESTAMP(%s, " + timestampFormat + ")", goTimestamp, true
	}
	return "", "%s", time.DateTime, false
}

// exact writes a column whose value must not lose a digit: the key and the status.
func (d *dialect) exact(k source.Kind, n source.Name) string {
	if k == source.KindWhole {
		return "TO_CHAR(t." + d.quoted(n) + ")"
	}
	return "t." + d.quoted(n)
}

// values are the columns of a page: the key, then those of mapping.values. t is
// what they are taken from.
func (d *dialect) values(l source.Layout) string {
	columns := []string{d.exact(l.RowKey, d.mapping.KeyName)}
	for _, v := range d.mapping.Values {
		column := "t." + d.quoted(v.Name)
		if read, _, _, ok := timeFormats(l.Declared(v.Name)); ok {
			column = fmt.Sprintf(read, column)
		} else {
			// SUBSTR takes long texts of any kind and numbers too.
			column = fmt.Sprintf("SUBSTR(%s, 1, %d)", column, source.MaxText+1)
		}
		columns = append(columns, column)
	}
	return strings.Join(columns, ", ")
}

// pageText sorts bare columns inside and works on them outside, where only the
// rows of the page are left.
func (d *dialect) pageText(l source.Layout, from string, last int) string {
	id := d.quoted(d.mapping.KeyName)
	bare := []string{id}
	for _, v := range d.mapping.Values {
		if c := d.quoted(v.Name); !slices.Contains(bare, c) {
			bare = append(bare, c)
		}
	}
	return fmt.Sprintf("SELECT %s FROM (SELECT %s FROM %s WHERE %s = :1 AND %s %s%s ORDER BY %[5]s) t WHERE ROWNUM <= :%[8]d",
		d.values(l), strings.Join(bare, ", "), d.table(), d.quoted(d.mapping.StatusName), id, from, d.mapping.AndWhere(), last)
}

func (d *dialect) Page(l source.Layout, after any, limit int) source.Query {
	pending := d.statusArg(l, d.mapping.Pending)
	if key, ok := after.(string); ok && l.RowKey == source.KindWhole { // as the driver gave it
		after = number(key)
	}
	if after == nil {
		return source.Query{Text: d.pageText(l, "IS NOT NULL", 2), Args: []any{pending, limit}}
	}
	return source.Query{Text: d.pageText(l, "> :2", 3), Args: []any{pending, after, limit}}
}

func (d *dialect) rowText(l source.Layout) string {
	return fmt.Sprintf("SELECT %s FROM %s t WHERE t.%s = :1", d.values(l), d.table(), d.quoted(d.mapping.KeyName))
}

// row selects the row with a key, whatever its status, with the columns of page.
func (d *dialect) Row(l source.Layout, key any) source.Query {
	return source.Query{Text: d.rowText(l), Args: []any{key}}
}

// lists are the lengths of lists of keys. A few fixed ones keep few statements in
// the database's memory; a list is filled up with its last key.
var listLengths = []int{1, 20, 200, 500}

// inList writes a condition that finds n keys.
func (d *dialect) inList(n int) string {
	binds := make([]string, n)
	for i := range binds {
		binds[i] = ":" + strconv.Itoa(i+1)
	}
	return fmt.Sprintf("t.%s IN (%s)", d.quoted(d.mapping.KeyName), strings.Join(binds, ", "))
}

func (d *dialect) statusesText(l source.Layout, n int) string {
	return fmt.Sprintf("SELECT %s, %s FROM %s t WHERE %s", d.exact(l.RowKey, d.mapping.KeyName), d.exact(l.Status, d.mapping.StatusName), d.table(), d.inList(n))
}

// freeText names a column, so that of a view of several tables only the rows of its
// own table are locked. The status does not matter here: the UPDATE looks at it.
func (d *dialect) lockFreeText(l source.Layout, n int) string {
	return fmt.Sprintf("SELECT %s FROM %s t WHERE %s FOR UPDATE OF t.%s SKIP LOCKED", d.exact(l.RowKey, d.mapping.KeyName), d.table(), d.inList(n), d.quoted(d.mapping.StatusName))
}

// lockText asks for the right to lock rows, and locks none.
func (d *dialect) lockText() string {
	return fmt.Sprintf("SELECT t.%s FROM %s t WHERE 1 = 0 FOR UPDATE OF t.%[1]s SKIP LOCKED", d.quoted(d.mapping.StatusName), d.table())
}

func (d *dialect) Statuses(l source.Layout, keys []any) []source.Query {
	return d.inLists(l, keys, d.statusesText)
}

// listed asks for keys with as few lists as possible.
func (d *dialect) inLists(l source.Layout, keys []any, text func(source.Layout, int) string) []source.Query {
	var queries []source.Query
	for len(keys) > 0 {
		n := listLengths[len(listLengths)-1]
		for _, length := range listLengths {
			if length >= len(keys) {
				n = length
				break
			}
		}
		args := slices.Clone(keys[:min(n, len(keys))])
		keys = keys[len(args):]
		for len(args) < n {
			args = append(args, args[len(args)-1])
		}
		queries = append(queries, source.Query{Text: text(l, n), Args: args})
	}
	return queries
}

func (d *dialect) settleText(l source.Layout) string {
	var set []string
	for i, w := range d.mapping.Writes {
		column, value := d.quoted(w.Name), ":"+strconv.Itoa(i+1)
		if w.Role == source.RoleSentAt {
			_, write, _, _ := timeFormats(l.Declared(w.Name))
			value = fmt.Sprintf(write, value)
		}
		if w.Role == source.RoleMessageID || w.Role == source.RoleSentAt { // what is not known leaves what is there
			value = "NVL(" + value + ", " + column + ")"
		}
		set = append(set, column+" = "+value)
	}
	n := len(d.mapping.Writes)
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s = :%d AND %s = :%d",
		d.table(), strings.Join(set, ", "), d.quoted(d.mapping.KeyName), n+1, d.quoted(d.mapping.StatusName), n+2)
}

// settle finds the rows that nobody else has locked, unless that is known not to work,
// and updates them.
func (d *dialect) Settle(l source.Layout, batch []pombo.Settlement, wait time.Duration) source.Update {
	// Two that settle the same rows, and have to wait, lock them in the same order.
	order := make([]int, len(batch))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareKeys(l, batch[a].RowKey, batch[b].RowKey) })
	chosen := func(places []int) []pombo.Settlement {
		rows := make([]pombo.Settlement, len(places))
		for i, p := range places {
			rows[i] = batch[p]
		}
		return rows
	}
	lock := &source.RowLocks{Wait: wait}
	args := d.settleArgs(l, chosen(order))
	if !d.cannotLockRows.Load() {
		keys := make([]any, len(order))
		for i, s := range chosen(order) {
			keys[i], _ = d.KeyArg(l, s.RowKey)
		}
		lock.Free = d.inLists(l, keys, d.lockFreeText)
		lock.CannotLock = func() { d.cannotLockRows.Store(true) }
		lock.Narrow = func(keys []any) []any {
			got := map[string]bool{}
			for _, k := range keys {
				if key, err := d.KeyText(l, k); err == nil {
					got[key] = true
				}
			}
			var free []int
			for _, p := range order {
				if got[batch[p].RowKey] {
					free = append(free, p)
				} else {
					lock.Held = append(lock.Held, p)
				}
			}
			return d.settleArgs(l, chosen(free))
		}
	}
	return source.Update{Query: source.Query{Text: d.settleText(l), Args: append(args, lock)}, Locks: lock}
}

// compareKeys compares as the column does, as far as that is told from outside.
func compareKeys(l source.Layout, a, b string) int {
	if l.RowKey != source.KindWhole {
		return strings.Compare(a, b)
	}
	x, negative := strings.CutPrefix(a, "-")
	y, other := strings.CutPrefix(b, "-")
	switch {
	case negative != other:
		return cmp.Compare(len(b)-len(y), len(a)-len(x)) // which has a minus
	case negative:
		x, y = y, x
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

// settleArgs binds an array to each place, so that the batch is one round trip. A
// statement never has an array at one time and a single value at another: the
// driver does not take that.
func (d *dialect) settleArgs(l source.Layout, batch []pombo.Settlement) []any {
	if len(batch) == 0 {
		return nil
	}
	args := make([]any, 0, len(d.mapping.Writes)+3)
	array := func(number bool, of func(s pombo.Settlement) string) {
		texts := make([]string, len(batch))
		for i, s := range batch {
			texts[i] = of(s) // Oracle knows no difference between "" and NULL
		}
		if number {
			args = append(args, numbers(texts))
			return
		}
		args = append(args, texts)
	}
	for _, w := range d.mapping.Writes {
		declared := l.Declared(w.Name)
		array(w.Role == source.RoleStatus && l.Status == source.KindWhole, func(s pombo.Settlement) string {
			switch {
			case w.Role == source.RoleStatus:
				return s.Code
			case w.Role == source.RoleMessageID:
				return string(s.MessageID)
			case w.Role == source.RoleSentAt && !s.SentAt.IsZero():
				_, _, layout, _ := timeFormats(declared)
				return s.SentAt.In(d.mapping.Zone).Format(layout)
			case w.Role == source.RoleError:
				return shorten(s.Error, declared)
			default:
				return ""
			}
		})
	}
	if l.RowKey == source.KindUUID {
		keys := make([][]byte, len(batch))
		for i, s := range batch {
			keys[i], _ = source.ParseUUIDKey(s.RowKey)
		}
		args = append(args, keys)
	} else {
		array(l.RowKey == source.KindWhole, func(s pombo.Settlement) string { return d.padded(l.Declared(d.mapping.KeyName), s.RowKey) })
	}
	array(l.Status == source.KindWhole, func(s pombo.Settlement) string { return d.status(l, s.Expected) })
	return args
}

// status writes a code as the status column has it. "" is NULL, which no row's
// status equals.
func (d *dialect) status(l source.Layout, code string) string {
	if l.Status != source.KindWhole {
		return d.padded(l.Declared(d.mapping.StatusName), code)
	}
	if _, err := strconv.ParseFloat(strings.TrimSpace(code), 64); err != nil {
		return ""
	}
	return strings.TrimSpace(code)
}

// statusArg is a code as an argument of its own.
func (d *dialect) statusArg(l source.Layout, code string) any {
	if code = d.status(l, code); l.Status == source.KindWhole {
		return number(code)
	}
	return code
}

// oracleNumber turns the text of a whole number into a NUMBER for the driver. Other
// texts stay what they are, and Oracle turns them into numbers; so do negative ones
// that are so long that the driver (v2.9.0) would leave the end of them out.
func number(s string) any {
	digits, negative := strings.CutPrefix(s, "-")
	short := strings.TrimLeft(digits, "0")
	const longestNegative = 19
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(short) > maxDigits || negative && len(short) > longestNegative {
		return s
	}
	if short == "" {
		negative, short = false, "0"
	}
	if negative {
		short = "-" + short
	}
	n, err := go_ora.NewNumberFromString(short)
	if err != nil {
		return s
	}
	return n
}

// oracleNumbers turns texts into NUMBERs, all of them or none: an array is of one type.
func numbers(texts []string) any {
	numbers := make([]*go_ora.Number, len(texts))
	for i, s := range texts {
		n, ok := number(s).(*go_ora.Number)
		if !ok {
			return texts
		}
		numbers[i] = n
	}
	return numbers
}

// length reads the length of a text column from its type, as columns writes it.
func length(declared string) (n int, bytes bool) {
	_, in, _ := strings.Cut(declared, "(")
	number, unit, _ := strings.Cut(strings.TrimSuffix(in, ")"), " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0, false
	}
	return n, unit == "BYTE"
}

// padded fills a text up as a CHAR column does. Oracle compares a bound text with
// a CHAR to the last blank, and RTRIM of the column would keep it from its index.
func (d *dialect) padded(declared, s string) string {
	if s == "" || !blankFilled(declared) {
		return s
	}
	n, bytes := length(declared)
	has := len([]rune(s))
	if bytes && d.multibyte.Load() {
		has = len(s)
	}
	return s + strings.Repeat(" ", max(n-has, 0))
}

// blankFilled reports whether a column fills its texts up with blanks.
func blankFilled(declared string) bool {
	return strings.HasPrefix(declared, "CHAR(") || strings.HasPrefix(declared, "NCHAR(")
}

// shortenOracle cuts a sentence to what the column takes. Otherwise the database
// would refuse the row, and its status with it.
func shorten(s, declared string) string {
	n, bytes := length(declared)
	if n == 0 {
		return s
	}
	for i, r := range []rune(s) {
		if n--; bytes {
			n -= len(string(r)) - 1
		}
		if n < 0 {
			return string([]rune(s)[:i])
		}
	}
	return s
}

// probe fires triggers for each statement, if there are such, but none for rows.
func (d *dialect) Probe() source.Query {
	var set []string
	for _, w := range d.mapping.Writes {
		set = append(set, d.quoted(w.Name)+" = "+d.quoted(w.Name))
	}
	return source.Query{Text: fmt.Sprintf("UPDATE %s SET %s WHERE 1 = 0", d.table(), strings.Join(set, ", "))}
}

// maxDigits is how many digits a NUMBER keeps.
const maxDigits = 38

func (d *dialect) KeyArg(l source.Layout, key string) (any, bool) {
	declared := l.Declared(d.mapping.KeyName)
	switch l.RowKey {
	case source.KindWhole:
		digits := strings.TrimPrefix(key, "-")
		ok := digits != "" && len(digits) <= maxDigits && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || key == "0")
		if !ok {
			return nil, false
		}
		return number(key), true
	case source.KindText:
		if !source.ValidTextKey(key) || blankFilled(declared) && strings.HasSuffix(key, " ") {
			return nil, false
		}
		return d.padded(declared, key), true
	case source.KindUUID:
		b, ok := source.ParseUUIDKey(key)
		return b, ok
	default:
		return nil, false
	}
}

func (d *dialect) KeyText(l source.Layout, v any) (string, error) {
	switch key := v.(type) {
	case nil:
		return "", errors.New("a row has no key; map a column that is NOT NULL (DB_COL_ID)")
	case []byte:
		if len(key) != 16 {
			return "", fmt.Errorf("a key has %d bytes; a RAW key has 16", len(key))
		}
		return source.FormatUUID(key), nil
	case string:
		if l.RowKey == source.KindWhole {
			if strings.Trim(strings.TrimPrefix(key, "-"), "0123456789") != "" || len(strings.TrimPrefix(key, "-")) > maxDigits {
				return "", fmt.Errorf("a key is a number with a fraction or of more than %d digits; store it as text", maxDigits)
			}
			return key, nil
		}
		if blankFilled(l.Declared(d.mapping.KeyName)) {
			key = strings.TrimRight(key, " ")
		}
		if !source.ValidTextKey(key) {
			return "", source.ErrTextKey
		}
		return key, nil
	default:
		return "", fmt.Errorf("a key is of a kind that cannot be read (%T)", v)
	}
}

// oracleIdentify names the session, so that a DBA who sees it in V$SESSION knows
// whom to ask.
const identifyText = "BEGIN DBMS_APPLICATION_INFO.SET_MODULE('Pombo', 'intake and settle'); END;"

// oracleSettings undoes what a logon trigger or the driver may have set: order and
// comparison of keys must be of one kind, or pages would leave rows out.
const settingsText = "ALTER SESSION SET NLS_SORT = BINARY NLS_COMP = BINARY NLS_NUMERIC_CHARACTERS = '.,'"

// oracleDriverAsks is what go-ora v2.9.0 runs in each login, on one line.
func loginText() string {
	var columns []string
	for _, name := range []string{"CALENDAR", "COMP", "LENGTH_SEMANTICS", "NCHAR_CONV_EXCP", "DATE_LANGUAGE", "SORT", "CURRENCY", "DATE_FORMAT", "ISO_CURRENCY", "NUMERIC_CHARACTERS", "DUAL_CURRENCY", "TIMESTAMP_FORMAT", "TIMESTAMP_TZ_FORMAT"} {
		columns = append(columns, fmt.Sprintf("MAX(CASE WHEN PARAMETER='NLS_%s' THEN VALUE END) AS NLS_%[1]s", name))
	}
	return "BEGIN SELECT " + strings.Join(columns, ", ") + " into :p_nls_calendar, :p_nls_comp, :p_nls_length_semantics, :p_nls_nchar_conv_excep, :p_nls_date_lang, :p_nls_sort, :p_nls_currency, " +
		":p_nls_date_format, :p_nls_iso_currency, :p_nls_numeric_chars, :p_nls_dual_currency, :p_nls_timestamp, :p_nls_timestamp_tz FROM sys.nls_session_parameters ; END;"
}
