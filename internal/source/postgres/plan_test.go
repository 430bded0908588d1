package postgres

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"pombo/internal/source"
	"pombo/test/sourcetest"
)

// The statements must stay on the key and on the index that Advice names, also
// when the company has an index that looks better than it is.
func TestPostgres_Plans(t *testing.T) {
	for _, c := range []struct{ key, from string }{
		{"bigint", "n"}, {"varchar(20)", "'PED-' || lpad(n::text, 6, '0')"}, {"uuid", "lpad(n::text, 32, '0')::uuid"}, {"char(12)", "'PED-' || lpad(n::text, 6, '0')"},
	} {
		t.Run(c.key, func(t *testing.T) {
			dsn, owner := company(t, postgresTable(c.key+" PRIMARY KEY", "smallint"),
				`INSERT INTO notificacao SELECT `+c.from+`, '1', 'a', 'b', CASE WHEN n % 100 = 0 THEN 1 ELSE 2 END FROM generate_series(1, 50000) AS s (n)`, `ANALYZE notificacao`)
			table := at(t, dsn, sourcetest.Defaults())
			d, query := dialectAt(t, dsn)
			columns, err := d.Columns(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			l := source.Layout{Columns: columns, Matches: d.Matches}
			if l.Kinds, err = d.Kinds(t.Context(), query, l); err != nil {
				t.Fatal(err)
			}
			keys := sourcetest.Keys(t, table)
			var args []any
			for _, k := range keys {
				args = append(args, k)
			}
			queries := map[string]source.Query{
				"first": d.Page(l, nil, 100), "page": d.Page(l, keys[50], 100),
				"statuses": d.Statuses(l, args)[0], "settle": d.Settle(l, move("1", "2", keys...), time.Second).Query,
			}
			check := func(when string) {
				t.Helper()
				for name, q := range queries {
					if got := planOf(t, query, q); !strings.Contains(got, "Index") || strings.Contains(got, "Sort") || strings.Contains(got, "Seq Scan") {
						t.Errorf("%s, %s: the plan is\n%s\nwant an index, no sort and no scan", name, when, got)
					}
				}
			}
			check("without an index")
			do(t, owner, table.Advice()[0].Text, "ANALYZE notificacao")
			check("with the index")
			do(t, owner, "CREATE INDEX s ON notificacao (cd_status)", "ANALYZE notificacao")
			check("with an index on the status")
			for _, name := range []string{"first", "page"} {
				if got := planOf(t, query, queries[name]); !strings.Contains(got, "notificacao_pending") {
					t.Errorf("%s does not use the index that is advised:\n%s", name, got)
				}
			}
			if got := planOf(t, query, queries["settle"]); strings.Contains(got, "Aggregate") || strings.Contains(got, "InitPlan") {
				t.Errorf("settle runs the sub-selects that are there for the types:\n%s", got)
			}
		})
	}
}

// dialectAt returns a dialect, and what it asks through: a pool of its own driver, as
// the plan depends on how the arguments travel.
func dialectAt(t *testing.T, dsn string) (*dialect, source.Querier) {
	t.Helper()
	m, err := source.ParseMapping(sourcetest.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDialect(source.Options{URL: dsn, Timeout: 20 * time.Second, Now: time.Now}, m)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Connector()
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return d, func(ctx context.Context, _ string, q source.Query, f func([]any)) (n int, err error) {
		rows, err := db.QueryContext(ctx, q.Text, q.Args...)
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return 0, err
		}
		for ; rows.Next(); n++ {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				return n, err
			}
			f(values)
		}
		return n, rows.Err()
	}
}

func planOf(t *testing.T, query source.Querier, q source.Query) string {
	t.Helper()
	var lines []string
	if _, err := query(t.Context(), "explain", source.Query{Text: "EXPLAIN " + q.Text, Args: q.Args}, func(v []any) { lines = append(lines, source.Text(v[0])) }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
