package oracletest_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"pombo/test/oracletest"
)

// alike makes a table whose rows repeat the values of the row before, in every way.
func alike(t testing.TB, d *oracletest.Double) {
	t.Helper()
	made, err := d.NewTable("IGUAIS", "ID NUMBER(19) PRIMARY KEY", "CD_STATUS NUMBER(1) NOT NULL", "NM_CONTATO VARCHAR2(20)")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []struct {
		status int
		name   any
	}{{1, "Olá"}, {1, "Olá"}, {1, "Olá"}, {1, "Olá"}, {1, "Olá"}, {1, "tchau"}, {2, "tchau"}, {2, "tchau"}, {3, "fim"}, {3, nil}, {3, nil}} {
		if err := made.Insert(oracletest.Row{"ID": i + 1, "CD_STATUS": v.status, "NM_CONTATO": v.name}); err != nil {
			t.Fatal(err)
		}
	}
}

// A column that is equal to the row before is not sent, from the third row on. It is a
// guard: the driver takes the value of the row before, also where a fetch begins.
func TestDouble_LeavesOutEqualColumns(t *testing.T) {
	for _, fetch := range []string{"1", "2", "3", "4", "500"} {
		t.Run(fetch, func(t *testing.T) {
			d := start(t, oracletest.Options{})
			alike(t, d)
			options := quick()
			options["PREFETCH_ROWS"] = fetch
			rows, err := connect(t, d, options).QueryContext(t.Context(), "SELECT ID, CD_STATUS, NM_CONTATO FROM IGUAIS ORDER BY ID")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			var got []string
			for rows.Next() {
				var id, status int
				var name sql.NullString
				if err := rows.Scan(&id, &status, &name); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%d %d %s", id, status, name.String))
			}
			want := []string{"1 1 Olá", "2 1 Olá", "3 1 Olá", "4 1 Olá", "5 1 Olá", "6 1 tchau", "7 2 tchau", "8 2 tchau", "9 3 fim", "10 3 ", "11 3 "}
			if err := rows.Err(); err != nil || !slices.Equal(got, want) {
				t.Errorf("rows = %q, %v; want %q", got, err, want)
			}
		})
	}
}

// The listener asks for the first packet again, once or more. It is a guard: the driver
// sends what it sent. TestDouble_TLS has the same over TCPS.
func TestResend(t *testing.T) {
	for _, times := range []int{1, 3} {
		d := start(t, oracletest.Options{})
		d.Resend(times)
		table(t, d, 2)
		if status, err := statusOf(t.Context(), connect(t, d, quick()), 2); err != nil || status != 1 {
			t.Errorf("after %d times: status = %d, %v; want 1", times, status, err)
		}
	}
}

// A server reports what ALTER SESSION has changed before it answers. It is a guard: the
// line stays in step.
func TestDouble_ReportsAlteredSettings(t *testing.T) {
	for _, version := range []oracletest.Version{oracletest.Oracle11, oracletest.Oracle12, oracletest.Oracle19, oracletest.Oracle21} {
		d := start(t, oracletest.Options{Version: version})
		table(t, d, 2)
		db := connect(t, d, quick())
		if _, err := db.ExecContext(t.Context(), "ALTER SESSION SET NLS_SORT = BINARY NLS_NUMERIC_CHARACTERS = '.,' CURRENT_SCHEMA = POMBO"); err != nil {
			t.Error(err)
		}
		if status, err := statusOf(t.Context(), db, 2); err != nil || status != 1 {
			t.Errorf("status = %d, %v; want 1", status, err)
		}
	}
}
