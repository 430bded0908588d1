package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Statement is a text of SQL and what it is for.
type Statement struct {
	Purpose string
	Text    string
}

// SQL lists every statement that the table can run, with what each is for. It does
// not need the database; but see Introspect.
func (t *Table) SQL() []Statement { return t.dialect.List() }

// Introspect reads from the database what the texts of SQL depend on: in Oracle, the
// types of the columns. Until it has succeeded, the purpose of such a statement says
// that it is written for the sample table of Advice.
func (t *Table) Introspect(ctx context.Context) error {
	if t.dialect.Final() {
		return nil
	}
	_, err := t.layout(ctx)
	return err
}

// Advice lists what a DBA may want to run first: rights, an index, a sample table.
// Pombo runs none of it.
func (t *Table) Advice() []Statement { return t.dialect.Advice() }

// Check asks the database whether everything is as the work needs it: the connection,
// the table, its columns and their types, the right to read and the right to write. It
// changes nothing. The error joins everything that it found, each a *TableError with a
// hint.
func (t *Table) Check(ctx context.Context) error {
	t.forgetLayout() // see the table as it is now
	l, err := t.layout(ctx)
	if err != nil {
		return err
	}
	var problems []error
	if err := t.slow.allowed(); err != nil {
		problems = append(problems, err)
	} else {
		_, err := t.query(ctx, "read pending rows of "+t.mapping.Table, t.dialect.Page(l, nil, 1), func([]any) {})
		if err := t.slow.record(ctx, t, l, err); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := t.exec(ctx, Update{Query: t.dialect.Probe()}); err != nil {
		problems = append(problems, t.fail(ctx, "write to "+t.mapping.Table, err))
	}
	return errors.Join(problems...)
}

// introspect reads the table's columns and compares the mapping with them.
func (t *Table) introspect(ctx context.Context) (Layout, error) {
	columns, err := t.dialect.Columns(ctx, t.query)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Columns: columns, Matches: t.dialect.Matches}
	if err := t.mapping.compareColumns(l); err != nil {
		return Layout{}, err
	}
	if l.Kinds, err = t.dialect.Kinds(ctx, t.query, l); err != nil {
		return Layout{}, err
	}
	return l, t.mapping.compareCodes(l)
}

// compareColumns reports every mapped column that is missing or cannot serve.
func (m *ParsedMapping) compareColumns(l Layout) error {
	names := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		names[i] = c.Name
	}
	var problems []error
	for _, mapped := range m.Mapped() {
		c, found := l.Column(mapped.Name)
		switch {
		case !found:
			problems = append(problems, m.Problem(mapped.Role, "there is no column "+mapped.Text, Nearest(mapped.Text, names)))
		case c.Computed && slices.Contains(m.Writes, mapped):
			problems = append(problems, m.Problem(mapped.Role, mapped.Text+" is computed by the database and cannot be written", "map another column"))
		case c.NotNull && mapped.Role == RoleError:
			problems = append(problems, m.Problem(mapped.Role, mapped.Text+" is NOT NULL, but has to be empty where nothing went wrong", "let the column be NULL"))
		}
	}
	return errors.Join(problems...)
}

// compareCodes reports every code that the status column can never hold.
func (m *ParsedMapping) compareCodes(l Layout) error {
	if l.Status != KindWhole {
		return nil
	}
	status, _ := l.Column(m.StatusName)
	var problems []error
	for _, code := range append([]string{m.Pending}, m.Codes...) {
		if _, err := strconv.ParseFloat(code, 64); err != nil {
			problems = append(problems, m.Problem(RoleStatus, fmt.Sprintf("%s holds numbers (%s) and the code %q is not a number", status.Name, status.Declared, code),
				"correct the STATUS_ settings or map another column"))
		}
	}
	return errors.Join(problems...)
}

// Problem is a fault of the mapping, or of the table that it is compared with.
func (m *ParsedMapping) Problem(r Role, message, hint string) error {
	return &TableError{Op: "check " + m.Table, Permanent: true, Err: errors.New(message), Hint: hint + " (" + string(r) + ")"}
}

// Nearest says which of the names was probably meant, or which there are.
func Nearest(wanted string, names []string) string {
	if len(names) == 0 {
		return "there is none to choose from"
	}
	best, least := "", max(2, len(wanted)/3)+1
	for _, n := range names {
		if d := levenshtein.ComputeDistance(strings.ToUpper(wanted), strings.ToUpper(n)); d < least {
			best, least = n, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	const enough = 30
	shown := names
	if len(shown) > enough {
		shown = append(slices.Clone(shown[:enough]), "…")
	}
	return "there are " + strings.Join(shown, ", ")
}
