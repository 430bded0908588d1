package ledger

import (
	"testing"

	"go.uber.org/goleak"

	"pombo/pgtest"
)

// Postgres is the server of this package's tests.
var Postgres pgtest.Shared

// Prepares reports whether the writer's last transaction had a session of its own
// on PostgreSQL.
func (db *DB) Prepares() bool { return db.dialect.(*postgres).own }

func TestMain(m *testing.M) { goleak.VerifyTestMain(closing{m}) }

// closing stops the server before goleak looks for what is left over.
type closing struct{ m *testing.M }

func (c closing) Run() int {
	code := c.m.Run()
	if err := Postgres.Close(); err != nil {
		return 1
	}
	return code
}
