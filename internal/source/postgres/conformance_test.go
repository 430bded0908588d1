package postgres

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"pombo/internal/source"
	"pombo/test/nightly"
	"pombo/test/sourcetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.Close(); err != nil {
		panic("stop PostgreSQL: " + err.Error())
	}
	os.Exit(code)
}

// TestPostgres_Conformance also compares every statement that runs with those that the
// table lists.
func TestPostgres_Conformance(t *testing.T) {
	var ran sync.Map // purposes
	sourcetest.Run(t, func(t *testing.T, s sourcetest.Schema) (*source.Table, sourcetest.Owner) {
		t.Helper()
		owner := newPostgresOwner(t, s)
		return sourcetest.Hold(t, Driver, source.Options{URL: owner.dsn, Mapping: s.Mapping(), Timeout: 10 * time.Second}, &ran), owner
	})
	purposes := 0
	ran.Range(func(any, any) bool { purposes++; return true })
	// Not these: the limits and the ping, which are the connection's; the list of
	// tables and the probe of a standby, which nothing here calls for.
	if purposes != 14 && !nightly.RaceByDay() && !testing.Short() {
		t.Errorf("the suite ran %d of the listed statements, want 14", purposes)
	}
}

// postgresOwner is the company, with a driver of its own. It keeps times, texts
// and numbers in columns of text, as the suite gives them.
type postgresOwner struct {
	t   *testing.T
	dsn string
	db  *sql.DB
}

func newPostgresOwner(t *testing.T, s sourcetest.Schema) *postgresOwner {
	t.Helper()
	o := &postgresOwner{t: t, dsn: shared.Schema(t)}
	var err error
	if o.db, err = sql.Open("pgx", o.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.db.Close() })
	keyType := map[sourcetest.KeyKind]string{sourcetest.Whole: "bigint", sourcetest.Words: "text", sourcetest.UUID: "uuid"}[s.Key]
	statusType := "integer"
	if s.StatusText {
		statusType = "varchar(2)"
	}
	o.exec(fmt.Sprintf(`CREATE TABLE NOTIFICACAO (ID %s PRIMARY KEY, NR_TELEFONE varchar(30), NM_CONTATO text, DS_MENSAGEM text, CD_STATUS %s,
		CD_TEMPLATE text, CD_IDIOMA text, NR_PRIORIDADE numeric(3), DT_ENVIO text, DT_EXPIRA text, CD_MENSAGEM text, DT_ENVIADA timestamp, DS_ERRO varchar(400),
		ID_LEMBRADA %[1]s, DS_RESPOSTA varchar(400), DT_RESPOSTA timestamp, BL_ANEXO bytea)`, keyType, statusType))
	return o
}

func (o *postgresOwner) exec(text string, args ...any) {
	o.t.Helper()
	if _, err := o.db.ExecContext(o.t.Context(), text, args...); err != nil {
		o.t.Fatalf("%s: %v", text, err)
	}
}

func (o *postgresOwner) Insert(rows ...sourcetest.Row) {
	o.t.Helper()
	type columns struct {
		ID       string `json:"id"`
		Phone    any    `json:"nr_telefone"`
		Name     any    `json:"nm_contato"`
		Text     any    `json:"ds_mensagem"`
		Status   string `json:"cd_status"`
		Template any    `json:"cd_template"`
		Language any    `json:"cd_idioma"`
		Priority any    `json:"nr_prioridade"`
		After    any    `json:"dt_envio"`
		Expires  any    `json:"dt_expira"`
		Reminds  string `json:"id_lembrada,omitempty"`
		Document any    `json:"bl_anexo"`
	}
	list := make([]columns, len(rows))
	for i, r := range rows {
		list[i] = columns{r.RowKey, r.Phone, r.Name, r.Text, r.Status, r.Template, r.Language, r.Priority, r.SendAfter, r.Expires, r.Reminds, nil}
		if r.Document != nil {
			list[i].Document = `\x` + hex.EncodeToString(r.Document)
		}
	}
	o.exec(`INSERT INTO NOTIFICACAO SELECT r.* FROM jsonb_populate_recordset(NULL::NOTIFICACAO, $1) AS r`, list)
}

func (o *postgresOwner) SetStatus(key, code string) {
	o.t.Helper()
	o.exec(`UPDATE NOTIFICACAO SET CD_STATUS = ` + literal(code) + ` WHERE ID = ` + literal(key))
}

func (o *postgresOwner) Delete(key string) {
	o.t.Helper()
	o.exec(`DELETE FROM NOTIFICACAO WHERE ID = ` + literal(key))
}

func (o *postgresOwner) Written(key string) (w sourcetest.Written) {
	o.t.Helper()
	err := o.db.QueryRowContext(o.t.Context(), `SELECT CD_STATUS::text, coalesce(CD_MENSAGEM, ''), coalesce(DT_ENVIADA::text, ''), coalesce(DS_ERRO, ''),
		coalesce(DS_RESPOSTA, ''), coalesce(DT_RESPOSTA::text, '') FROM NOTIFICACAO WHERE ID = `+literal(key)).
		Scan(&w.Status, &w.MessageID, &w.SentAt, &w.Error, &w.Reply, &w.ReplyAt)
	if err != nil {
		o.t.Fatal(err)
	}
	return w
}

// literal writes a value that takes the type of what it stands beside.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (o *postgresOwner) Refuse(key, words string) {
	o.t.Helper()
	o.trigger("refuse", key, "RAISE EXCEPTION USING MESSAGE = "+literal(words)+", DETAIL = "+literal(words)+", HINT = "+literal(words))
}

func (o *postgresOwner) Ignore(key string) bool {
	o.t.Helper()
	o.trigger("ignore", key, "RETURN NULL")
	return true
}

func (o *postgresOwner) Lock(key string) (release func()) {
	o.t.Helper()
	tx, err := o.db.BeginTx(o.t.Context(), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := tx.ExecContext(o.t.Context(), `UPDATE NOTIFICACAO SET NM_CONTATO = 'x' WHERE ID = `+literal(key)); err != nil {
		o.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			o.t.Error(err)
		}
	}
}

func (o *postgresOwner) trigger(verb, key, body string) {
	o.t.Helper()
	name := `"` + verb + " " + key + `"`
	o.exec(`CREATE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS ` + literal("BEGIN "+body+"; END"))
	o.exec(`CREATE TRIGGER ` + name + ` BEFORE UPDATE ON NOTIFICACAO FOR EACH ROW WHEN (OLD.ID = ` + literal(key) + `) EXECUTE FUNCTION ` + name + `()`)
}
