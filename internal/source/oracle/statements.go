package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/source"
)

// Formats of times, for Oracle and for Go.
const (
	dateFormat      = "'YYYY-MM-DD HH24:MI:SS'"
	timestampFormat = "'YYYY-MM-DD HH24:MI:SS.FF6'"
	zonedFormat     = "'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM'"

	goTimestamp = "2006-01-02 15:04:05.000000"
	goZoned     = "2006-01-02 15:04:05.000000 -07:00"
)

// timeFormats returns how a column of this type is read and written, and Go's layout for
// it. ok is false for a column that does not hold times.
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

// exact selects a column whose value must not lose a digit: the key and the status.
func (d *dialect) exact(k source.Kind, n source.Name) string {
	if k == source.KindWhole {
		return "TO_CHAR(t." + d.quoted(n) + ")"
	}
	return "t." + d.quoted(n)
}

// values returns the columns of a page: the key, then ParsedMapping.Values, of a row
// named t.
func (d *dialect) values(l source.Layout) string {
	columns := []string{d.exact(l.RowKey, d.mapping.KeyName)}
	for _, v := range d.mapping.Values {
		column := "t." + d.quoted(v.Name)
		if read, _, _, ok := timeFormats(l.Declared(v.Name)); ok {
			column = fmt.Sprintf(read, column)
		} else {
			// SUBSTR accepts long texts of any kind, and numbers.
			column = fmt.Sprintf("SUBSTR(%s, 1, %d)", column, source.MaxText+1)
		}
		columns = append(columns, column)
	}
	return strings.Join(columns, ", ")
}

// pageText sorts bare columns in a subquery and converts them outside, where only the
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
	if key, ok := after.(string); ok && l.RowKey == source.KindWhole { // as the driver returned it
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

func (d *dialect) Row(l source.Layout, key any) source.Query {
	return source.Query{Text: d.rowText(l), Args: []any{key}}
}

// Blob fetches the bytes in line (the driver's default), without a locator to be freed.
func (d *dialect) Blob(_ source.Layout, column source.MappedColumn, key any) (size, bytes source.Query) {
	sizeText, bytesText := d.blobTexts(column)
	return source.Query{Text: sizeText, Args: []any{key}}, source.Query{Text: bytesText, Args: []any{key}}
}

func (d *dialect) blobTexts(column source.MappedColumn) (size, bytes string) {
	from := fmt.Sprintf(" FROM %s t WHERE t.%s = :1", d.table(), d.quoted(d.mapping.KeyName))
	of := "t." + d.quoted(column.Name)
	return "SELECT DBMS_LOB.GETLENGTH(" + of + ")" + from, "SELECT " + of + from
}

// listLengths are the lengths of lists of keys. A few fixed ones keep few statements in
// the database's memory; a shorter list repeats its last key.
var listLengths = []int{1, 20, 200, 500}

// inList returns the condition that finds n keys.
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

// lockFreeText names a column, so that in a view of several tables only the rows of that
// column's table are locked. The status does not matter here: the UPDATE checks it.
func (d *dialect) lockFreeText(l source.Layout, n int) string {
	return fmt.Sprintf("SELECT %s FROM %s t WHERE %s FOR UPDATE OF t.%s SKIP LOCKED", d.exact(l.RowKey, d.mapping.KeyName), d.table(), d.inList(n), d.quoted(d.mapping.StatusName))
}

// lockText needs the right to lock rows, and locks none.
func (d *dialect) lockText() string {
	return fmt.Sprintf("SELECT t.%s FROM %s t WHERE 1 = 0 FOR UPDATE OF t.%[1]s SKIP LOCKED", d.quoted(d.mapping.StatusName), d.table())
}

func (d *dialect) Statuses(l source.Layout, keys []any) []source.Query {
	return d.inLists(l, keys, d.statusesText)
}

// inLists asks for the keys in as few lists as possible.
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
		if w.Role.WritesTime() {
			_, write, _, _ := timeFormats(l.Declared(w.Name))
			value = fmt.Sprintf(write, value)
		}
		if w.Role.KeepsPresent() {
			value = "NVL(" + value + ", " + column + ")"
		}
		set = append(set, column+" = "+value)
	}
	n := len(d.mapping.Writes)
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s = :%d AND %s = :%d",
		d.table(), strings.Join(set, ", "), d.quoted(d.mapping.KeyName), n+1, d.quoted(d.mapping.StatusName), n+2)
}

// Settle first locks the rows that nobody else has locked, unless that is known not to
// work, and updates those.
func (d *dialect) Settle(l source.Layout, batch []pombo.Settlement, wait time.Duration) source.Update {
	// Two processes that settle the same rows, and have to wait, lock them in the same
	// order.
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

// compareKeys compares as the column does, as far as that is known here.
func compareKeys(l source.Layout, a, b string) int {
	if l.RowKey != source.KindWhole {
		return strings.Compare(a, b)
	}
	x, negative := strings.CutPrefix(a, "-")
	y, other := strings.CutPrefix(b, "-")
	switch {
	case negative != other:
		return cmp.Compare(len(b)-len(y), len(a)-len(x)) // the negative one first
	case negative:
		x, y = y, x
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

// Probe fires statement triggers, if the table has any, but no row triggers.
func (d *dialect) Probe() source.Query {
	var set []string
	for _, w := range d.mapping.Writes {
		set = append(set, d.quoted(w.Name)+" = "+d.quoted(w.Name))
	}
	return source.Query{Text: fmt.Sprintf("UPDATE %s SET %s WHERE 1 = 0", d.table(), strings.Join(set, ", "))}
}
