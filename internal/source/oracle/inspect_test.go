package oracle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pombo/internal/source"
	"pombo/test/nightly"
	"pombo/test/oracletest"
)

// What doctor asks of an Oracle, with each fault planted.
func TestOracle_Diagnostics(t *testing.T) {
	nightly.WithoutRace(t)
	ago := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(-d) } }
	for name, c := range map[string]struct {
		options oracletest.Options
		plant   func(*oracletest.Double, *oracletest.Table)
		table   string
		aspect  source.Diagnostic
		what    string
		todo    string // "" = nothing
	}{
		"no index":                  {aspect: source.DiagnosticIndex, what: "no index of NOTIFICACAO begins with ST", todo: `CREATE INDEX "IX_NOTIFICACAO" ON "NOTIFICACAO" ("ST", "ID")`},
		"an index of other columns": {plant: func(_ *oracletest.Double, c *oracletest.Table) { c.Index("IX_FONE", "FONE", "ST") }, aspect: source.DiagnosticIndex, what: "no index", todo: "CREATE INDEX"},
		"an index":                  {plant: func(_ *oracletest.Double, c *oracletest.Table) { c.Index("IX_ST", "ST", "ID") }, aspect: source.DiagnosticIndex, what: "the index IX_ST begins with ST"},
		"an index behind a synonym": {plant: func(d *oracletest.Double, c *oracletest.Table) {
			d.Synonym("AVISO", "POMBO.NOTIFICACAO")
			c.Index("IX_ST", "ST")
		}, table: "aviso", aspect: source.DiagnosticIndex, what: "the index IX_ST begins with ST"},
		"the plan":               {aspect: source.DiagnosticPlan, what: "EXPLAIN PLAN would write to PLAN_TABLE"},
		"locks":                  {aspect: source.DiagnosticLocks, what: "is left for later, and holds up no other"},
		"locks of a view":        {plant: func(_ *oracletest.Double, c *oracletest.Table) { c.AsView() }, aspect: source.DiagnosticLocks, what: "rows of this view cannot be locked one by one (ORA-02014)", todo: "map the table"},
		"READ alone":             {plant: func(_ *oracletest.Double, c *oracletest.Table) { c.OnlyRead() }, aspect: source.DiagnosticLocks, what: "READ in place of SELECT?", todo: "GRANT SELECT, UPDATE"},
		"a charset":              {options: oracletest.Options{Charset: oracletest.WE8ISO8859P1}, aspect: source.DiagnosticCharset, what: "WE8ISO8859P1: accents"},
		"a clock":                {aspect: source.DiagnosticClock, what: "agrees"},
		"a clock that is behind": {options: oracletest.Options{Now: ago(5 * time.Minute)}, aspect: source.DiagnosticClock, what: "behind this machine's", todo: "NTP"},
		"a clock that is ahead":  {options: oracletest.Options{Now: ago(-time.Hour)}, aspect: source.DiagnosticClock, what: "ahead of this machine's", todo: "NTP"},
		"a password for ever":    {aspect: source.DiagnosticPassword, what: "does not expire"},
		"a password for long": {plant: func(d *oracletest.Double, _ *oracletest.Table) {
			d.SetExpiry(time.Now().Add(100*24*time.Hour + time.Hour))
		},
			aspect: source.DiagnosticPassword, what: "expires in 100 days"},
		"a password for days": {plant: func(d *oracletest.Double, _ *oracletest.Table) {
			d.SetExpiry(time.Now().Add(3*24*time.Hour + 6*time.Hour))
		},
			aspect: source.DiagnosticPassword, what: "expires in 3 days", todo: "PASSWORD_LIFE_TIME"},
		"a password in its days of grace": {plant: func(d *oracletest.Double, _ *oracletest.Table) {
			d.SetAccount(oracletest.AccountExpiring)
			d.SetExpiry(time.Now().Add(25 * time.Hour))
		}, aspect: source.DiagnosticPassword, what: "expires in 1 day,", todo: "set a new one"},
	} {
		t.Run(name, func(t *testing.T) {
			d := startOracle(t, c.options)
			company := pendingTable(t, d, "NOTIFICACAO", 1)
			if c.plant != nil {
				c.plant(d, company)
			}
			m := small()
			if c.table != "" {
				m.Table = c.table
			}
			m.SentAt = "DT"
			table := openOracle(t, d, m)
			r, err := table.Inspect(t.Context(), c.aspect)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(r.Message, c.what) || !strings.Contains(r.Hint, c.todo) || (r.Hint == "") != (c.todo == "") || r.Skipped != (c.aspect == source.DiagnosticPlan) {
				t.Errorf("%+v, want %q and to do %q", r, c.what, c.todo)
			}
			holdOracle(t, d, table)
		})
	}
	// A server that runs by another zone than the table.
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 1)
	m := small()
	m.SentAt, m.Zone = "DT", time.UTC
	if r, err := openOracle(t, d, m).Inspect(t.Context(), source.DiagnosticClock); err != nil || !strings.Contains(fmt.Sprint(r), "set DB_TIMEZONE") {
		t.Errorf("%+v, %v; want a word on DB_TIMEZONE", r, err)
	}
}
