package postgres

import (
	"database/sql"
	"fmt"
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

func TestPostgres_ViewsAndPartitions(t *testing.T) {
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

func TestPostgres_QuotedNames(t *testing.T) {
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

// The advice must be SQL that works: with the rights that it names, and no
// others, the sample table passes the check and the work can be done.
func TestPostgres_Advice(t *testing.T) {
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

// A check that fired a trigger would change something.
func TestPostgres_CheckFiresNoTrigger(t *testing.T) {
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

func TestPostgres_Addresses(t *testing.T) {
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
func FuzzPostgres_Array(f *testing.F) {
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
