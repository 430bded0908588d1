package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"pombo"
	"pombo/internal/source"
	"pombo/test/postgrestest"
	"pombo/test/sourcetest"
)

// shared is the server of this package's tests. TestMain stops it.
var shared postgrestest.Shared

var drivers = []source.Driver{Driver}

// company makes a place for a test's table by running the statements, and
// returns its address and a connection for its owner.
func company(t testing.TB, statements ...string) (dsn string, owner *sql.DB) {
	t.Helper()
	dsn = shared.Schema(t)
	return dsn, connect(t, dsn, statements...)
}

func connect(t testing.TB, dsn string, statements ...string) *sql.DB {
	t.Helper()
	owner, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close() })
	do(t, owner, statements...)
	return owner
}

func do(t testing.TB, owner *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := owner.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// at opens the table at an address.
func at(t testing.TB, dsn string, m source.Mapping) *source.Table {
	t.Helper()
	return within(t, dsn, m, 20*time.Second)
}

func within(t testing.TB, dsn string, m source.Mapping, timeout time.Duration) *source.Table {
	t.Helper()
	return openWith(t, source.Options{URL: dsn, Mapping: m, Timeout: timeout}, Driver)
}

// openWith opens the table with a driver of the test's own.
func openWith(t testing.TB, opts source.Options, d source.Driver) *source.Table {
	t.Helper()
	opts.Drivers = []source.Driver{d}
	table, err := source.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = table.Close() })
	return table
}

// postgresTable is the table of simple; the type of the key and that of the
// status vary.
func postgresTable(key, status string) string {
	return fmt.Sprintf(`CREATE TABLE notificacao (id %s, nr_telefone text, nm_contato text, ds_mensagem text, cd_status %s)`, key, status)
}

// move settles rows from one status to another.
func move(from, to string, keys ...string) []pombo.Settlement {
	var batch []pombo.Settlement
	for _, k := range keys {
		batch = append(batch, pombo.Settlement{RowKey: k, Expected: from, Code: to})
	}
	return batch
}

// results writes the answers of a Settle that must go well.
func results(t *testing.T, table *source.Table, batch []pombo.Settlement) string {
	t.Helper()
	got, err := table.Settle(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, s := range got {
		words = append(words, s.Result.String())
	}
	return strings.Join(words, " ")
}

func ask(t *testing.T, owner *sql.DB, query string) string {
	t.Helper()
	var s sql.NullString
	if err := owner.QueryRowContext(t.Context(), query).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s.String
}

// Keys and statuses of every type that they may have.
func TestPostgresTypes(t *testing.T) {
	const mood = `CREATE TYPE estado AS ENUM ('PENDENTE', 'ENVIADA')`
	for _, c := range []struct {
		key, status   string
		before        string
		values        []string // of the key, as literals, in any order
		pending, sent string
		want          []string
	}{
		{key: "smallint", status: "smallint", values: []string{"10", "9", "-3"}, want: []string{"-3", "9", "10"}},
		{key: "integer", status: "numeric(1)", values: []string{"10", "2147483647"}, want: []string{"10", "2147483647"}},
		{key: "bigint", status: "double precision", values: []string{"10", "9007199254740993"}, want: []string{"10", "9007199254740993"}},
		{key: "numeric(10)", status: "numeric(5,2)", values: []string{"10", "9"}, want: []string{"9", "10"}},
		{key: "numeric(12,2)", status: "integer", values: []string{"10", "9.00"}, want: []string{"9", "10"}},
		{key: "numeric", status: "bigint", values: []string{"99999999999999999999999999999999999999", "9223372036854775808"}, want: []string{"9223372036854775808", "99999999999999999999999999999999999999"}},
		{key: "varchar(20)", status: "varchar(3)", values: []string{"'10'", "'9'", `'a"\{},''NULL'`, "' '"}, want: []string{" ", "10", "9", `a"\{},'NULL`}},
		{key: "char(10)", status: "char(3)", values: []string{"'B 2'", "'A1'"}, want: []string{"A1", "B 2"}},
		{key: "text", status: "text", values: []string{"'NULL'", "'null'", "'ç'"}, want: []string{"NULL", "null", "ç"}},
		{key: "uuid", status: "char(1)", values: []string{"'{0A000000-0000-4000-8000-000000000001}'"}, want: []string{"0a000000-0000-4000-8000-000000000001"}},
		{key: "integer", status: "boolean", values: []string{"7"}, pending: "false", sent: "true", want: []string{"7"}},
		{key: "integer", status: "estado", before: mood, values: []string{"7"}, pending: "PENDENTE", sent: "ENVIADA", want: []string{"7"}},
		{key: "codigo", status: "codigo", before: "CREATE DOMAIN codigo AS integer CHECK (VALUE > 0)", values: []string{"10", "9"}, want: []string{"9", "10"}},
	} {
		t.Run(c.key+", "+c.status, func(t *testing.T) {
			m := sourcetest.Defaults()
			if c.pending == "" {
				c.pending, c.sent = "1", "2"
			}
			m.Pending, m.Codes = c.pending, []string{c.sent}
			dsn, owner := company(t, c.before, postgresTable(c.key+" PRIMARY KEY", c.status))
			for _, v := range c.values {
				do(t, owner, fmt.Sprintf(`INSERT INTO notificacao (id, cd_status) VALUES (%s, '%s')`, v, c.pending))
			}
			table := at(t, dsn, m)
			if err := table.Check(t.Context()); err != nil {
				t.Fatalf("Check: %v", err)
			}
			if diff := cmp.Diff(c.want, sourcetest.Keys(t, table)); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			// One by one, from behind any key.
			var got []string
			for after := ""; ; after = got[len(got)-1] {
				rows, err := table.Page(t.Context(), after, 1)
				if err != nil {
					t.Fatal(err)
				}
				if len(rows) == 0 {
					break
				}
				got = append(got, rows[0].RowKey)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("keys one by one (-want +got):\n%s", diff)
			}
			before := table.Executed()
			if got := results(t, table, move(c.pending, c.sent, c.want...)); strings.ReplaceAll(got+" ", "settled ", "") != "" {
				t.Errorf("settled: %s", got)
			}
			if n := table.Executed() - before; n != 1 {
				t.Errorf("%d statements to settle, want 1", n)
			}
			if got, want := ask(t, owner, fmt.Sprintf(`SELECT count(*) FROM notificacao WHERE cd_status = '%s'`, c.sent)), fmt.Sprint(len(c.want)); got != want {
				t.Errorf("%s rows are sent, want %s", got, want)
			}
			found, err := table.Statuses(t.Context(), c.want)
			if err != nil || len(found) != len(c.want) {
				t.Fatalf("statuses = %v, %v", found, err)
			}
			for k, s := range found {
				if !source.SameCode(s, c.sent) {
					t.Errorf("status of %s = %q, want %q", k, s, c.sent)
				}
			}
		})
	}
}

// What is no key of the column is the key of no row, and no error.
func TestPostgresKeysThatNoRowCanHave(t *testing.T) {
	for declared, keys := range map[string][]string{
		"smallint":   {"32768", "1.0", "01", "+1", "x", "-0"},
		"integer":    {"2147483648", "1e3"},
		"bigint":     {"9223372036854775808"},
		"numeric(3)": {"1000", "1.0", "00", "-", "NaN", "Infinity", strings.Repeat("9", source.MaxRowKey+1)},
		"char(3)":    {"a ", "abcd", "a\x00"},
		"text":       {"\xff", strings.Repeat("x", source.MaxRowKey+1)},
		"uuid":       {"0A000000-0000-4000-8000-000000000001", "0a000000000040008000000000000001", "x"},
	} {
		dsn, _ := company(t, postgresTable(declared, "integer"))
		table := at(t, dsn, sourcetest.Defaults())
		if found, err := table.Statuses(t.Context(), keys); err != nil || len(found) != 0 {
			t.Errorf("%s: statuses = %v, %v", declared, found, err)
		}
		if got, want := results(t, table, move("1", "2", keys...)), strings.TrimSpace(strings.Repeat("gone ", len(keys))); got != want {
			t.Errorf("%s: settled %s, want %s", declared, got, want)
		}
	}
}

func TestPostgresKeysThatAreNone(t *testing.T) {
	dsn, owner := company(t, postgresTable("numeric", "integer"),
		`INSERT INTO notificacao (id, cd_status) VALUES (1, 1), (NULL, 1), (2.5, 1), (3, 1), (3, 1), (4, 1), ('NaN', 1)`)
	table := at(t, dsn, sourcetest.Defaults())
	for range 2 {
		if diff := cmp.Diff([]string{"1", "4"}, sourcetest.Keys(t, table)); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		if got := len(table.Problems()); got != 2 { // 2.5 and NaN are one sentence; 3 is told once
			t.Errorf("%d problems: %v", got, table.Problems())
		}
	}
	do(t, owner, `DROP TABLE notificacao`, postgresTable("char(5)", "integer"), `INSERT INTO notificacao (id, cd_status) VALUES ('', 1), ('a', 1)`)
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a"}, sourcetest.Keys(t, table)); diff != "" {
		t.Errorf("keys of text (-want +got):\n%s", diff)
	}
}

// Pages follow the column's own order, whatever it is.
func TestPostgresCollations(t *testing.T) {
	words := []string{"a", "B", "á", "ab", "Á", "z", "Z", "ç", "c", "d", "_", "10", "9", "a b", "a-b", "São", "Sao", "😀"}
	_, owner := company(t)
	// Machines differ in those of the system.
	known := strings.Split(ask(t, owner, `SELECT string_agg(collname, ',') FROM pg_collation`), ",")
	for _, collation := range []string{"C", "default", "pt-BR-x-icu", "en-US-x-icu", "und-x-icu", "en_US.utf8", "pt_BR.utf8"} {
		if !slices.Contains(known, collation) {
			continue
		}
		t.Run(collation, func(t *testing.T) {
			dsn, owner := company(t)
			do(t, owner, postgresTable(`varchar(20) COLLATE "`+collation+`" PRIMARY KEY`, "integer"))
			for _, w := range words {
				do(t, owner, `INSERT INTO notificacao (id, cd_status) VALUES ('`+w+`', 1)`)
			}
			want := strings.Split(ask(t, owner, `SELECT string_agg(id, ',' ORDER BY id) FROM notificacao`), ",")
			table := at(t, dsn, sourcetest.Defaults())
			var got []string
			for after := ""; ; {
				rows, err := table.Page(t.Context(), after, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rows {
					after = r.RowKey
					got = append(got, r.RowKey)
				}
				if len(rows) < 2 {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			results(t, table, move("1", "2", words...))
			if n := ask(t, owner, `SELECT count(*) FROM notificacao WHERE cd_status = 2`); n != fmt.Sprint(len(words)) {
				t.Errorf("%s rows are settled, want %d", n, len(words))
			}
		})
	}
}

// Values arrive alike however the database is set to write them.
func TestPostgresValues(t *testing.T) {
	server := shared.Server(t)
	for _, c := range []struct{ clauses, settings string }{
		{"", ""},
		{"ENCODING 'LATIN1'", "SET datestyle = 'German'; ALTER DATABASE %[1]s SET timezone = 'Asia/Kolkata'"},
		{"", "SET datestyle = 'SQL, DMY'; ALTER DATABASE %[1]s SET timezone = 'America/Noronha'; ALTER DATABASE %[1]s SET standard_conforming_strings = off; ALTER DATABASE %[1]s SET bytea_output = 'escape'"},
	} {
		t.Run(c.clauses+c.settings, func(t *testing.T) {
			dsn := server.Database(t, c.clauses)
			if c.settings != "" {
				name := regexp.MustCompile(`test_\d+`).FindString(dsn)
				if err := server.Exec(t.Context(), "postgres", strings.Split(fmt.Sprintf("ALTER DATABASE %[1]s "+c.settings, name), "; ")...); err != nil {
					t.Fatal(err)
				}
			}
			owner := connect(t, dsn+"&client_encoding=UTF8", `CREATE TABLE notificacao (id int, nr_telefone numeric(15), nm_contato char(8), ds_mensagem xml, cd_status int,
				prioridade numeric(4,1), envio timestamp, expira timestamptz, modelo varchar(9), msg uuid, enviada timestamptz, erro varchar(5))`,
				`INSERT INTO notificacao VALUES (1, 5531988880000, 'João', '<a>ação</a>', 1, 7.5, '2026-11-23 10:00:00.25', '2026-11-24 10:00:00+00', 'aviso', NULL, NULL, NULL),
					(2, NULL, NULL, NULL, 1, NULL, 'infinity', NULL, NULL, NULL, NULL, NULL)`)
			m := sourcetest.Defaults()
			m.Zone = time.FixedZone("Brasília", -3*60*60)
			m.Priority, m.SendAfter, m.Expires, m.Template = "prioridade", "envio", "expira", "modelo"
			m.MessageID, m.SentAt, m.Error = "msg", "enviada", "erro"
			table := at(t, dsn, m)
			rows, err := table.Page(t.Context(), "", 10)
			if err != nil || len(rows) != 1 {
				t.Fatalf("%d rows, %v; want 1", len(rows), err)
			}
			r := rows[0]
			got := fmt.Sprintf("%s|%s|%s|%d|%s|%s|%s", r.Recipient.Reveal(), strings.TrimSpace(r.Params[0].Value.Reveal()), r.Params[1].Value.Reveal(), r.Priority, r.SendAfter.UTC(), r.Expires.UTC(), r.Template)
			if want := "5531988880000|João|<a>ação</a>|7|2026-11-23 13:00:00.25 +0000 UTC|2026-11-24 10:00:00 +0000 UTC|aviso"; got != want {
				t.Errorf("row = %s\nwant  %s", got, want)
			}
			if p := table.Problems(); len(p) != 1 || p[0].Column != "envio" {
				t.Errorf("problems = %v, want one of envio", p)
			}
			batch := move("1", "2", "1")
			batch[0].SentAt, batch[0].MessageID, batch[0].Error = time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC), "2ed6657d-e927-568b-95e1-2665a8aea6a2", "número inválido"
			if got := results(t, table, batch); got != "settled" {
				t.Errorf("result = %s, want settled", got)
			}
			written := ask(t, owner, `SELECT concat_ws('|', cd_status, msg, extract(epoch FROM enviada)::bigint, erro) FROM notificacao WHERE id = 1`)
			if want := "2|2ed6657d-e927-568b-95e1-2665a8aea6a2|1795438800|númer"; written != want {
				t.Errorf("written = %s, want %s", written, want)
			}
		})
	}
}

// The time of sending in every type that a column for it may have.
func TestPostgresSentAt(t *testing.T) {
	for declared, want := range map[string]string{
		"text": "2026-11-22 23:30:00", "varchar(10)": "", "date": "2026-11-22", "timestamp": "2026-11-22 23:30:00", "timestamp(0) with time zone": "2026-11-23 02:30:00+00",
	} {
		dsn, owner := company(t, postgresTable("int", "int"), `ALTER TABLE notificacao ADD COLUMN enviada `+declared, `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`)
		m := sourcetest.Defaults()
		m.SentAt, m.Zone = "enviada", time.FixedZone("Brasília", -3*60*60)
		batch := move("1", "2", "1")
		batch[0].SentAt = time.Date(2026, 11, 23, 2, 30, 0, 0, time.UTC)
		result := "settled"
		if want == "" {
			result = "refused"
		}
		if got := results(t, at(t, dsn, m), batch); got != result {
			t.Errorf("%s: %s, want %s", declared, got, result)
		}
		if got := ask(t, owner, `SELECT enviada FROM notificacao`); !strings.Contains(strings.NewReplacer("T", " ", "Z", "+00").Replace(got), want) {
			t.Errorf("%s: %q is written, want %q", declared, got, want)
		}
	}
}

func TestPostgresViewsAndPartitions(t *testing.T) {
	const base = `CREATE TABLE fila (id int PRIMARY KEY, fone text, situacao int)`
	const rows = `INSERT INTO fila VALUES (7, '1', 1), (8, '1', 1)`
	const columns = `SELECT id, fone AS nr_telefone, 'Ana' AS nm_contato, 'Olá' AS ds_mensagem, `
	for _, c := range []struct {
		name  string
		setup []string
		want  string
	}{
		{"a simple view", []string{base, rows, `CREATE VIEW notificacao AS ` + columns + `situacao AS cd_status FROM fila`}, "settled settled"},
		{"a view with a check", []string{base, rows, `CREATE VIEW notificacao AS ` + columns + `situacao AS cd_status FROM fila WHERE situacao = 1 OR id = 7 WITH CHECK OPTION`}, "settled refused"},
		{"a view with a trigger", []string{
			base, rows, `CREATE VIEW notificacao AS ` + columns + `situacao + 0 AS cd_status FROM fila`,
			`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE fila SET situacao = NEW.cd_status WHERE id = NEW.id; RETURN NEW; END'`,
			`CREATE TRIGGER f INSTEAD OF UPDATE ON notificacao FOR EACH ROW EXECUTE FUNCTION f()`,
		}, "settled settled"},
		{"partitions by status", []string{
			strings.Replace(base, "PRIMARY KEY", "", 1) + ` PARTITION BY LIST (situacao)`, `CREATE TABLE p1 PARTITION OF fila FOR VALUES IN (1)`, `CREATE TABLE p2 PARTITION OF fila DEFAULT`,
			rows, `CREATE VIEW notificacao AS ` + columns + `situacao AS cd_status FROM fila`,
		}, "settled settled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn, _ := company(t, c.setup...)
			table := at(t, dsn, sourcetest.Defaults())
			if err := table.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"7", "8"}, sourcetest.Keys(t, table)); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if got := results(t, table, move("1", "2", "7", "8")); got != c.want {
				t.Errorf("settled: %s, want %s", got, c.want)
			}
		})
	}
}

func TestPostgresQuotedNames(t *testing.T) {
	_, owner := company(t)
	schema := ask(t, owner, `SELECT current_schema()`)
	do(t, owner, `CREATE TABLE "Fila de Avisos" ("Nº" int PRIMARY KEY, "select" text, "a;b'$1" text, "situaÇÃo" text)`,
		`INSERT INTO "Fila de Avisos" VALUES (1, '11', 'Olá', 'N')`)
	table := at(t, shared.Server(t).DSN("postgres"), source.Mapping{ // nothing but the name leads there
		Table: strings.ToUpper(schema) + `."Fila de Avisos"`, RowKey: `"Nº"`, Phone: "SELECT", Status: "SITUAÇÃO", Pending: "N",
		Params: []source.Param{{Slot: pombo.Body, Name: `"a;b'$1"`}},
	})
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sourcetest.Keys(t, table); len(got) != 1 {
		t.Errorf("keys = %v", got)
	}
	if got := results(t, table, move("N", "S", "1")); got != "settled" {
		t.Errorf("result = %s", got)
	}
}

// The statements must stay on the key and on the index that Advice names, also
// when the company has an index that looks better than it is.
func TestPostgresPlans(t *testing.T) {
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

// The advice must be SQL that works: with the rights that it names, and no
// others, the sample table passes the check and the work can be done.
func TestPostgresAdvice(t *testing.T) {
	server := shared.Server(t)
	m := sourcetest.Defaults()
	m.Priority, m.SentAt, m.Error, m.MessageID, m.SendAfter = "NR_PRIORIDADE", "DT", "DS_ERRO", "CD_MSG", "DT_ENVIO"
	m.Table = "vendas.NOTIFICACAO"
	owner := connect(t, server.Database(t), `CREATE SCHEMA vendas`, `CREATE ROLE "pombo ""x""" LOGIN PASSWORD 'x'`)
	t.Cleanup(func() {
		for _, text := range []string{`DROP OWNED BY "pombo ""x"""`, `DROP ROLE "pombo ""x"""`} {
			if _, err := owner.Exec(text); err != nil {
				t.Error(err)
			}
		}
	})
	table := at(t, server.DSNAs(`pombo "x"`, "x", ask(t, owner, `SELECT current_database()`)), m)
	advice := table.Advice()
	for _, i := range []int{1, 0} { // the table, then its index
		do(t, owner, advice[i].Text)
	}
	sourcetest.WantError(t, table.Check(t.Context()), true, "SQLSTATE 42501", "GRANT USAGE ON SCHEMA")
	for _, a := range advice[2:] {
		do(t, owner, a.Text)
	}
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, owner, `INSERT INTO vendas.notificacao (nr_telefone) VALUES ('1'), ('2')`)
	if got := results(t, table, move("1", "2", sourcetest.Keys(t, table)...)); got != "settled settled" {
		t.Errorf("settled: %s", got)
	}
}

// The server's own log is held against what the table says it runs.
func TestPostgresLog(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{Settings: []string{"log_statement=all", "log_line_prefix=%a|", "log_connections=on"}})
	owner := connect(t, server.DSN("postgres"), postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1), (2, 1)`)
	table := at(t, server.DSN("postgres"), sourcetest.Defaults())
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys := sourcetest.Keys(t, table)
	if _, err := table.Row(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Page(t.Context(), keys[0], 10); err != nil {
		t.Fatal(err)
	}
	results(t, table, move("1", "2", "1", "2", "3"))
	for _, a := range table.Diagnostics() {
		if _, err := table.Inspect(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	do(t, owner, `ALTER TABLE notificacao RENAME TO outra`)
	sourcetest.WantError(t, table.Check(t.Context()), true, "no such table")
	listed := map[string]bool{}
	for _, s := range table.SQL() {
		listed[s.Text] = true
	}
	seen, foreign := map[string]bool{}, 0
	for line := range strings.Lines(server.Log()) {
		ours, isOurs := strings.CutPrefix(strings.TrimSpace(line), "pombo|LOG:  ")
		if !isOurs || strings.HasPrefix(ours, "connection ") {
			continue
		}
		if _, ours, isOurs = strings.Cut(ours, "execute <unnamed>: "); !isOurs || !listed[ours] {
			t.Errorf("SQL does not list %q", line)
			foreign++
		}
		seen[ours] = true
	}
	if want := len(listed) - 2; len(seen) != want || foreign > 0 { // neither a ping nor a standby
		t.Errorf("the log has %d of the statements, want %d:\n%s", len(seen), want, server.Log())
	}
}

// A check that fired a trigger would change something.
func TestPostgresCheckFiresNoTrigger(t *testing.T) {
	dsn, owner := company(t, postgresTable("int", "int"), `CREATE TABLE auditoria (n int)`,
		`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO auditoria VALUES (1); RETURN NULL; END'`,
		`CREATE TRIGGER f AFTER UPDATE ON notificacao FOR EACH STATEMENT EXECUTE FUNCTION f()`)
	if err := at(t, dsn, sourcetest.Defaults()).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := ask(t, owner, `SELECT count(*) FROM auditoria`); n != "0" {
		t.Errorf("the check fired a trigger %s times", n)
	}
}

func TestPostgresAddresses(t *testing.T) {
	dsn, owner := company(t, postgresTable("int", "int"))
	schema := ask(t, owner, `SELECT current_schema()`)
	server := shared.Server(t)
	host, port, _ := strings.Cut(server.Address(), ":")
	words := fmt.Sprintf("host=%s port=%s dbname=postgres sslmode=disable search_path=%s", host, port, schema)
	bare := fmt.Sprintf("postgresql://%s/postgres?sslmode=disable&search_path=%s", server.Address(), schema)
	for name, o := range map[string]source.Options{
		"a URL":                      {URL: dsn},
		"a URL in place of a DSN":    {DSN: dsn},
		"a URL, user apart":          {URL: bare, User: postgrestest.User, Password: postgrestest.Password},
		"words, user apart":          {DSN: words, User: postgrestest.User, Password: postgrestest.Password},
		"words":                      {DSN: words + " user=" + postgrestest.User + " password='" + postgrestest.Password + "'"},
		"several hosts, one is down": {URL: strings.Replace(dsn, server.Address(), "127.0.0.1:1,"+server.Address(), 1)},
	} {
		o.Drivers, o.Mapping, o.Timeout = drivers, sourcetest.Defaults(), 5*time.Second
		table, err := source.Open(t.Context(), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := table.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = table.Close()
	}
	for _, other := range []string{"db:1521/ORCL", "(DESCRIPTION=(ADDRESS=(HOST=db)))", "ERP", "tcps://db:1521/x?ssl_server_dn_match=on", ""} {
		if takesDSN(other) {
			t.Errorf("%q is taken for PostgreSQL's", other)
		}
	}
	const secret = "s3nha"
	for _, bad := range []string{"postgres://u:" + secret + "@h:x/d", "postgres://h/d?sslrootcert=/n%C3%A3o/h%C3%A1&sslmode=verify-full&password=" + secret, "postgres:host=x port=" + secret} {
		_, err := source.Open(t.Context(), source.Options{Drivers: drivers, URL: bad, Mapping: sourcetest.Defaults()})
		if err == nil {
			t.Errorf("%s is taken", bad)
			continue
		}
		sourcetest.WantError(t, err, true, "the address", "DB_URL=postgres://")
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error gives the password away: %v", err)
		}
	}
}

// Every array that the dialect can write is read back by the server as it was.
func FuzzPostgresArray(f *testing.F) {
	for _, s := range []string{"", "NULL", `a"b\c`, "{,}", " x ", "\n\t", "ção 😀", `\\"`} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var array array
		array.add(a)
		array.null()
		array.add(b)
		if got, want := parseArray(array.String()), []string{a, "<null>", b}; !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, want %q", array.String(), got, want)
		}
	})
}

// parseArray reads an array as the manual says that the server does (8.15.6).
func parseArray(s string) (elements []string) {
	inside, element, wasQuoted := false, []byte(nil), false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case inside && c == '\\':
			i++
			element = append(element, s[i])
		case c == '"':
			inside, wasQuoted = !inside, true
		case !inside && (c == ',' || c == '}'):
			if !wasQuoted && strings.EqualFold(string(element), "NULL") {
				element = []byte("<null>")
			}
			elements = append(elements, string(element))
			element, wasQuoted = nil, false
		default:
			element = append(element, c)
		}
	}
	return elements
}

// A pooler may give the session to anybody after each statement.
func TestPostgresLeavesNothingInTheSession(t *testing.T) {
	dsn, _ := company(t, postgresTable("int", "int"), `INSERT INTO notificacao (id, cd_status) VALUES (1, 1)`)
	var conns []*session
	one := sourcetest.With(Driver, func(d *dialect) source.Dialect { return oneSession{d, &conns} })
	table := openWith(t, source.Options{URL: dsn, Mapping: sourcetest.Defaults(), Timeout: 20 * time.Second}, one)
	session := func() string {
		t.Helper()
		if len(conns) != 1 {
			t.Fatalf("%d sessions, want 1", len(conns))
		}
		pg := conns[0].pg
		r, err := pg.Exec(t.Context(), `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) || ' ' || (SELECT count(*) FROM pg_prepared_statements) FROM pg_settings WHERE source = 'session' OR name ~ '_timeout$'`).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return string(r[0].Rows[0][0]) + string(pg.TxStatus())
	}
	if _, err := table.Statuses(t.Context(), []string{"1"}); err != nil { // connects
		t.Fatal(err)
	}
	before := session()
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	results(t, table, move("1", "2", sourcetest.Keys(t, table)...))
	if _, err := table.Settle(t.Context(), move("2", "no status", "1")); err != nil {
		t.Fatal(err)
	}
	if after := session(); after != before {
		t.Errorf("the session is %s\nand was      %s", after, before)
	}
}

// oneSession keeps one session in the pool, and remembers those that it has made.
type oneSession struct {
	*dialect
	conns *[]*session
}

func (d oneSession) Pool(db *sql.DB) { db.SetMaxOpenConns(1) }

func (d oneSession) Connector() (driver.Connector, error) {
	c, err := d.dialect.Connector()
	return remembering{c, d.conns}, err
}

type remembering struct {
	driver.Connector
	conns *[]*session
}

func (c remembering) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err == nil {
		*c.conns = append(*c.conns, conn.(*session))
	}
	return conn, err
}
