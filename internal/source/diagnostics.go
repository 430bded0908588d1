package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Diagnostic is something about a database that the work can do without, but not
// well. The string names it.
type Diagnostic string

// The diagnostics. Only DiagnosticIndex exists for every kind of database.
const (
	DiagnosticIndex    Diagnostic = "index"    // on the status
	DiagnosticPlan     Diagnostic = "plan"     // of the page query
	DiagnosticCharset  Diagnostic = "charset"  // in which texts are stored
	DiagnosticClock    Diagnostic = "clock"    // of the database, and its time zone
	DiagnosticPassword Diagnostic = "password" // and when it expires
	DiagnosticLocks    Diagnostic = "locks"    // whether rows can be locked one by one
)

// Inspection is what Inspect found. It holds no value of any row.
type Inspection struct {
	Message string
	Hint    string // "" = nothing needs to be done
	// Skipped says that looking would have changed something; Message says how others
	// can look.
	Skipped bool
}

// Diagnostics lists what Inspect can look at.
func (t *Table) Diagnostics() []Diagnostic { return t.dialect.Diagnostics() }

// Inspect looks at one of Diagnostics and changes nothing. Check must find nothing
// wrong with the table.
func (t *Table) Inspect(ctx context.Context, d Diagnostic) (Inspection, error) {
	l, err := t.layout(ctx)
	if err != nil {
		return Inspection{}, err
	}
	return t.dialect.Inspect(ctx, t.query, l, d)
}

// InspectOp says what is being tried.
func (m *ParsedMapping) InspectOp(d Diagnostic) string {
	return "look at the " + string(d) + " of " + m.Table
}

// QueryRow asks for one row of one or two columns.
func QueryRow(ctx context.Context, query Querier, op, text string) (first, second string, err error) {
	_, err = query(ctx, op, Query{Text: text}, func(v []any) {
		if first = Text(v[0]); len(v) > 1 {
			second = Text(v[1])
		}
	})
	return first, second, err
}

// Index is an index of the table.
type Index struct {
	Name        string
	FirstColumn string // "" = an expression
	Where       string // the rows that it covers; "" = all
}

// JudgeIndexes looks for an index that lets each page meet pending rows only. create
// is the statement that makes one.
func JudgeIndexes(m *ParsedMapping, l Layout, all []Index, create string) Inspection {
	status := m.StatusName.Fold()
	for _, i := range all {
		switch {
		case strings.Contains(strings.ToUpper(i.Where), status) && strings.Contains(i.Where, m.Pending):
			return Inspection{Message: fmt.Sprintf("the index %s has the pending rows alone", i.Name)}
		case i.Where == "" && i.FirstColumn != "" && l.Matches(m.StatusName, i.FirstColumn):
			return Inspection{Message: fmt.Sprintf("the index %s begins with %s", i.Name, m.Status)}
		}
	}
	return Inspection{
		Message: fmt.Sprintf("no index of %s begins with %s, so each page walks over rows that were finished long ago (of a view, see the tables behind it)", m.Table, m.Status),
		Hint:    "have the table's owner run " + create,
	}
}

// JudgePlan describes a plan by its steps.
func JudgePlan(steps []string, slow bool) Inspection {
	found := Inspection{Message: "a page is read so: " + strings.Join(steps, "; ")}
	if slow {
		found.Hint = "an index keeps it from reading the whole table: pombo sql suggests one"
	}
	return found
}

// maxClockOffset is how far apart two clocks may be. A smaller offset does no harm:
// nobody sets the time of a row to the second.
const maxClockOffset = time.Minute

// JudgeClock judges the database's clock, which showed utc between begun and ended.
// local is the wall clock by which it writes times without a zone.
func JudgeClock(m *ParsedMapping, l Layout, utc, local string, begun, ended time.Time) (Inspection, error) {
	at, err := time.Parse(time.DateTime, utc)
	if err != nil {
		return Inspection{}, err
	}
	wall, err := time.Parse(time.DateTime, local)
	if err != nil {
		return Inspection{}, err
	}
	var offset time.Duration // the database's clock minus ours; it shows whole seconds
	switch {
	case at.Before(begun.Add(-time.Second)):
		offset = at.Sub(begun)
	case at.After(ended):
		offset = at.Sub(ended)
	}
	if offset.Abs() > maxClockOffset {
		direction := "ahead of"
		if offset < 0 {
			direction = "behind"
		}
		return Inspection{
			Message: fmt.Sprintf("the database's clock is %s %s this machine's", offset.Abs().Round(time.Second), direction),
			Hint:    "set both by a time server (NTP): rows would be sent too early or too late, or expire",
		}, nil
	}
	_, seconds := at.In(m.Zone).Zone()
	ours, theirs := time.Duration(seconds)*time.Second, wall.Sub(at).Round(time.Minute)
	if ours == theirs || !hasLocalTimes(m, l) {
		return Inspection{Message: "the database's clock agrees with this machine's"}, nil
	}
	return Inspection{
		Message: fmt.Sprintf("it is %s in the database and %s in %s (DB_TIMEZONE), and times of the table have no zone", wall.Format("15:04"), at.In(m.Zone).Format("15:04"), m.Zone),
		Hint:    "set DB_TIMEZONE to the zone in which those who fill the table write its times, unless it is that already",
	}, nil
}

// hasLocalTimes reports whether a mapped column holds times without a zone.
func hasLocalTimes(m *ParsedMapping, l Layout) bool {
	return slices.ContainsFunc(m.Mapped(), func(c MappedColumn) bool {
		if c.Role != RoleSendAfter && c.Role != RoleExpires && !c.Role.WritesTime() {
			return false
		}
		declared := strings.ToUpper(l.Declared(c.Name))
		return (strings.HasPrefix(declared, "DATE") || strings.HasPrefix(declared, "TIMESTAMP")) && !strings.Contains(declared, "WITH TIME ZONE")
	})
}

// passwordWarning is how long before a password expires the hint appears.
const passwordWarning = 14 * 24 * time.Hour

// JudgeExpiry judges when the password expires, by the clock of the database; "" is
// never. prevent says what keeps it from expiring.
func JudgeExpiry(at, now, prevent string) (Inspection, error) {
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
	found := Inspection{Message: fmt.Sprintf("the password expires in %d %s, on %s", n, unit, end.Format(time.DateOnly))}
	if left < 0 {
		found.Message = "the password expired on " + end.Format(time.DateOnly)
	}
	if left < passwordWarning {
		found.Hint = "set a new one in time and write it to DB_PASSWORD or DB_URL; " + prevent
	}
	return found, nil
}
