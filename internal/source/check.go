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

// SQL lists every statement that the table can run, with what each is for. It
// does not need the database; but see Learn.
func (t *Table) SQL() []Statement { return t.d.List() }

// Learn reads from the database what the texts of SQL depend on, if they do: in
// Oracle, the types of the columns. Without it, or when it fails, the purpose of such
// a statement says that it is as for the sample table of Advice.
func (t *Table) Introspect(ctx context.Context) error {
	if t.d.Final() {
		return nil
	}
	_, err := t.layout(ctx)
	return err
}

// Advice lists what a DBA may want to run beforehand: rights, an index, a sample
// table. Pombo runs none of it.
func (t *Table) Advice() []Statement { return t.d.Advice() }

// Check asks the database whether everything is as the work needs it: the way
// there, the table, its columns and their types, the right to read and the right
// to write. It changes nothing. The error joins everything that it found, each
// an *Error with what to do.
func (t *Table) Check(ctx context.Context) error {
	t.mu.Lock()
	t.known = nil // see the table as it is now
	t.mu.Unlock()
	l, err := t.layout(ctx)
	if err != nil {
		return err
	}
	var problems []error
	if err := t.slow.allowed(); err != nil {
		problems = append(problems, err)
	} else {
		_, err := t.each(ctx, "read pending rows of "+t.m.Table, t.d.Page(l, nil, 1), func([]any) {})
		if err := t.slow.record(ctx, t, l, err); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := t.exec(ctx, Update{Query: t.d.Probe()}); err != nil {
		problems = append(problems, t.fail(ctx, "write to "+t.m.Table, err))
	}
	return errors.Join(problems...)
}

// learn reads the table's columns and holds the mapping against them.
func (t *Table) introspect(ctx context.Context) (Layout, error) {
	columns, err := t.d.Columns(ctx, t)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Columns: columns}
	if err := t.verifyColumns(columns); err != nil {
		return Layout{}, err
	}
	status := t.column(columns, t.m.StatusName)
	if l.Kinds, err = t.d.Kinds(ctx, t, t.column(columns, t.m.KeyName), status); err != nil {
		return Layout{}, err
	}
	return l, t.verifyCodes(l.Kinds, status)
}

// column finds a column that verifyColumns has seen.
func (t *Table) column(columns []Column, n Name) Column {
	return columns[slices.IndexFunc(columns, func(c Column) bool { return t.d.Matches(n, c.Name) })]
}

func (t *Table) verifyColumns(columns []Column) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	var problems []error
	for _, v := range t.m.Mapped() {
		i := slices.IndexFunc(columns, func(c Column) bool { return t.d.Matches(v.Name, c.Name) })
		switch {
		case i < 0:
			problems = append(problems, t.wrong(v.Role, "there is no column "+v.Text, Nearest(v.Text, names)))
		case columns[i].Computed && slices.Contains(t.m.Writes, v):
			problems = append(problems, t.wrong(v.Role, v.Text+" is computed by the database and cannot be written", "map another column"))
		case columns[i].NotNull && v.Role == RoleError:
			problems = append(problems, t.wrong(v.Role, v.Text+" is NOT NULL, but is to be empty where nothing went wrong", "let the column be NULL"))
		}
	}
	return errors.Join(problems...)
}

// verifyCodes finds a code that can never be in the status column.
func (t *Table) verifyCodes(k Kinds, status Column) error {
	if k.Status != KindWhole {
		return nil
	}
	var problems []error
	for _, code := range append([]string{t.m.Pending}, t.m.Codes...) {
		if _, err := strconv.ParseFloat(code, 64); err != nil {
			problems = append(problems, t.wrong(RoleStatus, fmt.Sprintf("%s holds numbers (%s) and the code %q is none", status.Name, status.Declared, code),
				"correct the STATUS_ settings or map another column"))
		}
	}
	return errors.Join(problems...)
}

// wrong is a fault of the mapping, or of the table that it is held against.
func (t *Table) wrong(r Role, what, todo string) error {
	return &TableError{Op: "check " + t.m.Table, Permanent: true, Err: errors.New(what), Hint: todo + " (" + string(r) + ")"}
}

// nearest says which of the names was probably meant, and which there are.
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
