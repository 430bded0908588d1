package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo/internal/source"
	"pombo/test/nightly"
	"pombo/test/sourcetest"
)

// TestSQLite_Conformance also compares every statement that runs with those that the table
// lists.
func TestSQLite_Conformance(t *testing.T) {
	var ran sync.Map // purposes
	sourcetest.Run(t, func(t *testing.T, s sourcetest.Schema) (*source.Table, sourcetest.Owner) {
		t.Helper()
		owner := newSQLiteOwner(t, s)
		return sourcetest.Hold(t, Driver, source.Options{URL: "sqlite:" + owner.path, Mapping: s.Mapping(), Timeout: 10 * time.Second}, &ran), owner
	})
	purposes := 0
	ran.Range(func(any, any) bool { purposes++; return true })
	if purposes != 11 && !nightly.RaceByDay() { // the PRAGMA is the driver's, and no table was missing
		t.Errorf("the suite ran %d of the listed statements, want 11", purposes)
	}
}

// sqliteOwner is the company, with a connection of its own.
type sqliteOwner struct {
	t    *testing.T
	s    sourcetest.Schema
	path string
	db   *sql.DB
}

func newSQLiteOwner(t *testing.T, s sourcetest.Schema) *sqliteOwner {
	t.Helper()
	o := &sqliteOwner{t: t, s: s, path: filepath.Join(t.TempDir(), "empresa.db")}
	var err error
	if o.db, err = sql.Open("sqlite", "file:"+o.path+"?_pragma=busy_timeout(5000)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.db.Close() })
	keyType := map[sourcetest.KeyKind]string{sourcetest.Whole: "INTEGER", sourcetest.Words: "TEXT", sourcetest.UUID: "BLOB"}[s.Key]
	statusType := "INTEGER"
	if s.StatusText {
		statusType = "TEXT"
	}
	o.exec(fmt.Sprintf(`CREATE TABLE NOTIFICACAO (ID %s PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS %s,
		CD_TEMPLATE TEXT, CD_IDIOMA TEXT, NR_PRIORIDADE INTEGER, DT_ENVIO TEXT, DT_EXPIRA TEXT, CD_MENSAGEM TEXT, DT_ENVIADA TEXT, DS_ERRO TEXT,
		ID_LEMBRADA %[1]s, DS_RESPOSTA TEXT, DT_RESPOSTA TEXT, BL_ANEXO BLOB)`, keyType, statusType))
	return o
}

func (o *sqliteOwner) exec(text string, args ...any) {
	o.t.Helper()
	if _, err := o.db.ExecContext(o.t.Context(), text, args...); err != nil {
		o.t.Fatalf("%s: %v", text, err)
	}
}

func (o *sqliteOwner) key(key string) driver.Value {
	if o.s.Key != sourcetest.UUID {
		return key // the column's type makes a number of it
	}
	b, err := hex.DecodeString(strings.ReplaceAll(key, "-", ""))
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

func (o *sqliteOwner) Insert(rows ...sourcetest.Row) {
	o.t.Helper()
	tx, err := o.db.BeginTx(o.t.Context(), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	insert, err := tx.PrepareContext(o.t.Context(), `INSERT INTO NOTIFICACAO (ID, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS, CD_TEMPLATE, NR_PRIORIDADE, DT_ENVIO, DT_EXPIRA, ID_LEMBRADA, CD_IDIOMA, BL_ANEXO)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, r := range rows {
		var reminds any
		if r.Reminds != "" {
			reminds = o.key(r.Reminds)
		}
		if _, err := insert.ExecContext(o.t.Context(), o.key(r.RowKey), r.Phone, r.Name, r.Text, r.Status, r.Template, r.Priority, r.SendAfter, r.Expires, reminds, r.Language, r.Document); err != nil {
			o.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		o.t.Fatal(err)
	}
}

func (o *sqliteOwner) SetStatus(key, code string) {
	o.t.Helper()
	o.exec(`UPDATE NOTIFICACAO SET CD_STATUS = ? WHERE ID = ?`, code, o.key(key))
}

func (o *sqliteOwner) Delete(key string) {
	o.t.Helper()
	o.exec(`DELETE FROM NOTIFICACAO WHERE ID = ?`, o.key(key))
}

func (o *sqliteOwner) Written(key string) (w sourcetest.Written) {
	o.t.Helper()
	err := o.db.QueryRowContext(o.t.Context(), `SELECT CAST(CD_STATUS AS TEXT), coalesce(CD_MENSAGEM, ''), coalesce(DT_ENVIADA, ''), coalesce(DS_ERRO, ''),
		coalesce(DS_RESPOSTA, ''), coalesce(DT_RESPOSTA, '') FROM NOTIFICACAO WHERE ID = ?`, o.key(key)).
		Scan(&w.Status, &w.MessageID, &w.SentAt, &w.Error, &w.Reply, &w.ReplyAt)
	if err != nil {
		o.t.Fatal(err)
	}
	return w
}

// literal writes a key into a trigger, which takes no arguments.
func (o *sqliteOwner) literal(key string) string {
	if o.s.Key == sourcetest.UUID {
		return "x'" + strings.ReplaceAll(key, "-", "") + "'"
	}
	return "'" + key + "'"
}

func (o *sqliteOwner) Refuse(key, words string) {
	o.t.Helper()
	o.exec(fmt.Sprintf(`CREATE TRIGGER "refuse %s" BEFORE UPDATE ON NOTIFICACAO WHEN OLD.ID = %s BEGIN SELECT RAISE(ABORT, '%s'); END`, key, o.literal(key), words))
}

func (o *sqliteOwner) Ignore(key string) bool {
	o.t.Helper()
	o.exec(fmt.Sprintf(`CREATE TRIGGER "ignore %s" BEFORE UPDATE ON NOTIFICACAO WHEN OLD.ID = %s BEGIN SELECT RAISE(IGNORE); END`, key, o.literal(key)))
	return true
}

// Lock returns nil: a writer locks the whole file.
func (o *sqliteOwner) Lock(string) (release func()) { return nil }
