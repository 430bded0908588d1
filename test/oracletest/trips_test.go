package oracletest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pombo/test/oracletest"
)

func TestDouble_Module(t *testing.T) {
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
func TestDouble_RoundTrips(t *testing.T) {
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

// Messages that do not fit into one packet, both ways, in both forms of chunks.
func TestDouble_LargeMessages(t *testing.T) {
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
