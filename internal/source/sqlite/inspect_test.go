package sqlite

import (
	"testing"

	"pombo/internal/source"
	"pombo/test/sourcetest"
)

func TestSQLite_Inspect(t *testing.T) {
	const scan = "so each page walks over rows that were finished"
	for _, c := range []struct{ index, message, hint string }{
		{"", scan, `CREATE INDEX "NOTIFICACAO_PENDING" ON "NOTIFICACAO"`},
		{"CREATE INDEX i ON NOTIFICACAO (NM_CONTATO, CD_STATUS)", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (ID) WHERE CD_STATUS = 2", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (CD_STATUS) WHERE NM_CONTATO = '1'", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (abs(CD_STATUS))", scan, "CREATE INDEX"},
		{"CREATE INDEX i ON NOTIFICACAO (cd_status, ID)", "the index i begins with CD_STATUS", ""},
		{"CREATE INDEX i ON NOTIFICACAO (ID)\nwhere cd_status = 1", "the index i has the pending rows alone", ""},
	} {
		path, _ := file(t, simpleTable, `INSERT INTO NOTIFICACAO VALUES (1, '1', 'a', 'b', 1)`, c.index)
		sourcetest.WantInspection(t, open(t, path, sourcetest.Defaults()), source.DiagnosticIndex, c.message, c.hint)
	}
	path, owner := file(t, `CREATE TABLE NOTIFICACAO (ID TEXT, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, CD_STATUS INTEGER)`, `INSERT INTO NOTIFICACAO VALUES ('a', '1', 'a', 'b', 1)`)
	table := open(t, path, sourcetest.Defaults())
	sourcetest.WantInspection(t, table, source.DiagnosticPlan, "SCAN t; USE TEMP B-TREE FOR ORDER BY", "an index keeps it from reading the whole table")
	if _, err := owner.ExecContext(t.Context(), table.Advice()[0].Text); err != nil {
		t.Fatal(err)
	}
	table = open(t, path, sourcetest.Defaults()) // a connection that has prepared the statement before does not see it at once
	sourcetest.WantInspection(t, table, source.DiagnosticPlan, "NOTIFICACAO_PENDING", "")
	sourcetest.WantInspection(t, table, source.DiagnosticIndex, "NOTIFICACAO_PENDING has the pending rows alone", "")
}
