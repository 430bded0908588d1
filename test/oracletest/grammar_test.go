package oracletest_test

import (
	"errors"
	"strings"
	"testing"

	"pombo/test/oracletest"
)

func TestCheckSQL(t *testing.T) {
	long := strings.Repeat("N", 31)
	for _, c := range []struct {
		sql  string
		code int // 0 = it passes
	}{
		{"SELECT ID, SUBSTR(TX,1,10) AS TX FROM (SELECT ID, TX FROM ERP.N WHERE S = :1 AND ID > :2 ORDER BY ID) WHERE ROWNUM <= :3", 0},
		{"SELECT ID FROM N WHERE ID IN (:1,:2)", 0},
		{"UPDATE N SET S = :1, T = TO_DATE(:2,'YYYY-MM-DD HH24:MI:SS') WHERE ID = :3 AND S = :4", 0},
		{"BEGIN DBMS_APPLICATION_INFO.SET_MODULE(:1, :2); END;", 0},
		{"ALTER SESSION SET CURRENT_SCHEMA = ERP", 0},
		{"INSERT INTO N (A, B) VALUES (:1, :2)", 0},
		{"UPDATE N SET A = 1 RETURNING B INTO :1", 0},
		{"SELECT \"LIMIT\", \"a b\" FROM N n", 0},
		{"SELECT ';' AS A, 'LIMIT ? :: -- TRUE' FROM DUAL", 0},
		{"SELECT EXTRACT(YEAR FROM D) AS Y FROM N", 0},
		{"SELECT A FROM N WHERE EXISTS (SELECT 1 FROM M) UNION SELECT B FROM M", 0},
		{"SELECT CAST(A AS NUMBER) FROM N", 0},
		{"SELECT A FROM N WHERE TX = 'it''s'", 0},

		{"", 900},
		{"  ", 900},
		{"SELECT A FROM N LIMIT 10", 933},
		{"SELECT A FROM N FETCH FIRST 10 ROWS ONLY", 933},
		{"SELECT A FROM N OFFSET 5 ROWS FETCH NEXT 10 ROWS ONLY", 933},
		{"INSERT INTO N (A) VALUES (1) ON CONFLICT DO NOTHING", 933},
		{"INSERT INTO N (A) VALUES (1), (2)", 933},
		{"INSERT INTO N (A) VALUES (F(1)), (2)", 933},
		{"SELECT A FROM N;", 911},
		{"BEGIN NULL; END", 6550},
		{"SELECT A FROM N AS n", 933},
		{"SELECT A FROM ERP.N AS n", 933},
		{"SELECT A FROM (SELECT A FROM N) AS n", 933},
		{"SELECT A FROM N, M AS m", 933},
		{"SELECT A FROM N JOIN M AS m ON A = B", 933},
		{"UPDATE N AS n SET A = 1", 933},
		{"SELECT A FROM N -- all of them", 900},
		{"SELECT /*+ FIRST_ROWS */ A FROM N", 900},
		{"SELECT A FROM N /* open", 900},
		{"UPDATE N SET A = 1 RETURNING B\nINTO :1", 900},
		{"UPDATE N SET A = 1 RETURNING B", 925},
		{"SELECT A FROM N WHERE B = ?", 911},
		{"SELECT A FROM N WHERE B = $1", 911},
		{"SELECT A::text FROM N", 911},
		{"SELECT 1", 923},
		{"SELECT 1 UNION SELECT 2 FROM DUAL", 923},
		{"SELECT A FROM N WHERE B IN (SELECT 1)", 923},
		{"SELECT A FROM N WHERE B = TRUE", 904},
		{"UPDATE N SET B = FALSE", 904},
		{"UPDATE N SET B = NOW()", 904},
		{"SELECT A FROM N WHERE B = ''", 900},
		{"SELECT A FROM N WHERE '' <> B", 900},
		{"SELECT A FROM N WHERE B = 'x", 1756},
		{"SELECT \"A FROM N", 1740},
		{"SELECT F(A FROM N", 907},
		{"SELECT A FROM (N", 907},
		{"SELECT A FROM N)", 933},
		{"SELECT " + long + " FROM N", 972},
		{"SELECT \"" + long + "\" FROM N", 972},
		{"SELECT " + long[1:] + " FROM N", 0},
		{"SELECT \"ÇÇÇÇÇÇÇÇÇÇÇÇÇÇÇÇ\" FROM N", 972}, // 16 characters, 32 bytes
	} {
		var got int
		if err := oracletest.CheckSQL(c.sql); err != nil {
			var e *oracletest.Error
			if !errors.As(err, &e) {
				t.Errorf("CheckSQL(%q) = %T, want an *Error", c.sql, err)
				continue
			}
			got = e.Code
		}
		if got != c.code {
			t.Errorf("CheckSQL(%q) = ORA-%05d, want ORA-%05d", c.sql, got, c.code)
		}
	}
}

// The double also checks a statement against the rules when it receives it, and the
// version decides how long a name may be.
func TestDouble_ChecksStatements(t *testing.T) {
	long := strings.Repeat("N", 31)
	for version, want := range map[oracletest.Version]int{oracletest.Oracle11: 972, oracletest.Oracle12: 972, oracletest.Oracle19: 0} {
		d := start(t, oracletest.Options{Version: version})
		table(t, d, 1)
		db := connect(t, d, quick())
		_, err := db.Exec("SELECT ID " + long + " FROM NOTIFICACAO")
		wantORA(t, "a long name", err, want)
		_, err = db.Exec("SELECT ID FROM NOTIFICACAO -- x")
		wantORA(t, "a comment", err, 900)
	}
}

// What the double does not know is an error that names the statement.
func TestDouble_UnknownStatements(t *testing.T) {
	d := start(t, oracletest.Options{})
	table(t, d, 1)
	db := connect(t, d, quick())
	for sql, want := range map[string]int{
		"DELETE FROM NOTIFICACAO":                                    900,
		"SELECT DISTINCT ID FROM NOTIFICACAO":                        903,
		"SELECT ID FROM NOTIFICACAO FOR UPDATE WAIT 5":               933,
		"SELECT ID FROM (SELECT ID FROM NOTIFICACAO FOR UPDATE)":     907,
		"SELECT ID FROM NOTIFICACAO, NOTIFICACAO":                    933,
		"SELECT ID FROM NOTIFICACAO GROUP BY ID":                     933,
		"SELECT ID FROM NOTIFICACAO WHERE ID BETWEEN 1 AND 2":        933,
		"SELECT MAGIC(ID) FROM NOTIFICACAO":                          904,
		"SELECT NADA FROM NOTIFICACAO":                               904,
		"SELECT ID FROM NADA":                                        942,
		"SELECT ID FROM NADA.NOTIFICACAO":                            942,
		"UPDATE NOTIFICACAO SET NADA = 1":                            904,
		"UPDATE NOTIFICACAO SET ID = 1":                              900,
		"UPDATE NOTIFICACAO SET CD_STATUS = 1, CD_STATUS = 2":        957,
		"SELECT ID FROM NOTIFICACAO WHERE DS_MENSAGEM = 'x'":         932,
		"SELECT ID FROM NOTIFICACAO WHERE CD_STATUS":                 920,
		"SELECT ID FROM NOTIFICACAO WHERE CD_STATUS = 'x'":           1722,
		"SELECT ID FROM NOTIFICACAO WHERE DT_ENVIADA < '2026-01-01'": 0, // no row has one, so nothing is converted
		"SELECT ID FROM NOTIFICACAO WHERE SYSDATE < '2026-01-01'":    1861,
		"BEGIN DBMS_LOCK.SLEEP(1); END;":                             6550,
		"ALTER SESSION SET SQL_TRACE = TRUE":                         904,
		"ALTER SESSION SET OPTIMIZER_MODE = RULE":                    2248,
		"ALTER SYSTEM SET X = 1":                                     900,
	} {
		_, err := db.Exec(sql)
		wantORA(t, sql, err, want)
		if want == 900 && !strings.Contains(err.Error(), sql) && !strings.Contains(err.Error(), "double") {
			t.Errorf("the error of %q does not name it: %v", sql, err)
		}
	}
	_, err := db.Exec("UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2", 1)
	wantORA(t, "a bind that is missing", err, 1008)
	_, err = db.Exec("UPDATE NOTIFICACAO SET CD_STATUS = :1", 1, 2)
	wantORA(t, "a bind too many", err, 1036)
}
