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
type Aspect string

// The aspects. Not every kind of database has all of them.
const (
	Index    Aspect = "index"    // on the status
	Plan     Aspect = "plan"     // of the page query
	Charset  Aspect = "charset"  // in which texts are kept
	Clock    Aspect = "clock"    // of the database, and its time zone
	Password Aspect = "password" // and when it expires
	Locks    Aspect = "locks"    // whether rows can be locked one by one
)

// Remark is what Examine has found. It holds no value of any row.
type Remark struct {
	What string
	Hint string // "" = nothing needs to be done
	// Unasked says that looking would have changed something; What says how
	// others can look.
	Unasked bool
}

// Aspects lists what Examine can look at.
func (t *Table) Aspects() []Aspect { return t.d.aspects() }

// Examine looks at one of Aspects and changes nothing. The table must be one that
// Check finds nothing wrong with.
func (t *Table) Examine(ctx context.Context, a Aspect) (Remark, error) {
	l, err := t.layout(ctx)
	if err != nil {
		return Remark{}, err
	}
	return t.d.examine(ctx, t, l, a)
}

// examineOp is what is being tried.
func (t *Table) examineOp(a Aspect) string { return "look at the " + string(a) + " of " + t.m.Table }

// one asks for one row of a column or two.
func (t *Table) one(ctx context.Context, op, sql string) (first, second string, err error) {
	_, err = t.each(ctx, op, query{text: sql}, func(v []any) {
		if first = text(v[0]); len(v) > 1 {
			second = text(v[1])
		}
	})
	return first, second, err
}

// index is one of the table's.
type index struct {
	name  string
	first string // its first column; "" = an expression
	where string // of which rows it is; "" = all
}

// indexed judges the table's indexes: each page should meet pending rows only.
func (t *Table) indexed(all []index) Remark {
	status := t.m.status.fold()
	for _, i := range all {
		switch {
		case strings.Contains(strings.ToUpper(i.where), status) && strings.Contains(i.where, t.m.Pending):
			return Remark{What: fmt.Sprintf("the index %s has the pending rows alone", i.name)}
		case i.where == "" && i.first != "" && t.d.matches(t.m.status, i.first):
			return Remark{What: fmt.Sprintf("the index %s begins with %s", i.name, t.m.Status)}
		}
	}
	return Remark{
		What: fmt.Sprintf("no index of %s begins with %s, so each page walks over rows that were finished long ago (of a view, see the tables behind it)", t.m.Table, t.m.Status),
		Hint: "have the table's owner run " + t.d.advice()[0].Text,
	}
}

// planned judges a plan, which is told step by step.
func planned(steps []string, slow bool) Remark {
	r := Remark{What: "a page is read so: " + strings.Join(steps, "; ")}
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
func (t *Table) timed(l layout, utc, local string, begun, ended time.Time) (Remark, error) {
	at, err := time.Parse(time.DateTime, utc)
	if err != nil {
		return Remark{}, err
	}
	wall, err := time.Parse(time.DateTime, local)
	if err != nil {
		return Remark{}, err
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
		return Remark{
			What: fmt.Sprintf("the database's clock is %s %s this machine's", off.Abs().Round(time.Second), word),
			Hint: "set both by a time server (NTP): rows would be sent too early or too late, or expire",
		}, nil
	}
	_, seconds := at.In(t.m.Zone).Zone()
	ours, theirs := time.Duration(seconds)*time.Second, wall.Sub(at).Round(time.Minute)
	if ours == theirs || !t.timesWithoutZone(l) {
		return Remark{What: "the database's clock agrees with this machine's"}, nil
	}
	return Remark{
		What: fmt.Sprintf("it is %s in the database and %s in %s (DB_TIMEZONE), and times of the table have no zone", wall.Format("15:04"), at.In(t.m.Zone).Format("15:04"), t.m.Zone),
		Hint: "set DB_TIMEZONE to the zone in which those who fill the table write its times, unless it is that already",
	}, nil
}

// timesWithoutZone reports whether a mapped column holds the time of a wall clock.
func (t *Table) timesWithoutZone(l layout) bool {
	return slices.ContainsFunc(t.m.mapped(), func(v value) bool {
		if v.role != forSendAfter && v.role != forExpires && v.role != forSentAt {
			return false
		}
		declared := strings.ToUpper(t.column(l.columns, v.name).declared)
		return (strings.HasPrefix(declared, "DATE") || strings.HasPrefix(declared, "TIMESTAMP")) && !strings.Contains(declared, "WITH TIME ZONE")
	})
}

// soon is how long before its end a password is spoken of.
const soon = 14 * 24 * time.Hour

// expiring judges when the password expires, by the clock by which the database
// tells it; "" is never. todo is how it is kept from doing so.
func expiring(at, now, todo string) (Remark, error) {
	if at == "" {
		return Remark{What: "the password does not expire"}, nil
	}
	end, err := time.Parse(time.DateTime, at)
	if err != nil {
		return Remark{}, err
	}
	begun, err := time.Parse(time.DateTime, now)
	if err != nil {
		return Remark{}, err
	}
	const day = 24 * time.Hour
	left := end.Sub(begun)
	n, unit := int(left/day), "days"
	if n == 1 {
		unit = "day"
	}
	r := Remark{What: fmt.Sprintf("the password expires in %d %s, on %s", n, unit, end.Format(time.DateOnly))}
	if left < 0 {
		r.What = "the password has expired on " + end.Format(time.DateOnly)
	}
	if left < soon {
		r.Hint = "set a new one in time and write it to DB_PASSWORD or DB_URL; " + todo
	}
	return r, nil
}
