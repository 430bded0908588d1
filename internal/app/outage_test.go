package app_test

import (
	"fmt"
	"strings"
	"testing"

	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
	"pombo/test/oracletest"
)

// oracleFixture is a fixture whose table is in a double of Oracle.
func oracleFixture(t *testing.T) (*fixture, *oracletest.Double, *oracletest.Table) {
	t.Helper()
	d, err := oracletest.Start(oracletest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	table, err := d.NewTable("NOTIFICACAO", "ID NUMBER(19) PRIMARY KEY", "NR_TELEFONE VARCHAR2(30)", "NM_CONTATO VARCHAR2(100)", "DS_MENSAGEM CLOB", "CD_STATUS NUMBER(2) NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	return newFixture(t, 0, blipsim.Options{}, "DB_URL=oracle://pombo:s3nha@"+d.Addr()+"/ERP"), d, table
}

// pendingRows adds rows with the keys from first to last.
func pendingRows(t *testing.T, table *oracletest.Table, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		if err := table.Insert(oracletest.Row{"ID": n, "NR_TELEFONE": fmt.Sprintf("319%d", 80000000+n), "NM_CONTATO": "Maria", "DS_MENSAGEM": "Sua consulta foi confirmada.", "CD_STATUS": 1}); err != nil {
			t.Fatal(err)
		}
	}
}

func statuses(table *oracletest.Table, status string) (n int) {
	for key := 1; ; key++ {
		row, ok := table.Row(key)
		if !ok {
			return n
		}
		if row["CD_STATUS"] == status {
			n++
		}
	}
}

func wantReadiness(t *testing.T, client *api.Client, source string) {
	t.Helper()
	ready, _ := client.Ready(t.Context()) // its checks say what the error would
	for _, c := range ready.Checks {
		switch said := c.Detail + "; " + c.Hint; {
		case c.Name != "source" && !c.OK:
			t.Errorf("%s is not ready: %s", c.Name, said)
		case c.Name == "source" && (c.OK || !strings.Contains(said, source)):
			t.Errorf("source ok = %v, says %q; want %q", c.OK, said, source)
		}
	}
	if len(ready.Checks) != 4 {
		t.Errorf("checks = %+v, want four", ready.Checks)
	}
}

// The company's database dies in the middle of a settle and stays away for an hour of test
// time. What was taken in is sent all the same, and /readyz says what is missing. When the
// database is back everything is settled, and nothing is sent twice.
func TestSource_AwayForAWhile(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("skipped: -short leaves out what takes many seconds")
	}
	const before, meanwhile = 60, 20
	w, d, table := oracleFixture(t)
	pendingRows(t, table, 1, before)
	_, client := w.start()

	died := d.Fault(oracletest.Write, oracletest.CutBefore, 1).Struck()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		<-died
		d.Down()
		d.CutSessions()
	}()
	run, err := client.Send(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if run.Found != before || run.Accepted != before {
		t.Errorf("run = %+v, want %d rows found and accepted", run, before)
	}
	<-gone
	wantReadiness(t, client, "see whether database and listener run")
	if n := statuses(table, "1"); n != before {
		t.Errorf("%d rows are pending, want %d: none could be settled", n, before)
	}

	pendingRows(t, table, before+1, before+meanwhile)
	if err := d.Up(); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return statuses(table, "2") == before })
	w.eventually(func() bool { ready, err := client.Ready(t.Context()); return err == nil && ready.Ready })
	if run, err = client.Send(t.Context(), 0); err != nil || run.Found != meanwhile {
		t.Errorf("run = %+v, %v; want the %d rows of meanwhile", run, err, meanwhile)
	}
	w.eventually(func() bool { return statuses(table, "2") == before+meanwhile })
	if got := w.blip.Counts().Messages; got != before+meanwhile {
		t.Errorf("%d messages, want %d", got, before+meanwhile)
	}
}

// /readyz names what somebody has to fix, and says what to do.
func TestSource_FaultInReadiness(t *testing.T) {
	nightly.WithoutRace(t)
	for name, c := range map[string]struct {
		plant func(*oracletest.Double, *oracletest.Table)
		want  string
	}{
		"wrong password":      {func(d *oracletest.Double, _ *oracletest.Table) { d.Refuse(1017) }, "the database refuses user and password (ORA-01017)"},
		"locked account":      {func(d *oracletest.Double, _ *oracletest.Table) { d.SetAccount(oracletest.AccountLocked) }, "the account is locked (ORA-28000)"},
		"expired password":    {func(d *oracletest.Double, _ *oracletest.Table) { d.SetAccount(oracletest.AccountExpired) }, "the password has expired (ORA-28001)"},
		"service unknown":     {func(d *oracletest.Double, _ *oracletest.Table) { d.Refuse(12514) }, "the listener does not know the service"},
		"no right to write":   {func(_ *oracletest.Double, c *oracletest.Table) { c.RevokeUpdate() }, "as the table's owner run GRANT SELECT, UPDATE"},
		"a view":              {func(_ *oracletest.Double, c *oracletest.Table) { c.ReadOnly() }, "INSTEAD OF trigger"},
		"table not to be had": {func(_ *oracletest.Double, c *oracletest.Table) { c.RevokeSelect(); c.RevokeUpdate() }, "sees no such table, view or synonym"},
	} {
		t.Run(name, func(t *testing.T) {
			w, d, table := oracleFixture(t)
			c.plant(d, table)
			_, client := w.start()
			wantReadiness(t, client, c.want)
		})
	}
}

// A CHECK refuses the new code of one row: that row is set aside, the others are settled.
func TestSettle_RefusedRowAlone(t *testing.T) {
	nightly.WithoutRace(t)
	const rows = 30
	w, _, table := oracleFixture(t)
	table.Check("CK_STATUS", func(r oracletest.Row) bool { return r["ID"] != "7" || r["CD_STATUS"] != "2" })
	pendingRows(t, table, 1, rows)
	_, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return statuses(table, "2") == rows-1 })
	if row, _ := table.Row(7); row["CD_STATUS"] != "1" {
		t.Errorf("row 7 = %v, want it pending", row)
	}
	run, err := client.Send(t.Context(), 0)
	if err != nil || run.Found != 0 {
		t.Errorf("second run = %+v, %v; want it to find nothing", run, err)
	}
	if got := w.blip.Counts().Messages; got != rows {
		t.Errorf("%d messages, want %d", got, rows)
	}
}

// A row that somebody has locked waits alone.
func TestSettle_LockedRowWaitsAlone(t *testing.T) {
	const rows = 10
	w, _, table := oracleFixture(t)
	pendingRows(t, table, 1, rows)
	release, err := table.Lock(3)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return statuses(table, "2") == rows-1 })
}
