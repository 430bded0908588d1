package oracle_test

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	go_ora "github.com/sijms/go-ora/v2"

	"pombo"
	"pombo/internal/source"
	"pombo/test/sourcetest"
)

// realOracle is the address of a real Oracle, oracle://user:password@host:1521/service.
// The user must be allowed to create tables and triggers.
func realOracle(t *testing.T) (address string, owner *sql.DB) {
	t.Helper()
	address = os.Getenv("ORACLE_TEST_DSN")
	if address == "" {
		t.Skip("ORACLE_TEST_DSN names no real Oracle; without one the source is tested on the wire double alone")
	}
	makeRealUser(t, address)
	owner = sql.OpenDB(go_ora.NewConnector(address))
	t.Cleanup(func() { _ = owner.Close() })
	return address, owner
}

// makeRealUser creates the user if it does not exist and SYSTEM's password is known.
func makeRealUser(t *testing.T, address string) {
	t.Helper()
	if os.Getenv("ORACLE_SYS_PASSWORD") == "" {
		return
	}
	at, err := go_ora.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	system := realSystem(t, address)
	var there int
	if err := system.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM ALL_USERS WHERE USERNAME = :1`, strings.ToUpper(at.UserID)).Scan(&there); err != nil {
		t.Fatal(err)
	}
	if there > 0 {
		return
	}
	for _, text := range []string{`CREATE USER %s IDENTIFIED BY "%s"`, `GRANT CREATE SESSION, CREATE TABLE, CREATE TRIGGER, UNLIMITED TABLESPACE TO %s`} {
		args := []any{at.UserID, at.Password}
		if _, err := system.ExecContext(t.Context(), fmt.Sprintf(text, args[:strings.Count(text, "%s")]...)); err != nil {
			t.Fatal(err)
		}
	}
}

// realSystem is the same database as SYSTEM, for what only a DBA sees.
func realSystem(t *testing.T, address string) *sql.DB {
	t.Helper()
	password := os.Getenv("ORACLE_SYS_PASSWORD")
	if password == "" {
		t.Skip("ORACLE_SYS_PASSWORD names no password of SYSTEM, which sees temporary LOBs")
	}
	at, err := go_ora.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	system := sql.OpenDB(go_ora.NewConnector(go_ora.BuildUrl(at.Servers[0].Addr, at.Servers[0].Port, at.ServiceName, "system", password, nil)))
	t.Cleanup(func() { _ = system.Close() })
	return system
}

// TestOracle_RealTemporaryLOBs watches that SUBSTR of a CLOB leaves no temporary LOBs
// behind, which a session that lives for a day would pile up: no more of them after
// many pages than after a few.
func TestOracle_RealTemporaryLOBs(t *testing.T) {
	address, db := realOracle(t)
	system := realSystem(t, address)
	o := &realOwner{t: t, db: db}
	o.drop()
	o.exec(`CREATE TABLE NOTIFICACAO (ID NUMBER(19) PRIMARY KEY, FONE VARCHAR2(20), TX CLOB, ST NUMBER(2))`)
	o.exec(`INSERT INTO NOTIFICACAO SELECT LEVEL, '5531988880000', TO_CLOB(RPAD('x', 3000, 'x')), 1 FROM DUAL CONNECT BY LEVEL <= 20`)
	table := openOracleWith(t, source.Options{URL: address, Mapping: small(), Timeout: 30 * time.Second})
	at, err := go_ora.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	left := func(pages int) (n int) {
		t.Helper()
		for range pages {
			if rows := mustPage(t, table, "", 20); len(rows) != 20 {
				t.Fatalf("%d rows, want 20", len(rows))
			}
		}
		if err := system.QueryRowContext(t.Context(), `SELECT NVL(SUM(l.CACHE_LOBS + l.NOCACHE_LOBS + l.ABSTRACT_LOBS), 0) FROM V$TEMPORARY_LOBS l JOIN V$SESSION s ON s.SID = l.SID WHERE s.USERNAME = :1`,
			strings.ToUpper(at.UserID)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	few, many := left(3), left(30)
	t.Logf("temporary LOBs: %d after 3 pages, %d after 33", few, many)
	if many > few {
		t.Errorf("temporary LOBs: %d after 3 pages of 20 rows, %d after 33: they pile up", few, many)
	}
}

// TestOracle_RealConformance runs the suite on a real Oracle.
func TestOracle_RealConformance(t *testing.T) {
	address, db := realOracle(t)
	sourcetest.Run(t, func(t *testing.T, s sourcetest.Schema) (*source.Table, sourcetest.Owner) {
		t.Helper()
		owner := newRealOwner(t, db, s)
		return openOracleWith(t, source.Options{URL: address, Mapping: s.Mapping(), Timeout: 30 * time.Second}), owner
	})
}

// TestOracle_RealTypes is what the double only pretends to know: times with and
// without a zone, padded keys, numbers of 38 digits, national text.
func TestOracle_RealTypes(t *testing.T) {
	address, db := realOracle(t)
	o := &realOwner{t: t, db: db}
	o.drop()
	o.exec(`CREATE TABLE NOTIFICACAO (ID NUMBER(38) PRIMARY KEY, FONE NUMBER(13), TX NCLOB, NOME NVARCHAR2(60), ST CHAR(3), ENVIO TIMESTAMP, EXPIRA TIMESTAMP WITH TIME ZONE, DT DATE, ERRO VARCHAR2(20))`)
	const key = "12345678901234567890123456789012345678"
	o.exec(`INSERT INTO NOTIFICACAO (ID, FONE, TX, NOME, ST, ENVIO, EXPIRA) VALUES (` + key + `, 5531988880000, RPAD('x', 3000, 'x'), 'Ana', 'P', TIMESTAMP '2026-11-23 10:00:00.25', TIMESTAMP '2026-11-23 10:00:00 -05:00')`)
	m := small()
	m.Params = []source.Param{{Slot: pombo.Body, Name: "TX"}, {Slot: pombo.Body, Name: "NOME"}}
	m.Pending, m.Codes, m.SendAfter, m.Expires, m.SentAt, m.Error = "P", []string{"E"}, "ENVIO", "EXPIRA", "DT", "ERRO"
	table := openOracleWith(t, source.Options{URL: address, Mapping: m, Timeout: 30 * time.Second})
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := mustPage(t, table, "", 10)
	if len(rows) != 1 || rows[0].RowKey != key || rows[0].Recipient.Reveal() != "5531988880000" || len(rows[0].Params[0].Value.Reveal()) != 3000 {
		t.Fatalf("rows = %+v", rows)
	}
	if want := time.Date(2026, 11, 23, 10, 0, 0, 250e6, brasilia); !rows[0].SendAfter.Equal(want) {
		t.Errorf("send after = %s, want %s", rows[0].SendAfter, want)
	}
	if want := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC); !rows[0].Expires.Equal(want) {
		t.Errorf("expires = %s, want %s", rows[0].Expires, want)
	}
	mustSettle(t, table, pombo.SettleDone, pombo.Settlement{RowKey: key, Expected: "P", Code: "E", SentAt: time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC), Error: strings.Repeat("ã", 30)})
	var status, at string
	if err := db.QueryRowContext(t.Context(), `SELECT ST, TO_CHAR(DT, 'YYYY-MM-DD HH24:MI:SS') FROM NOTIFICACAO`).Scan(&status, &at); err != nil || status != "E  " || at != "2026-11-23 10:00:00" {
		t.Errorf("row = %q, %q, %v", status, at, err)
	}
}

// realOwner is the company, with a pool of its own.
type realOwner struct {
	t        *testing.T
	s        sourcetest.Schema
	db       *sql.DB
	triggers int
}

func newRealOwner(t *testing.T, db *sql.DB, s sourcetest.Schema) *realOwner {
	t.Helper()
	o := &realOwner{t: t, s: s, db: db}
	o.drop()
	keyType := map[sourcetest.KeyKind]string{sourcetest.Whole: "NUMBER(19)", sourcetest.Words: "VARCHAR2(40)", sourcetest.UUID: "RAW(16)"}[s.Key]
	statusType := "NUMBER(2)"
	if s.StatusText {
		statusType = "VARCHAR2(2)"
	}
	o.exec(fmt.Sprintf(`CREATE TABLE NOTIFICACAO (ID %s PRIMARY KEY, NR_TELEFONE VARCHAR2(30), NM_CONTATO NVARCHAR2(200), DS_MENSAGEM CLOB, CD_STATUS %s, CD_TEMPLATE VARCHAR2(100), CD_IDIOMA VARCHAR2(40), BL_ANEXO BLOB,
		NR_PRIORIDADE NUMBER(3), DT_ENVIO VARCHAR2(40), DT_EXPIRA VARCHAR2(40), CD_MENSAGEM VARCHAR2(36), DT_ENVIADA DATE, DS_ERRO VARCHAR2(400 CHAR),
		ID_LEMBRADA %[1]s, DS_RESPOSTA VARCHAR2(400 CHAR), DT_RESPOSTA TIMESTAMP(6))`, keyType, statusType))
	return o
}

func (o *realOwner) drop() {
	_, _ = o.db.ExecContext(o.t.Context(), `DROP TABLE NOTIFICACAO PURGE`) // there may be none
}

func (o *realOwner) exec(text string, args ...any) {
	o.t.Helper()
	if _, err := o.db.ExecContext(o.t.Context(), text, args...); err != nil {
		o.t.Fatalf("%s: %v", text, err)
	}
}

func (o *realOwner) key(key string) any {
	if o.s.Key != sourcetest.UUID {
		return key
	}
	b, err := hex.DecodeString(strings.ReplaceAll(key, "-", ""))
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

func (o *realOwner) Insert(rows ...sourcetest.Row) {
	o.t.Helper()
	tx, err := o.db.BeginTx(o.t.Context(), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, r := range rows {
		word := func(v any) string {
			if v == nil {
				return ""
			}
			return fmt.Sprint(v)
		}
		var reminds any
		if r.Reminds != "" {
			reminds = o.key(r.Reminds)
		}
		if _, err := tx.ExecContext(o.t.Context(), `INSERT INTO NOTIFICACAO (ID, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS, CD_TEMPLATE, NR_PRIORIDADE, DT_ENVIO, DT_EXPIRA, ID_LEMBRADA, CD_IDIOMA, BL_ANEXO) VALUES (:1, :2, :3, :4, :5, :6, :7, :8, :9, :10, :11, :12)`,
			o.key(r.RowKey), word(r.Phone), go_ora.NVarChar(word(r.Name)), go_ora.Clob{String: word(r.Text), Valid: r.Text != nil}, r.Status, word(r.Template), word(r.Priority), word(r.SendAfter), word(r.Expires), reminds, word(r.Language), go_ora.Blob{Data: r.Document}); err != nil {
			o.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		o.t.Fatal(err)
	}
}

func (o *realOwner) SetStatus(key, code string) {
	o.t.Helper()
	o.exec(`UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2`, code, o.key(key))
}

func (o *realOwner) Delete(key string) {
	o.t.Helper()
	o.exec(`DELETE FROM NOTIFICACAO WHERE ID = :1`, o.key(key))
}

func (o *realOwner) Written(key string) sourcetest.Written {
	o.t.Helper()
	var status, id, at, said, reply, replied sql.NullString
	if err := o.db.QueryRowContext(o.t.Context(), `SELECT TO_CHAR(CD_STATUS), CD_MENSAGEM, TO_CHAR(DT_ENVIADA, 'YYYY-MM-DD HH24:MI:SS'), DS_ERRO, DS_RESPOSTA, TO_CHAR(DT_RESPOSTA, 'YYYY-MM-DD HH24:MI:SS') FROM NOTIFICACAO WHERE ID = :1`, o.key(key)).
		Scan(&status, &id, &at, &said, &reply, &replied); err != nil {
		o.t.Fatal(err)
	}
	return sourcetest.Written{Status: status.String, MessageID: id.String, SentAt: at.String, Error: said.String, Reply: reply.String, ReplyAt: replied.String}
}

func (o *realOwner) Refuse(key, words string) {
	o.t.Helper()
	literal := "'" + key + "'"
	if o.s.Key == sourcetest.UUID {
		literal = "HEXTORAW('" + strings.ReplaceAll(key, "-", "") + "')"
	}
	o.triggers++
	o.exec(fmt.Sprintf(`CREATE TRIGGER TRG_%d BEFORE UPDATE ON NOTIFICACAO FOR EACH ROW BEGIN IF :OLD.ID = %s THEN RAISE_APPLICATION_ERROR(-20001, '%s'); END IF; END;`, o.triggers, literal, words))
}

// Ignore says that there is no such thing; see doubleOwner.
func (o *realOwner) Ignore(string) bool { return false }

func (o *realOwner) Lock(key string) (release func()) {
	o.t.Helper()
	tx, err := o.db.BeginTx(o.t.Context(), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := tx.ExecContext(o.t.Context(), `UPDATE NOTIFICACAO SET CD_TEMPLATE = 'x' WHERE ID = :1`, o.key(key)); err != nil {
		o.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			o.t.Error(err)
		}
	}
}
