package main

import (
	"bytes"
	"strings"
	"testing"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/setup"
	"pombo/internal/source"
	"pombo/test/oracletest"
)

// TestSQL_PrintsWhatRuns: what pombo sql prints for an Oracle database, and what a
// Pombo with the same settings sends to it.
func TestSQL_PrintsWhatRuns(t *testing.T) {
	d, err := oracletest.Start(oracletest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	// No type of it is that of the sample table.
	made, err := d.NewTable("ERP.AVISOS", "ID VARCHAR2(20) PRIMARY KEY", "NR_TELEFONE NUMBER(13)", "NM_CONTATO CHAR(10)", "DS_MENSAGEM CLOB", "CD_STATUS CHAR(2) NOT NULL",
		"DT_INICIO TIMESTAMP", "DT_FIM VARCHAR2(30)", "DT_ENVIADA TIMESTAMP", "ID_MENSAGEM VARCHAR2(36)", "DS_ERRO VARCHAR2(100)")
	if err != nil {
		t.Fatal(err)
	}
	d.Synonym("AVISO", "ERP.AVISOS")
	for _, key := range []string{"A1", "A2", "A3"} {
		if err := made.Insert(oracletest.Row{"ID": key, "CD_STATUS": "1"}); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{
		"DB_URL=oracle://pombo:s3nha@" + d.Addr() + "/ERP", "DB_TABLE=AVISO", "DB_COL_SEND_AFTER=DT_INICIO", "DB_COL_EXPIRES=DT_FIM",
		"DB_COL_SENT_AT=DT_ENVIADA", "DB_COL_MESSAGE_ID=ID_MENSAGEM", "DB_COL_ERROR=DS_ERRO", "STATUS_FAILED=3",
	}
	printed := func() string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"sql"}, environ, strings.NewReader(""), &stdout, &stderr); code != exitDone || stderr.Len() > 0 {
			t.Fatalf("exit code = %d, said %q", code, &stderr)
		}
		if strings.Contains(stdout.String(), "s3nha") {
			t.Error("the password is printed")
		}
		return stdout.String()
	}
	text := printed()
	if strings.Contains(text, "As for the sample table") || strings.Contains(text, "not known") {
		t.Errorf("the types are said to be unknown:\n%s", text)
	}
	for _, call := range d.Calls() {
		if call.Step == oracletest.Write {
			t.Errorf("pombo sql runs %s", call.SQL)
		}
	}

	c, _, err := config.Load("", environ, config.NeedSource)
	if err != nil {
		t.Fatal(err)
	}
	table, err := source.Open(t.Context(), setup.Source(c.Source))
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(table.Check(t.Context()))
	rows, err := table.Page(t.Context(), "", 2)
	must(err)
	_, err = table.Page(t.Context(), rows[1].RowKey, 2)
	must(err)
	_, err = table.Row(t.Context(), "A1")
	must(err)
	for _, n := range []int{1, 2, 21} { // lists of each length
		_, err = table.Statuses(t.Context(), append(make([]string, n), "A1"))
		must(err)
		keys := []string{"A1"}
		for len(keys) < n {
			keys = append(keys, "B"+strings.Repeat("1", len(keys)%9+1))
		}
		_, err = table.Statuses(t.Context(), keys)
		must(err)
	}
	answers, err := table.Settle(t.Context(), []pombo.Settlement{{RowKey: "A1", Expected: "1", Code: "2"}, {RowKey: "A9", Expected: "1", Code: "3", Error: "x"}})
	must(err)
	if answers[0].Result != pombo.SettleDone || answers[1].Result != pombo.SettleGone {
		t.Errorf("answers = %+v", answers)
	}
	for _, a := range table.Diagnostics() {
		_, err := table.Inspect(t.Context(), a)
		must(err)
	}
	missing := setup.Source(c.Source)
	missing.Mapping.Table = "AVISSO"
	lost, err := source.Open(t.Context(), missing)
	must(err)
	defer lost.Close()
	if err := lost.Check(t.Context()); err == nil {
		t.Error("a table that is not there is in order")
	}
	flat := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	all := flat(text)
	for sent := range d.Statements() {
		if !strings.Contains(all, strings.TrimRight(flat(sent), ";")+";") {
			t.Errorf("pombo sql does not print\n%s", flat(sent))
		}
	}

	// A database that is away costs the texts that depend on its types, and says so.
	d.Down()
	d.CutSessions()
	text = printed()
	for _, want := range []string{"The types of the columns are not known", "dial tcp 127.0.0.1:", "(:1 = key). As for the sample table", "GRANT SELECT, UPDATE"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}
