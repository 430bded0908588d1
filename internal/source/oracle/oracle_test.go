package oracle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// brasilia is the zone of the tables here.
var brasilia = time.FixedZone("Brasília", -3*60*60)

// small is a mapping of the columns that every table here has.
func small() source.Mapping {
	return source.Mapping{
		Table: "NOTIFICACAO", RowKey: "ID", Phone: "FONE", Status: "ST", Params: []source.Param{{Slot: pombo.Body, Name: "TX"}},
		Pending: "1", Codes: []string{"2"}, Zone: brasilia,
	}
}

// pendingTable makes a table for small, with n pending rows whose keys are 1 to n.
func pendingTable(t testing.TB, d *oracletest.Double, name string, n int) *oracletest.Table {
	t.Helper()
	table := newOracleTable(t, d, name, "ID NUMBER(19) PRIMARY KEY", "FONE VARCHAR2(20)", "TX CLOB", "ST NUMBER(1) NOT NULL", "MSG VARCHAR2(36)", "DT DATE", "ERRO VARCHAR2(40)")
	rows := make([]oracletest.Row, n)
	for i := range rows {
		rows[i] = oracletest.Row{"ID": i + 1, "FONE": "(31) 98888-0000", "TX": "Olá, João", "ST": 1}
	}
	if err := table.Insert(rows...); err != nil {
		t.Fatal(err)
	}
	return table
}

// batchOf settles rows 1 to n.
func batchOf(n int) []pombo.Settlement {
	batch := make([]pombo.Settlement, n)
	for i := range batch {
		batch[i] = pombo.Settlement{Seq: int64(i + 1), RowKey: fmt.Sprint(i + 1), Expected: "1", Code: "2"}
	}
	return batch
}

func mustPage(t testing.TB, table *source.Table, after string, limit int) []pombo.Row {
	t.Helper()
	rows, err := table.Page(t.Context(), after, limit)
	if err != nil {
		t.Fatalf("Page: %v", err)
	}
	return rows
}

func mustSettle(t testing.TB, table *source.Table, want pombo.SettleResult, batch ...pombo.Settlement) []pombo.Settled {
	t.Helper()
	answers, err := table.Settle(t.Context(), batch)
	if err != nil {
		t.Fatalf("Settle: %v", err)
	}
	for _, a := range answers {
		if a.Result != want {
			t.Errorf("row %s is %s (%s), want %s", a.RowKey, a.Result, a.Detail, want)
		}
	}
	return answers
}

func keysOf(rows []pombo.Row) []string {
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.RowKey)
	}
	return keys
}

// Every type that a company's table may have, in one row that comes back as it is.
func TestOracle_Types(t *testing.T) {
	nightly.WithoutRace(t)
	for _, version := range []oracletest.Version{oracletest.Oracle10, oracletest.Oracle11, oracletest.Oracle12, oracletest.Oracle19, oracletest.Oracle21} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			d := startOracle(t, oracletest.Options{Version: version})
			company := newOracleTable(t, d, "NOTIFICACAO", "ID NUMBER(38) PRIMARY KEY", "FONE NUMBER(13)", "TX NCLOB", "NOME NVARCHAR2(60)", "SALA CHAR(10)", "QUANDO DATE",
				"ENVIO TIMESTAMP", "EXPIRA DATE", "PRIO NUMBER(2)", "ST CHAR(3)", "MSG VARCHAR2(36)", "DT TIMESTAMP", "ERRO VARCHAR2(20 CHAR)")
			const key, next = "12345678901234567890123456789012345678", "12345678901234567890123456789012345679"
			if err := company.Insert(oracletest.Row{
				"ID": key, "FONE": "5531988880000", "TX": strings.Repeat("ç", 3000), "NOME": "Conceição", "SALA": "3B", "QUANDO": time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC),
				"ENVIO": time.Date(2026, 11, 23, 10, 0, 0, 250e6, time.UTC), "EXPIRA": time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), "PRIO": 7, "ST": "P",
			}, oracletest.Row{"ID": next, "ST": "P"}, oracletest.Row{"ID": 5, "ST": "P"}, oracletest.Row{"ID": 7, "ST": nil}); err != nil {
				t.Fatal(err)
			}
			m := small()
			m.Params = nil
			for _, c := range []string{"TX", "NOME", "SALA", "QUANDO"} {
				m.Params = append(m.Params, source.Param{Slot: pombo.Body, Name: c})
			}
			m.SendAfter, m.Expires, m.Priority, m.MessageID, m.SentAt, m.Error = "ENVIO", "EXPIRA", "PRIO", "MSG", "DT", "ERRO"
			m.Pending, m.Codes = "P", []string{"E"}
			table := openOracle(t, d, m)
			if err := table.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			rows := mustPage(t, table, "", 10)
			if diff := cmp.Diff([]string{"5", key, next}, keysOf(rows)); diff != "" {
				t.Fatalf("keys (-want +got):\n%s", diff)
			}
			var params []string
			for _, p := range rows[1].Params {
				params = append(params, p.Value.Reveal())
			}
			if diff := cmp.Diff([]string{strings.Repeat("ç", 3000), "Conceição", "3B        ", "2026-11-23 08:30:00"}, params); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
			if got := rows[1].Recipient.Reveal(); got != "5531988880000" {
				t.Errorf("phone = %q", got)
			}
			if got, want := rows[1].SendAfter, time.Date(2026, 11, 23, 10, 0, 0, 250e6, brasilia); !got.Equal(want) {
				t.Errorf("send after = %s, want %s", got, want)
			}
			if got, want := rows[1].Expires, time.Date(2026, 11, 24, 0, 0, 0, 0, brasilia); !got.Equal(want) {
				t.Errorf("expires = %s, want %s", got, want)
			}
			if rows[1].Priority != 7 || rows[0].Recipient != "" || !rows[0].SendAfter.IsZero() {
				t.Errorf("row = %+v, NULLs = %+v", rows[1], rows[0])
			}
			if got := keysOf(mustPage(t, table, key, 10)); len(got) != 1 || got[0] != next {
				t.Errorf("keys behind %s = %v, want %s", key, got, next)
			}
			found, err := table.Statuses(t.Context(), []string{key, next, "7", "8", "x"})
			if diff := cmp.Diff(map[string]string{key: "P", next: "P", "7": ""}, found); diff != "" || err != nil {
				t.Errorf("statuses, %v (-want +got):\n%s", err, diff)
			}
			mustSettle(t, table, pombo.SettleDone, pombo.Settlement{
				RowKey: key, Expected: "P", Code: "E", MessageID: "2ed6657d-e927-568b-95e1-2665a8aea6a2", SentAt: time.Date(2026, 11, 23, 13, 0, 0, 5e6, time.UTC), Error: strings.Repeat("ã", 30),
			})
			r, _ := company.Row(key)
			want := oracletest.Row{"ST": "E  ", "MSG": "2ed6657d-e927-568b-95e1-2665a8aea6a2", "DT": time.Date(2026, 11, 23, 10, 0, 0, 5e6, time.UTC), "ERRO": strings.Repeat("ã", 20)}
			for column, w := range want {
				if diff := cmp.Diff(w, r[column]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", column, diff)
				}
			}
			holdOracle(t, d, table)
		})
	}
}

// Accents survive both ways, in keys too, and in CHARs of any character set.
func TestOracle_Charsets(t *testing.T) {
	nightly.WithoutRace(t)
	for _, charset := range []oracletest.Charset{oracletest.AL32UTF8, oracletest.WE8MSWIN1252, oracletest.WE8ISO8859P1, oracletest.WE8ISO8859P15} {
		for _, keyType := range []string{"VARCHAR2(12)", "CHAR(12)", "CHAR(12 CHAR)"} {
			t.Run(charset.String()+" "+keyType, func(t *testing.T) {
				d := startOracle(t, oracletest.Options{Charset: charset})
				company := newOracleTable(t, d, "NOTIFICACAO", "ID "+keyType+" PRIMARY KEY", "FONE VARCHAR2(20)", "TX CLOB", "ST VARCHAR2(1)", "ERRO VARCHAR2(12)")
				const text = "Olá João, sua ação às 10h: não é você?"
				if err := company.Insert(oracletest.Row{"ID": "AÇÃO 1", "FONE": "1", "TX": text, "ST": "1"}, oracletest.Row{"ID": "AÇÃO 2", "FONE": "1", "TX": text, "ST": "1"}); err != nil {
					t.Fatal(err)
				}
				m := small()
				m.Error = "ERRO"
				table := openOracle(t, d, m)
				rows := mustPage(t, table, "AÇÃO 1", 10)
				if len(rows) != 1 || rows[0].RowKey != "AÇÃO 2" || rows[0].Params[0].Value.Reveal() != text {
					t.Fatalf("page behind the first key = %v", keysOf(rows))
				}
				mustSettle(t, table, pombo.SettleDone, pombo.Settlement{RowKey: "AÇÃO 2", Expected: "1", Code: "2", Error: "ação não é válida"})
				mustSettle(t, table, pombo.SettleDiverged, pombo.Settlement{RowKey: "AÇÃO 2", Expected: "1", Code: "3"})
				r, _ := company.Row("AÇÃO 2")
				// VARCHAR2(12) may mean bytes; what fits in any character set is written.
				if r["ERRO"] != "ação não " || r["ST"] != "2" {
					t.Errorf("row = %v, want the error, cut to its column, and the status", r)
				}
			})
		}
	}
}

// Keys, codes and limits of number columns are bound as NUMBER, even the longest; a code
// that is not a number is not, and is refused.
func TestOracle_Numbers(t *testing.T) {
	nightly.WithoutRace(t)
	d := startOracle(t, oracletest.Options{})
	company := newOracleTable(t, d, "NOTIFICACAO", "ID NUMBER(38) PRIMARY KEY", "FONE VARCHAR2(20)", "TX CLOB", "ST NUMBER(3)")
	keys := []string{"-12345678901234567890123456789012345678", "-1000", "-7", "0", "9", "10", "700", "99999999999999999999", "12345678901234567890123456789012345670"}
	for _, k := range keys {
		if err := company.Insert(oracletest.Row{"ID": k, "ST": 1}); err != nil {
			t.Fatal(err)
		}
	}
	table := openOracle(t, d, small())
	for i := range keys {
		after := ""
		if i > 0 {
			after = keys[i-1]
		}
		if diff := cmp.Diff(keys[i:], keysOf(mustPage(t, table, after, 20))); diff != "" {
			t.Errorf("behind %q (-want +got):\n%s", after, diff)
		}
	}
	d.Forget()
	for _, k := range keys {
		mustSettle(t, table, pombo.SettleDone, pombo.Settlement{RowKey: k, Expected: "1", Code: "2"})
	}
	numbers := map[int]int{}
	for _, c := range d.Calls() {
		if c.Step == oracletest.Write {
			numbers[c.Numbers]++
		}
	}
	if numbers[3] != len(keys)-1 || numbers[2] != 1 { // but for the first key
		t.Errorf("updates by how many of their binds are NUMBERs: %v", numbers)
	}
	answers, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "9", Expected: "2", Code: "X"}})
	if err != nil || answers[0].Result != pombo.SettleRefused {
		t.Errorf("answers = %+v, %v; want the row refused", answers, err)
	}
}

// A NUL in a key stops that row alone.
func TestOracle_KeysWithNUL(t *testing.T) {
	nightly.WithoutRace(t)
	d := startOracle(t, oracletest.Options{})
	company := newOracleTable(t, d, "NOTIFICACAO", "ID VARCHAR2(12) PRIMARY KEY", "FONE VARCHAR2(20)", "TX CLOB", "ST NUMBER(1)")
	if err := company.Insert(oracletest.Row{"ID": "a", "ST": 1}, oracletest.Row{"ID": "b\x00c", "ST": 1}, oracletest.Row{"ID": "d", "ST": 1}); err != nil {
		t.Fatal(err)
	}
	table := openOracle(t, d, small())
	if diff := cmp.Diff([]string{"a", "d"}, keysOf(mustPage(t, table, "", 10))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if p := table.Problems(); len(p) != 1 || p[0].Column != "ID" || !strings.Contains(p[0].Message, "NUL") {
		t.Errorf("problems = %v, want one of ID that says NUL", p)
	}
}

// The budget is 0.05 statements and round trips for a message, the login aside.
// The limit here is nearer, so that nobody spends the difference unseen.
func TestOracle_RoundTrips(t *testing.T) {
	const n, batch, most = 2000, 500, 0.02
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", n)
	m := small()
	m.MessageID, m.SentAt, m.Error = "MSG", "DT", "ERRO"
	table := openOracle(t, d, m)
	mustPage(t, table, "", 1) // logs in and learns
	d.Forget()
	before := table.Executed()
	after, read := "", 0
	for {
		rows := mustPage(t, table, after, batch)
		read += len(rows)
		if len(rows) < batch {
			break
		}
		after = rows[len(rows)-1].RowKey
	}
	all := batchOf(n)
	for i := 0; i < n; i += batch {
		mustSettle(t, table, pombo.SettleDone, all[i:i+batch]...)
	}
	statements, trips := float64(table.Executed()-before)/n, float64(len(d.Calls()))/n
	t.Logf("%d rows: %.4f statements and %.4f round trips a message", read, statements, trips)
	if read != n || statements > most || trips > most {
		t.Errorf("%d rows, %.4f statements, %.4f round trips a message; want %d and at most %g", read, statements, trips, n, most)
	}
}

// The DBA sees who it is.
func TestOracle_NamesItsSessions(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 1)
	table := openOracle(t, d, small())
	mustPage(t, table, "", 1)
	sessions := d.Sessions()
	if len(sessions) != 1 || sessions[0].Module != "Pombo" || sessions[0].Action != "intake and settle" || sessions[0].Program != "pombo" {
		t.Errorf("sessions = %+v, want one of Pombo", sessions)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Calls() {
		if c.Step == oracletest.Logoff {
			return
		}
	}
	t.Error("no logoff at Close")
}

// What the mapping means in Oracle, and what is said where it means nothing.
func TestOracle_Names(t *testing.T) {
	nightly.WithoutRace(t)
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "ERP.NOTIFICACAO", 1)
	pendingTable(t, d, "ERP.MENSAGENS", 1)
	newOracleTable(t, d, "ERP.DATAS", "DT DATE PRIMARY KEY", "FONE VARCHAR2(20)", "TX CLOB", "ST NUMBER(1)", "BIN RAW(8)")
	newOracleTable(t, d, "ERP.CAIXA", `"id" NUMBER(9) PRIMARY KEY`, "FONE VARCHAR2(20)", "TX CLOB", "ST NUMBER(1)")
	d.Synonym("AVISO", "ERP.NOTIFICACAO")
	d.Synonym("LONGE", "ERP.NOTIFICACAO@MATRIZ.WORLD")
	newOracleTable(t, d, "ERP.LONGO", "ID NUMBER(9) PRIMARY KEY", "FONE VARCHAR2(20)", "OBS LONG", "ST NUMBER(1)")
	for _, c := range []struct {
		name   string
		change func(*source.Mapping)
		want   string // in the error; "" = none
	}{
		{"schema", func(m *source.Mapping) { m.Table = "erp.notificacao" }, ""},
		{"synonym", func(m *source.Mapping) { m.Table = "aviso" }, ""},
		{"other schema", func(*source.Mapping) {}, "sees no such table, view or synonym; did you mean ERP.NOTIFICACAO?"},
		{"misspelled", func(m *source.Mapping) { m.Table = "ERP.MENSAGEM" }, "did you mean ERP.MENSAGENS?"},
		{"quoted lower case", func(m *source.Mapping) { m.Table, m.RowKey = "ERP.CAIXA", `"id"` }, ""},
		{"unquoted means upper case", func(m *source.Mapping) { m.Table = "ERP.CAIXA" }, "there is no column ID; did you mean id?"},
		{"column", func(m *source.Mapping) { m.Table, m.Phone = "AVISO", "FONES" }, "there is no column FONES; did you mean FONE? (DB_COL_PHONE)"},
		{"a table behind a link", func(m *source.Mapping) { m.Table = "longe" }, "the synonym means a table of another database, behind the link MATRIZ.WORLD, which is not supported; name that database in DB_DSN"},
		{"a LONG", func(m *source.Mapping) {
			m.Table, m.Params = "ERP.LONGO", []source.Param{{Slot: pombo.Body, Name: "OBS"}}
		}, "OBS is of type LONG, which cannot be read as text in parts; map a column of VARCHAR2 or CLOB"},
		{"a key of times", func(m *source.Mapping) { m.Table, m.RowKey = "ERP.DATAS", "DT" }, "DT is of type DATE; map one column of whole numbers"},
		{"a status of bytes", func(m *source.Mapping) { m.Table, m.RowKey, m.Status = "ERP.DATAS", "FONE", "BIN" }, "BIN is of type RAW(8); map a column of NUMBER"},
		{"a code that is no number", func(m *source.Mapping) { m.Table, m.Codes = "AVISO", []string{"X"} }, `ST holds numbers (NUMBER(1)) and the code "X" is not a number`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := small()
			c.change(&m)
			wantError(t, openOracle(t, d, m).Check(t.Context()), c.want)
		})
	}
	m := small()
	m.RowKey = "ID, EMPRESA"
	_, err := source.Open(t.Context(), source.Options{Drivers: []source.Driver{oracle.Driver}, URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP", Mapping: m})
	wantError(t, err, `"ID, EMPRESA" is not one name; set DB_COL_ID`)
}

// wantError fails the test unless the error says want; "" means no error. It must not
// contain the password.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error = %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error = %v, want it to say %q", err, want)
	case err != nil && strings.Contains(err.Error(), "s3nha"):
		t.Errorf("error tells the password: %v", err)
	}
}

// What is printed for a DBA does not need the database, and is what runs on the
// sample table.
func TestOracle_Advice(t *testing.T) {
	nightly.WithoutRace(t)
	m := sourcetest.Mapping()
	m.Table = "ERP.NOTIFICACAO"
	table := openOracleWith(t, source.Options{DSN: "db:1521/ERP", User: "pombo", Password: "s3nha", Mapping: m})
	var all []string
	for _, s := range append(table.SQL(), table.Advice()...) {
		if s.Purpose == "" {
			t.Errorf("%q has no purpose", s.Text)
		}
		// Its rules are not made for the SELECT of a GRANT.
		if err := oracletest.CheckSQL(s.Text); err != nil && !strings.HasPrefix(s.Text, "GRANT") {
			t.Errorf("%s\n%v", s.Text, err)
		}
		all = append(all, s.Text)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		`SELECT TO_CHAR(t."ID"), SUBSTR(t."NR_TELEFONE", 1, 4097), SUBSTR(t."NM_CONTATO", 1, 4097), SUBSTR(t."DS_MENSAGEM", 1, 4097), SUBSTR(t."CD_TEMPLATE", 1, 4097), SUBSTR(t."CD_IDIOMA", 1, 4097), SUBSTR(t."NR_PRIORIDADE", 1, 4097), ` +
			`TO_CHAR(t."DT_ENVIO", 'YYYY-MM-DD HH24:MI:SS'), TO_CHAR(t."DT_EXPIRA", 'YYYY-MM-DD HH24:MI:SS'), SUBSTR(t."ID_LEMBRADA", 1, 4097) ` +
			`FROM (SELECT "ID", "NR_TELEFONE", "NM_CONTATO", "DS_MENSAGEM", "CD_TEMPLATE", "CD_IDIOMA", "NR_PRIORIDADE", "DT_ENVIO", "DT_EXPIRA", "ID_LEMBRADA" ` +
			`FROM "ERP"."NOTIFICACAO" WHERE "CD_STATUS" = :1 AND "ID" > :2 ORDER BY "ID") t WHERE ROWNUM <= :3`,
		`UPDATE "ERP"."NOTIFICACAO" SET "CD_STATUS" = :1, "CD_MENSAGEM" = NVL(:2, "CD_MENSAGEM"), "DT_ENVIADA" = NVL(TO_DATE(:3, 'YYYY-MM-DD HH24:MI:SS'), "DT_ENVIADA"), "DS_ERRO" = :4, ` +
			`"DS_RESPOSTA" = NVL(:5, "DS_RESPOSTA"), "DT_RESPOSTA" = NVL(TO_DATE(:6, 'YYYY-MM-DD HH24:MI:SS'), "DT_RESPOSTA") WHERE "ID" = :7 AND "CD_STATUS" = :8`,
		`CREATE INDEX "IX_NOTIFICACAO" ON "ERP"."NOTIFICACAO" ("CD_STATUS", "ID")`,
		`GRANT SELECT, UPDATE ("CD_STATUS", "CD_MENSAGEM", "DT_ENVIADA", "DS_ERRO", "DS_RESPOSTA", "DT_RESPOSTA") ON "ERP"."NOTIFICACAO" TO "POMBO"`,
		`GRANT CREATE SESSION TO "POMBO"`,
		`CREATE SYNONYM "POMBO"."NOTIFICACAO" FOR "ERP"."NOTIFICACAO"`,
		`CREATE TABLE "ERP"."NOTIFICACAO" ("ID" NUMBER(19) PRIMARY KEY, "NR_TELEFONE" VARCHAR2(30 CHAR), `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the statements lack\n%s\nin\n%s", want, text)
		}
	}
}
