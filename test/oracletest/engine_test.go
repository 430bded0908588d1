package oracletest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pombo/test/oracletest"
)

// texts runs a SELECT and returns its rows, columns joined with a bar, NULL as "-".
func texts(t testing.TB, d *oracletest.Double, q string, args ...any) []string {
	t.Helper()
	db := connect(t, d, quick())
	defer func() { _ = db.Close() }()
	rows, err := db.Query(q, args...)
	if err != nil {
		t.Errorf("%s: %v", q, err)
		return nil
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, v := range values {
			if v == nil {
				v = "-"
			}
			parts = append(parts, fmt.Sprint(v))
		}
		out = append(out, strings.Join(parts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%s: %v", q, err)
	}
	return out
}

func TestDouble_Select(t *testing.T) {
	d := start(t, oracletest.Options{Now: func() time.Time { return time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC) }})
	made, err := d.NewTable("T", "ID NUMBER PRIMARY KEY", "V VARCHAR2(20)", "C CHAR(5)", "N NUMBER", "D DATE", "R RAW(16)", "L CLOB")
	if err != nil {
		t.Fatal(err)
	}
	err = made.Insert(
		oracletest.Row{"ID": 10, "V": "dez", "C": "A", "N": 1, "D": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "R": []byte{0xab, 1}, "L": "texto longo"},
		oracletest.Row{"ID": 9, "V": "", "C": "AB", "N": "2.5"},
		oracletest.Row{"ID": 11, "V": " onze ", "C": "B"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sql  string
		args []any
		want []string
	}{
		{"SELECT ID FROM T ORDER BY ID", nil, []string{"9", "10", "11"}},
		{"SELECT ID FROM T ORDER BY N DESC", nil, []string{"11", "9", "10"}}, // NULLs are first when descending
		{"SELECT t.ID x, t.V FROM T t WHERE t.ID = :1", []any{10}, []string{"10|dez"}},
		{"SELECT * FROM (SELECT ID, V FROM T ORDER BY ID) WHERE ROWNUM <= 2", nil, []string{"9|-", "10|dez"}},
		{"SELECT ID FROM T WHERE ROWNUM <= 1 ORDER BY ID DESC", nil, []string{"10"}}, // counted before it is sorted
		{"SELECT ID FROM T WHERE ROWNUM = 2", nil, nil},                              // as on a server: there is no second without a first
		{"SELECT COUNT(*) FROM T WHERE N IS NOT NULL", nil, []string{"2"}},
		{"SELECT ID FROM T WHERE V IS NULL", nil, []string{"9"}},
		{"SELECT ID FROM T WHERE V = :1", []any{""}, nil}, // NULL equals nothing
		{"SELECT ID FROM T WHERE NOT V = 'dez'", nil, []string{"11"}},
		{"SELECT ID FROM T WHERE V = 'dez' OR N = 2.5 ORDER BY ID", nil, []string{"9", "10"}},
		{"SELECT ID FROM T WHERE C = 'A'", nil, []string{"10"}}, // a literal is a CHAR
		{"SELECT ID FROM T WHERE C = :1", []any{"A"}, nil},      // a bind is a VARCHAR2
		{"SELECT ID FROM T WHERE C = :1", []any{"A    "}, []string{"10"}},
		{"SELECT ID FROM T WHERE RTRIM(C) = :1", []any{"A"}, []string{"10"}},
		{"SELECT ID FROM T WHERE N = :1", []any{"1"}, []string{"10"}}, // the text becomes a number
		{"SELECT ID FROM T WHERE R = :1", []any{[]byte{0xab, 1}}, []string{"10"}},
		{"SELECT ID FROM T WHERE R = HEXTORAW(:1)", []any{"AB01"}, []string{"10"}},
		{"SELECT ID FROM T WHERE ID IN (:1,:2,:3) AND N >= 1 ORDER BY ID", []any{9, 10, 77}, []string{"9", "10"}},
		{"SELECT ID FROM T WHERE D > TO_DATE(:1,'YYYY-MM-DD')", []any{"2026-01-02"}, []string{"10"}},
		{"SELECT SUBSTR(V,2,2), SUBSTR(V,-2), LENGTH(V) FROM T WHERE ID = 10", nil, []string{"ez|ez|3"}},
		{"SELECT SUBSTR(L,1,5), DBMS_LOB.SUBSTR(L,5,7), DBMS_LOB.GETLENGTH(L), TO_CHAR(L) FROM T WHERE ID = 10", nil, []string{"texto|longo|11|texto longo"}},
		{"SELECT TO_CHAR(D,'YYYY-MM-DD\"T\"HH24:MI:SS'), RAWTOHEX(R), TO_CHAR(N) FROM T WHERE ID = 10", nil, []string{"2026-01-02T03:04:05|AB01|1"}},
		{"SELECT NVL(V,'x'), COALESCE(N,:1), TRIM(V) || '!' FROM T WHERE ID = 11", []any{7}, []string{" onze |7|onze!"}},
		{"SELECT UPPER('é' || LOWER('É')) FROM DUAL", nil, []string{"ÉÉ"}},
		{"SELECT TO_CHAR(SYSDATE,'DD/MM/YYYY HH24:MI:SS'), TO_CHAR(SYSTIMESTAMP,'HH24:MI:SS.FF3'), USER, DBTIMEZONE FROM DUAL", nil, []string{"23/11/2026 10:00:00|10:00:00.000|POMBO|-03:00"}},
		{"SELECT SYS_CONTEXT('USERENV','CURRENT_SCHEMA'), SYS_CONTEXT('USERENV','SERVICE_NAME') FROM DUAL", nil, []string{"POMBO|ERP"}},
		{"SELECT VALUE FROM NLS_DATABASE_PARAMETERS WHERE PARAMETER = 'NLS_CHARACTERSET'", nil, []string{"AL32UTF8"}},
		{"SELECT VERSION FROM PRODUCT_COMPONENT_VERSION", nil, []string{"19.3.0.0.0"}},
		{
			"SELECT COLUMN_NAME, DATA_TYPE, NULLABLE, DATA_LENGTH, DATA_PRECISION FROM ALL_TAB_COLUMNS WHERE OWNER = 'POMBO' AND TABLE_NAME = :1 AND COLUMN_ID <= 3 ORDER BY COLUMN_ID",
			[]any{"T"},
			[]string{"ID|NUMBER|N|22|-", "V|VARCHAR2|Y|20|-", "C|CHAR|Y|5|-"},
		},
		{"SELECT TABLE_NAME FROM USER_TABLES", nil, []string{"T"}},
		{"SELECT COLUMN_NAME FROM ALL_IND_COLUMNS WHERE TABLE_NAME = 'T'", nil, []string{"ID"}},
	} {
		if got := texts(t, d, c.sql, c.args...); !slices.Equal(got, c.want) {
			t.Errorf("%s %q = %q, want %q", c.sql, c.args, got, c.want)
		}
	}

	// A table whose columns are described without any row.
	db := connect(t, d, quick())
	rows, err := db.Query("SELECT ID, V, C, D, R, L FROM T WHERE 1 = 0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range types {
		got = append(got, c.Name()+" "+c.DatabaseTypeName())
	}
	if want := []string{"ID NUMBER", "V NCHAR", "C CHAR", "D DATE", "R RAW", "L LongVarChar"}; !slices.Equal(got, want) {
		t.Errorf("columns = %q, want %q (NCHAR and LongVarChar are the driver's words)", got, want)
	}
}

// What DBMS_LOB.SUBSTR and TO_CHAR refuse: a VARCHAR2 of SQL ends at 4000 bytes.
func TestDouble_LongText(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 1)
	if err := made.Update(1, oracletest.Row{"DS_MENSAGEM": strings.Repeat("ã", 2001)}); err != nil {
		t.Fatal(err)
	}
	db := connect(t, d, quick())
	for sql, want := range map[string]int{
		"SELECT DBMS_LOB.SUBSTR(DS_MENSAGEM,2000,1) FROM NOTIFICACAO": 0,
		"SELECT DBMS_LOB.SUBSTR(DS_MENSAGEM,2001,1) FROM NOTIFICACAO": 6502,
		"SELECT TO_CHAR(DS_MENSAGEM) FROM NOTIFICACAO":                22835,
		"SELECT SUBSTR(DS_MENSAGEM,1,4097) FROM NOTIFICACAO":          0, // which is a CLOB again
	} {
		_, err := db.Exec(sql)
		wantORA(t, sql, err, want)
	}
}

func TestDouble_RightsAndNames(t *testing.T) {
	d := start(t, oracletest.Options{})
	erp, err := d.NewTable("ERP.MENSAGENS", "ID NUMBER PRIMARY KEY", "CD_STATUS NUMBER", "TX VARCHAR2(10)")
	if err != nil {
		t.Fatal(err)
	}
	if err := erp.Insert(oracletest.Row{"ID": 1, "CD_STATUS": 1}); err != nil {
		t.Fatal(err)
	}
	db := connect(t, d, quick())
	try := func(what, sql string, want int) {
		t.Helper()
		_, err := db.Exec(sql)
		wantORA(t, what, err, want)
	}
	try("a table of another schema", "SELECT ID FROM MENSAGENS", 942)
	try("the same with its owner", "SELECT ID FROM ERP.MENSAGENS", 0)
	d.Synonym("MENSAGENS", "ERP.MENSAGENS")
	try("the same by a synonym", "UPDATE MENSAGENS SET CD_STATUS = 1 WHERE 1 = 0", 0)
	d.Synonym("AVISOS", "ERP.MENSAGENS")
	try("CURRENT_SCHEMA", "ALTER SESSION SET CURRENT_SCHEMA = ERP", 0)
	try("a table of the current schema", "SELECT ID FROM MENSAGENS", 0)
	try("a synonym of one's own in another schema", "SELECT ID FROM AVISOS", 0)

	erp.RevokeUpdate("TX")
	try("a column that may be written", "UPDATE MENSAGENS SET CD_STATUS = 1 WHERE 1 = 0", 0)
	try("a column that may not", "UPDATE MENSAGENS SET CD_STATUS = 1, TX = 'x' WHERE 1 = 0", 1031)
	erp.RevokeUpdate()
	try("no right to write", "UPDATE MENSAGENS SET CD_STATUS = 1 WHERE 1 = 0", 1031)
	erp.RevokeSelect()
	try("no right at all", "SELECT ID FROM MENSAGENS", 942)

	view, err := d.NewTable("V_MENSAGENS", "ID NUMBER", "S NUMBER")
	if err != nil {
		t.Fatal(err)
	}
	view.ReadOnly()
	try("a view that cannot be updated", "UPDATE POMBO.V_MENSAGENS SET S = 1 WHERE 1 = 0", 1732)
	unreadable, err := d.NewTable("POMBO.CEGA", "ID NUMBER", "S NUMBER")
	if err != nil {
		t.Fatal(err)
	}
	unreadable.RevokeSelect()
	try("a table that may only be written", "SELECT ID FROM POMBO.CEGA", 1031)
}

func TestDouble_RefusesUpdates(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 5)
	made.Check("CK_STATUS", func(r oracletest.Row) bool { return r["CD_STATUS"] != "9" })
	made.BeforeUpdate(func(before, after oracletest.Row) error {
		switch before["ID"] {
		case "3":
			return oracletest.Errorf(20001, "linha bloqueada pelo faturamento")
		case "4":
			after["CD_STATUS"] = before["CD_STATUS"] // without a word
		}
		return nil
	})
	db := connect(t, d, quick())
	for _, c := range []struct {
		what, sql string
		args      []any
		want      int
	}{
		{"a trigger", statusSQL, []any{2, 3, 1}, 20001},
		{"a CHECK", statusSQL, []any{9, 1, 1}, 2290},
		{"too many digits", statusSQL, []any{10, 1, 1}, 1438},
		{"too long a text", "UPDATE NOTIFICACAO SET DS_ERRO = :1 WHERE ID = :2", []any{strings.Repeat("ã", 11), 1}, 12899},
		{"just short enough", "UPDATE NOTIFICACAO SET DS_ERRO = :1 WHERE ID = :2", []any{strings.Repeat("ã", 10), 1}, 0},
		{"no NULL here", "UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2", []any{nil, 1}, 1407},
		{"no number", statusSQL, []any{"x", 1, 1}, 1722},
		{"no date", "UPDATE NOTIFICACAO SET DT_ENVIADA = TO_DATE(:1,'YYYY-MM-DD HH24:MI:SS') WHERE ID = 1", []any{"2026-02-30 10:00:00"}, 1847},
		{"a date's wrong form", "UPDATE NOTIFICACAO SET DT_ENVIADA = TO_DATE(:1,'YYYY-MM-DD HH24:MI:SS') WHERE ID = 1", []any{"2026/02/20"}, 1861},
		{"a trigger that undoes", statusSQL, []any{2, 4, 1}, 0},
	} {
		_, err := db.Exec(c.sql, c.args...)
		wantORA(t, c.what, err, c.want)
	}
	for id := 1; id <= 5; id++ {
		wantColumn(t, made, id, "CD_STATUS", "1")
	}
	if _, err := db.Exec(statusSQL, 2, 3, 1); err == nil || !strings.Contains(err.Error(), "ORA-04088") {
		t.Errorf("a trigger's error does not say where it comes from: %v", err)
	}
}

// An array goes on behind a row that is refused, because the driver asks for the
// errors of all. What the others did stays in the transaction, and nothing is committed.
func TestArray(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 5)
	refused := "3"
	made.BeforeUpdate(func(before, _ oracletest.Row) error {
		if before["ID"] == refused {
			return oracletest.Errorf(20001, "não")
		}
		return nil
	})
	db := connect(t, d, quick())
	array := func(ids ...int) error {
		to, from := make([]int, len(ids)), make([]int, len(ids))
		for i := range ids {
			to[i], from[i] = 2, 1
		}
		r, err := db.Exec(statusSQL, to, ids, from)
		if err != nil {
			return err
		}
		if n, _ := r.RowsAffected(); n != int64(len(ids)) {
			t.Errorf("%d rows affected, want %d", n, len(ids))
		}
		return nil
	}
	wantORA(t, "an array with a refused row", array(1, 2, 3, 4), 20001)
	wantColumn(t, made, 1, "CD_STATUS", "1") // not committed …
	if status, err := statusOf(t.Context(), db, 1); err != nil || status != 2 {
		t.Errorf("the session itself sees the status %d, %v; want 2", status, err) // … but there
	}
	if err := array(5); err != nil { // which commits all of it
		t.Error(err)
	}
	for id, want := range map[int]string{1: "2", 2: "2", 3: "1", 4: "2", 5: "2"} {
		wantColumn(t, made, id, "CD_STATUS", want)
	}
}

func TestNewTable(t *testing.T) {
	d := start(t, oracletest.Options{})
	for _, bad := range []string{"", "ID", "ID GEOMETRY", "ID VARCHAR2", "ID RAW", "ID NUMBER(", "ID NUMBER(x)", "ID NUMBER UNIQUE", "FROM NUMBER"} {
		if _, err := d.NewTable("T", bad); err == nil {
			t.Errorf("the column %q was taken", bad)
		}
	}
	if _, err := d.NewTable("T"); err == nil {
		t.Error("a table without columns was taken")
	}
	made, err := d.NewTable(`ERP."Avisos"`, "ID NUMBER PRIMARY KEY", `"Texto" VARCHAR2(10 CHAR)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Insert(oracletest.Row{"ID": 1, "Texto": strings.Repeat("ã", 10)}, oracletest.Row{"ID": 1}); err == nil || made.Len() != 0 {
		t.Errorf("two rows with one key: %v, %d rows; want none", err, made.Len())
	}
	if err := made.Insert(oracletest.Row{"ID": 1, "Texto": strings.Repeat("ã", 10)}, oracletest.Row{"ID": 2}); err != nil {
		t.Fatal(err)
	}
	if err := made.Delete(2); err != nil || made.Len() != 1 {
		t.Errorf("after a delete: %v, %d rows; want 1", err, made.Len())
	}
	if got := texts(t, d, `SELECT "Texto" FROM ERP."Avisos"`); len(got) != 1 || got[0] != strings.Repeat("ã", 10) {
		t.Errorf("rows = %q", got)
	}
	for _, bad := range []oracletest.Row{{"ID": nil}, {"ID": 3, "NADA": 1}, {"ID": 3, "Texto": strings.Repeat("x", 11)}, {"ID": 3.5}} {
		if err := made.Insert(bad); err == nil {
			t.Errorf("the row %v was taken", bad)
		}
	}
	if err := made.Update(9, nil); err == nil {
		t.Error("a row that is not there was updated")
	}
	if _, err := made.Lock(9); err == nil {
		t.Error("a row that is not there was locked")
	}
}
