package oracletest_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	go_ora "github.com/sijms/go-ora/v2"

	"pombo/test/oracletest"
)

// Every type, from the table to the client and back, in every character set.
func TestDouble_Types(t *testing.T) {
	for _, v := range []oracletest.Version{oracletest.Oracle11, oracletest.Oracle12, oracletest.Oracle19, oracletest.Oracle21} {
		for _, cs := range []oracletest.Charset{oracletest.AL32UTF8, oracletest.WE8MSWIN1252, oracletest.WE8ISO8859P1, oracletest.WE8ISO8859P15} {
			t.Run(fmt.Sprintf("version %d, %s", v, cs), func(t *testing.T) { typesOf(t, v, cs) })
		}
	}
}

func typesOf(t *testing.T, v oracletest.Version, cs oracletest.Charset) {
	d := start(t, oracletest.Options{Version: v, Charset: cs})
	made, err := d.NewTable("TIPOS", "ID NUMBER(38) PRIMARY KEY", "N NUMBER", "P NUMBER(10,2)", "V VARCHAR2(400)", "NV NVARCHAR2(400)", "C CHAR(10)",
		"L CLOB", "NL NCLOB", "D DATE", "T TIMESTAMP(6)", "R RAW(16)")
	if err != nil {
		t.Fatal(err)
	}
	words := "Olá João, sua ação"
	switch cs {
	case oracletest.WE8ISO8859P1:
	case oracletest.WE8ISO8859P15: // has the euro; what it lacks go-ora sends as ý
		words += " €50"
	default:
		words += " €50 – “teste”"
	}
	long := strings.Repeat(words+" ", 2000)
	at := time.Date(2026, 11, 23, 10, 20, 30, 123456000, time.UTC)
	const big = "12345678901234567890123456789012345678"
	full := oracletest.Row{
		"ID": big, "N": "-0.000125", "P": "12345678.9", "V": words, "NV": "Ωμέγα 😀 " + words, "C": "AÇÃO", "L": long, "NL": "😀 " + long,
		"D": at, "T": at, "R": []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff},
	}
	if err := made.Insert(full, oracletest.Row{"ID": 1, "V": ""}); err != nil {
		t.Fatal(err)
	}
	db := connect(t, d, quick())

	t.Run("to the client", func(t *testing.T) {
		var id, n, p, v, nv, c, l, nl sql.NullString
		var dt, ts sql.NullTime
		var r []byte
		q := "SELECT ID, N, P, V, NV, C, L, NL, D, T, R FROM TIPOS WHERE ID = TO_NUMBER(:1)"
		if err := db.QueryRow(q, big).Scan(&id, &n, &p, &v, &nv, &c, &l, &nl, &dt, &ts, &r); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]string{"ID": id.String, "V": v.String, "NV": nv.String, "L": l.String, "NL": nl.String, "R": string(r)} {
			want := full[name]
			if b, ok := want.([]byte); ok {
				want = string(b)
			}
			if got != want {
				t.Errorf("%s = %.60q, want %.60q", name, got, want)
			}
		}
		if n.String != "-0.000125" || p.String != "12345678.9" || c.String != "AÇÃO"+strings.Repeat(" ", 10-len(cs2bytes(cs, "AÇÃO"))) {
			t.Errorf("N, P, C = %q, %q, %q", n.String, p.String, c.String)
		}
		// The driver reads times without a zone as UTC, whatever SERVER LOCATION says.
		if got := dt.Time.Format(time.DateTime); got != "2026-11-23 10:20:30" {
			t.Errorf("D = %s", got)
		}
		if got := ts.Time.Format(time.RFC3339Nano); got != "2026-11-23T10:20:30.123456Z" {
			t.Errorf("T = %s", got)
		}
		nulls := []*sql.NullString{&n, &p, &v, &nv, &c, &l, &nl}
		if err := db.QueryRow(q, "1").Scan(&id, &n, &p, &v, &nv, &c, &l, &nl, &dt, &ts, &r); err != nil {
			t.Fatal(err)
		}
		for i, s := range nulls {
			if s.Valid {
				t.Errorf("column %d of a row of NULLs = %q", i+2, s.String)
			}
		}
		if dt.Valid || ts.Valid || r != nil {
			t.Errorf("D, T, R of a row of NULLs = %v, %v, %v", dt, ts, r)
		}
	})

	t.Run("from the client", func(t *testing.T) {
		_, err := db.Exec("UPDATE TIPOS SET N = :1, V = :2, NV = :3, D = TO_DATE(:4,'YYYY-MM-DD HH24:MI:SS'), T = :5, R = :6, C = :7 WHERE ID = :8",
			-1234567, words, go_ora.NVarChar("😀 "+words), "2026-01-02 03:04:05", at, []byte("0123456789abcdef"), "x", 1)
		if err != nil {
			t.Fatal(err)
		}
		row, _ := made.Row(1)
		if row["N"] != "-1234567" || row["V"] != words || row["NV"] != "😀 "+words || row["C"] != "x         " || string(row["R"].([]byte)) != "0123456789abcdef" {
			t.Errorf("row = %+v", row)
		}
		if got := row["D"].(time.Time).Format(time.DateTime); got != "2026-01-02 03:04:05" {
			t.Errorf("D = %s", got)
		}
		if _, err := db.Exec("UPDATE TIPOS SET V = :1, N = :2 WHERE ID = :3", "", nil, 1); err != nil {
			t.Fatal(err)
		}
		row, _ = made.Row(1)
		if row["V"] != nil || row["N"] != nil {
			t.Errorf("V, N = %v, %v; want NULL for an empty text and for NULL", row["V"], row["N"])
		}
	})

	if cs == oracletest.AL32UTF8 {
		return // it lacks nothing
	}
	t.Run("what the character set lacks", func(t *testing.T) {
		if err := made.Update(1, oracletest.Row{"V": "a😀b"}); err != nil {
			t.Fatal(err)
		}
		wantColumn(t, made, 1, "V", "a¿b")
	})
}

// cs2bytes is how long a text is in the database.
func cs2bytes(cs oracletest.Charset, s string) string {
	if cs == oracletest.AL32UTF8 {
		return s
	}
	return strings.Repeat("x", len([]rune(s)))
}

// Numbers travel as text here and as Oracle's own bytes on the line.
func TestDouble_Numbers(t *testing.T) {
	d := start(t, oracletest.Options{})
	made, err := d.NewTable("NUMEROS", "ID NUMBER", "N NUMBER")
	if err != nil {
		t.Fatal(err)
	}
	inOrder := []string{
		"-99999999999999999999999999999999999999", "-123456.789", "-100", "-99", "-1.5", "-1", "-.01", "-.001", "0", ".001", ".01", ".5", "1", "1.05", "9", "10", "99", "100", "101",
		"9223372036854775807", "9223372036854775808", "99999999999999999999999999999999999999",
	}
	for i, n := range inOrder {
		if err := made.Insert(oracletest.Row{"ID": len(inOrder) - i, "N": n}); err != nil {
			t.Fatal(err)
		}
	}
	db := connect(t, d, quick())
	rows, err := db.Query("SELECT N, TO_CHAR(N) FROM NUMEROS ORDER BY N")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for _, want := range inOrder {
		var n, text string
		if !rows.Next() {
			t.Fatal("a row is missing: ", rows.Err())
		}
		if err := rows.Scan(&n, &text); err != nil {
			t.Fatal(err)
		}
		if text != want {
			t.Errorf("TO_CHAR = %q, want %q", text, want)
		}
		if strings.HasPrefix(strings.TrimPrefix(want, "-"), ".") {
			want = strings.Replace(want, ".", "0.", 1)
		}
		if n != want {
			t.Errorf("the driver reads %q, want %q", n, want)
		}
	}
	for _, bad := range []string{"", "x", "1x", "--1", "1.2.3", "1e"} {
		if err := made.Insert(oracletest.Row{"ID": 99, "N": bad}); bad != "" && err == nil {
			t.Errorf("the number %q was taken", bad)
		}
	}
}
