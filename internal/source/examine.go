package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Aspect is something about a database that the work can do without, but not well.
// The string is a word for it.
type Diagnostic string

// The aspects. Not every kind of database has all of them.
const (
	DiagnosticIndex    Diagnostic = "index"    // on the status
	DiagnosticPlan     Diagnostic = "plan"     // of the page query
	DiagnosticCharset  Diagnostic = "charset"  // in which texts are kept
	DiagnosticClock    Diagnostic = "clock"    // of the database, and its time zone
	DiagnosticPassword Diagnostic = "password" // and when it expires
	DiagnosticLocks    Diagnostic = "locks"    // whether rows can be locked one by one
)

// Remark is what Examine has found. It holds no value of any row.
type Inspection struct {
	Message string
	Hint string // "" = nothing needs to be done
	// Unasked says that looking would have changed something; What says how
	// others can look.
	Skipped bool
}

// Aspects lists what Examine can look at.
func (t *Table) Diagnostics() []Diagnostic { return t.d.Diagnostics() }

// Examine looks at one of Aspects and changes nothing. The table must be one that
// Check finds nothing wrong with.
func (t *Table) Inspect(ctx context.Context, a Diagnostic) (Inspection, error) {
	l, err := t.layout(ctx)
	if err != nil {
		return Inspection{}, err
	}
	return t.d.Inspect(ctx, t, l, a)
}

// examineOp is what is being tried.
func (t *Table) inspectOp(a Diagnostic) string { return "look at the " + string(a) + " of " + t.m.Table }

// one asks for one row of a column or two.
func (t *Table) one(ctx context.Context, op, sql string) (first, second string, err error) {
	_, err = t.each(ctx, op, Query{Text: sql}, func(v []any) {
		if first = Text(v[0]); len(v) > 1 {
			second = Text(v[1])
		}
	})
	return first, second, err
}

// index is one of the table's.
type Index struct {
	Name  string
	FirstColumn string // its first column; "" = an expression
	Where string // of which rows it is; "" = all
}

// indexed judges the table's indexes: each page should meet pending rows only.
func (t *Table) indexed(all []Index) Inspection {
	status := t.m.StatusName.Fold()
	for _, i := range all {
		switch {
		case strings.Contains(strings.ToUpper(i.Where), status) && strings.Contains(i.Where, t.m.Pending):
			return Inspection{Message: fmt.Sprintf("the index %s has the pending rows alone", i.Name)}
		case i.Where == "" && i.FirstColumn != "" && t.d.Matches(t.m.StatusName, i.FirstColumn):
			return Inspection{Message: fmt.Sprintf("the index %s begins with %s", i.Name, t.m.Status)}
		}
	}
	return Inspection{
		Message: fmt.Sprintf("no index of %s begins with %s, so each page walks over rows that were finished long ago (of a view, see the tables behind it)", t.m.Table, t.m.Status),
		Hint: "have the table's owner run " + t.d.Advice()[0].Text,
	}
}

// planned judges a plan, which is told step by step.
func planned(steps []string, slow bool) Inspection {
	r := Inspection{Message: "a page is read so: " + strings.Join(steps, "; ")}
	if slow {
		r.Hint = "an index keeps it from reading the whole table: pombo sql suggests one"
	}
	return r
}

// Clocks that differ by less do no harm: nobody gives the time of a row to the
// second.
const farOff = time.Minute

// timed judges the database's clock, which showed utc between begun and ended, and
// local, the wall clock by which it writes times without a zone.
func (t *Table) timed(l Layout, utc, local string, begun, ended time.Time) (Inspection, error) {
	at, err := time.Parse(time.DateTime, utc)
	if err != nil {
		return Inspection{}, err
	}
	wall, err := time.Parse(time.DateTime, local)
	if err != nil {
		return Inspection{}, err
	}
	var off time.Duration // how far theirs is ahead; it tells whole seconds
	switch {
	case at.Before(begun.Add(-time.Second)):
		off = at.Sub(begun)
	case at.After(ended):
		off = at.Sub(ended)
	}
	if off.Abs() > farOff {
		word := "ahead of"
		if off < 0 {
			word = "behind"
		}
		return Inspection{
			Message: fmt.Sprintf("the database's clock is %s %s this machine's", off.Abs().Round(time.Second), word),
			Hint: "set both by a time server (NTP): rows would be sent too early or too late, or expire",
		}, nil
	}
	_, seconds := at.In(t.m.Zone).Zone()
	ours, theirs := time.Duration(seconds)*time.Second, wall.Sub(at).Round(time.Minute)
	if ours == theirs || !t.timesWithoutZone(l) {
		return Inspection{Message: "the database's clock agrees with this machine's"}, nil
	}
	return Inspection{
		Message: fmt.Sprintf("it is %s in the database and %s in %s (DB_TIMEZONE), and times of the table have no zone", wall.Format("15:04"), at.In(t.m.Zone).Format("15:04"), t.m.Zone),
		Hint: "set DB_TIMEZONE to the zone in which those who fill the table write its times, unless it is that already",
	}, nil
}

// timesWithoutZone reports whether a mapped column holds the time of a wall clock.
func (t *Table) timesWithoutZone(l Layout) bool {
	return slices.ContainsFunc(t.m.Mapped(), func(v MappedColumn) bool {
		if v.Role != RoleSendAfter && v.Role != RoleExpires && v.Role != RoleSentAt {
			return false
		}
		declared := strings.ToUpper(t.column(l.Columns, v.Name).Declared)
		return (strings.HasPrefix(declared, "DATE") || strings.HasPrefix(declared, "TIMESTAMP")) && !strings.Contains(declared, "WITH TIME ZONE")
	})
}

// soon is how long before its end a password is spoken of.
const soon = 14 * 24 * time.Hour

// expiring judges when the password expires, by the clock by which the database
// tells it; "" is never. todo is how it is kept from doing so.
func expiring(at, now, todo string) (Inspection, error) {
	if at == "" {
		return Inspection{Message: "the password does not expire"}, nil
	}
	end, err := time.Parse(time.DateTime, at)
	if err != nil {
		return Inspection{}, err
	}
	begun, err := time.Parse(time.DateTime, now)
	if err != nil {
		return Inspection{}, err
	}
	const day = 24 * time.Hour
	left := end.Sub(begun)
	n, unit := int(left/day), "days"
	if n == 1 {
		unit = "day"
	}
	r := Inspection{Message: fmt.Sprintf("the password expires in %d %s, on %s", n, unit, end.Format(time.DateOnly))}
	if left < 0 {
		r.Message = "the password has expired on " + end.Format(time.DateOnly)
	}
	if left < soon {
		r.Hint = "set a new one in time and write it to DB_PASSWORD or DB_URL; " + todo
	}
	return r, nil
}
