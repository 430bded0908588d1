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

func TestSelect(t *testing.T) {
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
func TestLongText(t *testing.T) {
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

func TestRightsAndNames(t *testing.T) {
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

func TestUpdateRefused(t *testing.T) {
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

func TestRowLocks(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 3)
	db := connect(t, d, quick())
	db.SetMaxOpenConns(3)

	t.Run("a session waits for the company and then looks again", func(t *testing.T) {
		release, err := made.Lock(1)
		if err != nil {
			t.Fatal(err)
		}
		blocked := d.Blocked()
		changed := make(chan int64, 1)
		go func() {
			r, err := db.Exec(statusSQL, 2, 1, 1)
			if err != nil {
				t.Error(err)
				changed <- -1
				return
			}
			n, _ := r.RowsAffected()
			changed <- n
		}()
		<-blocked
		release()
		if n := <-changed; n != 1 {
			t.Errorf("%d rows changed, want 1", n)
		}
	})

	t.Run("a session waits for another one, which changes the row", func(t *testing.T) {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(statusSQL, 2, 2, 1); err != nil {
			t.Fatal(err)
		}
		wantColumn(t, made, 2, "CD_STATUS", "1") // others do not see it yet
		blocked := d.Blocked()
		changed := make(chan int64, 1)
		go func() {
			r, err := db.Exec(statusSQL, 3, 2, 1)
			if err != nil {
				t.Error(err)
				changed <- -1
				return
			}
			n, _ := r.RowsAffected()
			changed <- n
		}()
		<-blocked
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := <-changed; n != 0 {
			t.Errorf("%d rows changed, want none: the status was no longer 1", n)
		}
		wantColumn(t, made, 2, "CD_STATUS", "2")
	})

	t.Run("a wait is cancelled", func(t *testing.T) {
		release, err := made.Lock(3)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		watchedDB, way := connectWatched(t, d)
		blocked := d.Blocked()
		go func() {
			<-blocked
			way.interrupt(t)
		}()
		_, err = watchedDB.ExecContext(t.Context(), statusSQL, 2, 3, 1)
		wantORA(t, "a cancelled wait", err, 1013)
	})

	t.Run("a deadlock", func(t *testing.T) {
		a, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		b, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		touch := "UPDATE NOTIFICACAO SET DS_ERRO = 'x' WHERE ID = :1"
		if _, err := a.Exec(touch, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Exec(touch, 2); err != nil {
			t.Fatal(err)
		}
		blocked := d.Blocked()
		first := make(chan error, 1)
		go func() {
			_, err := a.Exec(touch, 2)
			first <- err
		}()
		<-blocked
		_, err = b.Exec(touch, 1)
		wantORA(t, "the wait that closes the circle", err, 60)
		if err := b.Rollback(); err != nil {
			t.Error(err)
		}
		if err := <-first; err != nil {
			t.Errorf("the other one: %v", err)
		}
		if err := a.Rollback(); err != nil {
			t.Error(err)
		}
	})
}

func TestModule(t *testing.T) {
	d := start(t, oracletest.Options{})
	db := connect(t, d, quick())
	for _, sql := range []string{
		"BEGIN DBMS_APPLICATION_INFO.SET_MODULE(:1, :2); END;",
		"BEGIN DBMS_APPLICATION_INFO.SET_MODULE(module_name => :m, action_name => :a); DBMS_APPLICATION_INFO.SET_CLIENT_INFO(:m); END;",
	} {
		d.Forget()
		if _, err := db.Exec(sql, "Pombo 1.0", "settle"); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		s := d.Sessions()[0]
		if s.Module != "Pombo 1.0" || s.Action != "settle" {
			t.Errorf("module and action = %q, %q", s.Module, s.Action)
		}
	}
	if got := d.Sessions()[0].ClientInfo; got != "Pombo 1.0" {
		t.Errorf("client info = %q", got)
	}
}

// The round trips of the work that a source does.
func TestRoundTrips(t *testing.T) {
	d := start(t, oracletest.Options{})
	table(t, d, 500)
	db := connect(t, d, quick())
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	const query, fetch, write, ping = oracletest.Query, oracletest.Fetch, oracletest.Write, oracletest.Ping
	d.Forget()
	read := func(q string) {
		t.Helper()
		rows, err := db.Query(q, 1, 0, 200)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		if n != 200 || rows.Err() != nil || rows.Close() != nil {
			t.Errorf("%d rows, %v; want 200", n, rows.Err())
		}
	}
	read(pageSQL)
	wantSteps(t, d, "a page", query, ping)
	read("SELECT ID, DS_MENSAGEM FROM (SELECT ID, DS_MENSAGEM FROM NOTIFICACAO WHERE CD_STATUS = :1 AND ID > :2 ORDER BY ID) WHERE ROWNUM <= :3")
	wantSteps(t, d, "a page with a CLOB", query, fetch, ping)

	s, err := db.Prepare(statusSQL)
	if err != nil {
		t.Fatal(err)
	}
	wantSteps(t, d, "preparing")
	to, ids, from := make([]int, 200), make([]int, 200), make([]int, 200)
	for i := range ids {
		to[i], ids[i], from[i] = 2, i+1, 1
	}
	ids[5] = 9999
	for range 2 {
		r, err := s.Exec(to, ids, from)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := r.RowsAffected(); n != 199 && n != 0 {
			t.Errorf("%d rows affected", n)
		}
	}
	calls := d.Calls()
	if len(calls) != 2 || calls[1].Step != write || calls[1].Executions != 200 || !calls[1].Commit {
		t.Errorf("calls of two arrays = %+v, want one each, of 200 with a commit", calls)
	}
	d.Forget()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Stmt(s).Exec(to, ids, from); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, d, "an array in a transaction", write, oracletest.Commit)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, d, "closing a statement", ping)
}

func TestDeclarations(t *testing.T) {
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

// Messages that do not fit into one packet, both ways, in both forms of chunks.
func TestLargeMessages(t *testing.T) {
	for _, v := range []oracletest.Version{oracletest.Oracle11, oracletest.Oracle12, oracletest.Oracle19, oracletest.Oracle21} {
		const n = 1000
		d := start(t, oracletest.Options{Version: v})
		made, err := d.NewTable("T", "ID NUMBER PRIMARY KEY", "S NUMBER", "TX VARCHAR2(400)")
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]oracletest.Row, n)
		to, words, ids, from, args := make([]int, n), make([]string, n), make([]int, n), make([]int, n), make([]any, n)
		places := make([]string, n)
		for i := range n {
			rows[i] = oracletest.Row{"ID": i + 1, "S": 1}
			to[i], words[i], ids[i], from[i], args[i] = 2, strings.Repeat("ã", 150)+fmt.Sprint(i), i+1, 1, i+1
			places[i] = fmt.Sprintf(":%d", i+1)
		}
		if err := made.Insert(rows...); err != nil {
			t.Fatal(err)
		}
		db := connect(t, d, quick())
		r, err := db.Exec("UPDATE T SET S = :1, TX = :2 WHERE ID = :3 AND S = :4", to, words, ids, from)
		if err != nil {
			t.Fatal(err)
		}
		if affected, _ := r.RowsAffected(); affected != n {
			t.Errorf("version %d: %d rows affected, want %d", v, affected, n)
		}
		wantColumn(t, made, n, "TX", words[n-1])
		got := texts(t, d, "SELECT ID, TX FROM T WHERE ID IN ("+strings.Join(places, ",")+") AND S = 2", args...)
		if len(got) != n {
			t.Errorf("version %d: %d rows by 1000 keys, want %d", v, len(got), n)
		}
		_, err = db.Exec("SELECT ID FROM T WHERE ID IN ("+strings.Join(places, ",")+",:1001)", slices.Concat(args, []any{1})...)
		wantORA(t, "1001 keys", err, 1795)
	}
}

// A statement that is refused for one of its rows changes none of them, and does
// not touch what its transaction did before.
func TestStatementIsUndone(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 5)
	made.BeforeUpdate(func(before, _ oracletest.Row) error {
		if before["ID"] == "4" {
			return oracletest.Errorf(20001, "não")
		}
		return nil
	})
	db := connect(t, d, quick())
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE NOTIFICACAO SET DS_ERRO = 'antes' WHERE ID = :1", 1); err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec("UPDATE NOTIFICACAO SET DS_ERRO = 'todas', CD_STATUS = 7")
	wantORA(t, "an UPDATE of all rows", err, 20001)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantColumn(t, made, 1, "DS_ERRO", "antes")
	wantColumn(t, made, 2, "DS_ERRO", nil)
	wantColumn(t, made, 1, "CD_STATUS", "1")
}
