package oracle_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// TestOracle_Conformance runs the suite over Oracle's own protocol, and compares every
// statement that the double received with those that the table lists. What only a real
// Oracle can show is in real_test.go.
func TestOracle_Conformance(t *testing.T) {
	nightly.WithoutRace(t)
	var ran sync.Map // texts' purposes
	sourcetest.Run(t, func(t *testing.T, s sourcetest.Schema) (*source.Table, sourcetest.Owner) {
		t.Helper()
		d := startOracle(t, oracletest.Options{})
		keyType := map[sourcetest.KeyKind]string{sourcetest.Whole: "NUMBER(19)", sourcetest.Words: "VARCHAR2(40)", sourcetest.UUID: "RAW(16)"}[s.Key]
		statusType := "NUMBER(2)"
		if s.StatusText {
			statusType = "VARCHAR2(2)"
		}
		owner := &doubleOwner{t: t, s: s, table: newOracleTable(t, d, "NOTIFICACAO",
			"ID "+keyType+" PRIMARY KEY", "NR_TELEFONE VARCHAR2(30)", "NM_CONTATO NVARCHAR2(200)", "DS_MENSAGEM CLOB", "CD_STATUS "+statusType, "CD_TEMPLATE VARCHAR2(100)", "CD_IDIOMA VARCHAR2(20)", "BL_ANEXO BLOB",
			"NR_PRIORIDADE NUMBER(3)", "DT_ENVIO VARCHAR2(40)", "DT_EXPIRA VARCHAR2(40)", "CD_MENSAGEM VARCHAR2(36)", "DT_ENVIADA DATE", "DS_ERRO VARCHAR2(400 CHAR)",
			"ID_LEMBRADA "+keyType, "DS_RESPOSTA VARCHAR2(400 CHAR)", "DT_RESPOSTA TIMESTAMP(6)")}
		table := openOracle(t, d, s.Mapping())
		t.Cleanup(func() {
			for purpose := range holdOracle(t, d, table) {
				ran.Store(purpose, true)
			}
		})
		return table, owner
	})
	purposes := 0
	ran.Range(func(any, any) bool { purposes++; return true })
	// Not these: synonyms and similar tables.
	if want := 18; purposes != want && !nightly.RaceByDay() {
		t.Errorf("the suite ran statements for %d of the listed purposes, want %d", purposes, want)
	}
}

// holdOracle fails the test for a statement that the table does not list or that Oracle
// does not accept, and returns the purposes of those that ran. It ignores blanks and line
// breaks.
func holdOracle(t *testing.T, d *oracletest.Double, table *source.Table) map[string]bool {
	t.Helper()
	listed, purposes := map[string]string{}, map[string]bool{}
	for _, s := range table.SQL() {
		listed[flat(s.Text)] = s.Purpose
		if err := oracletest.CheckSQL(s.Text); err != nil {
			t.Errorf("%s\n%v", s.Text, err)
		}
	}
	for text := range d.Statements() {
		purpose := listed[flat(text)]
		if purpose == "" {
			t.Errorf("SQL does not list %q", text)
		}
		purposes[purpose] = true
	}
	return purposes
}

// flat is a text on one line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

func startOracle(t testing.TB, o oracletest.Options) *oracletest.Double {
	t.Helper()
	d, err := oracletest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func newOracleTable(t testing.TB, d *oracletest.Double, name string, columns ...string) *oracletest.Table {
	t.Helper()
	table, err := d.NewTable(name, columns...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func openOracle(t testing.TB, d *oracletest.Double, m source.Mapping) *source.Table {
	t.Helper()
	return openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP", Mapping: m, Timeout: 10 * time.Second})
}

func openOracleWith(t testing.TB, o source.Options) *source.Table {
	t.Helper()
	o.Drivers = []source.Driver{oracle.Driver}
	table, err := source.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return table
}

// doubleOwner is the company, behind the double.
type doubleOwner struct {
	t     *testing.T
	s     sourcetest.Schema
	table *oracletest.Table
}

func (o *doubleOwner) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *doubleOwner) key(key string) any {
	if o.s.Key != sourcetest.UUID {
		return key
	}
	b, err := hex.DecodeString(strings.ReplaceAll(key, "-", ""))
	o.must(err)
	return b
}

func (o *doubleOwner) Insert(rows ...sourcetest.Row) {
	o.t.Helper()
	all := make([]oracletest.Row, len(rows))
	for i, r := range rows {
		all[i] = oracletest.Row{
			"ID": o.key(r.RowKey), "NR_TELEFONE": r.Phone, "NM_CONTATO": r.Name, "DS_MENSAGEM": r.Text, "CD_STATUS": r.Status, "CD_TEMPLATE": r.Template, "CD_IDIOMA": r.Language,
			"NR_PRIORIDADE": r.Priority, "DT_ENVIO": r.SendAfter, "DT_EXPIRA": r.Expires,
		}
		if r.Document != nil {
			all[i]["BL_ANEXO"] = r.Document
		}
		if r.Reminds != "" {
			all[i]["ID_LEMBRADA"] = o.key(r.Reminds)
		}
	}
	o.must(o.table.Insert(all...))
}

func (o *doubleOwner) SetStatus(key, code string) {
	o.t.Helper()
	o.must(o.table.Update(o.key(key), oracletest.Row{"CD_STATUS": code}))
}

func (o *doubleOwner) Delete(key string) {
	o.t.Helper()
	o.must(o.table.Delete(o.key(key)))
}

func (o *doubleOwner) Written(key string) sourcetest.Written {
	o.t.Helper()
	r, ok := o.table.Row(o.key(key))
	if !ok {
		o.t.Fatalf("there is no row %s", key)
	}
	word := func(v any) string {
		switch v := v.(type) {
		case nil:
			return ""
		case time.Time:
			return v.Format(time.DateTime)
		default:
			return fmt.Sprint(v)
		}
	}
	return sourcetest.Written{Status: word(r["CD_STATUS"]), MessageID: word(r["CD_MENSAGEM"]), SentAt: word(r["DT_ENVIADA"]), Error: word(r["DS_ERRO"]), Reply: word(r["DS_RESPOSTA"]), ReplyAt: word(r["DT_RESPOSTA"])}
}

func (o *doubleOwner) Refuse(key, words string) {
	refused := fmt.Sprint(o.key(key))
	o.table.BeforeUpdate(func(before, _ oracletest.Row) error {
		if fmt.Sprint(before["ID"]) == refused {
			return oracletest.Errorf(20001, "%s", words)
		}
		return nil
	})
}

// Ignore returns false: a trigger of Oracle's may restore the old status, but the row
// counts as changed.
func (o *doubleOwner) Ignore(string) bool { return false }

func (o *doubleOwner) Lock(key string) (release func()) {
	o.t.Helper()
	release, err := o.table.Lock(o.key(key))
	o.must(err)
	return release
}
