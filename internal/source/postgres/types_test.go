package postgres

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"pombo/internal/source"
	"pombo/test/sourcetest"
)

// Keys and statuses of every type that they may have.
func TestPostgres_Types(t *testing.T) {
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

// A key that the column cannot hold belongs to no row, and is not an error.
func TestPostgres_KeysThatNoRowCanHave(t *testing.T) {
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

func TestPostgres_UnusableKeys(t *testing.T) {
	dsn, owner := company(t, postgresTable("numeric", "integer"),
		`INSERT INTO notificacao (id, cd_status) VALUES (1, 1), (NULL, 1), (2.5, 1), (3, 1), (3, 1), (4, 1), ('NaN', 1)`)
	table := at(t, dsn, sourcetest.Defaults())
	for range 2 {
		if diff := cmp.Diff([]string{"1", "4"}, sourcetest.Keys(t, table)); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		if got := len(table.Problems()); got != 2 { // 2.5 and NaN are one sentence; 3 is reported once
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
func TestPostgres_Collations(t *testing.T) {
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
func TestPostgres_Values(t *testing.T) {
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
func TestPostgres_SentAt(t *testing.T) {
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
