package oracle_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pombo"
	"pombo/internal/source"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// The line dies at every step of a settle. The same batch, given again, ends every
// row as it should be, and no row was ever changed twice.
func TestOracle_SettlesOverLostLine(t *testing.T) {
	const n = 20
	for name, at := range map[string]struct {
		step oracletest.Step
		nth  int
	}{
		"lock": {oracletest.Query, 1}, "write": {oracletest.Write, 1}, "commit": {oracletest.Commit, 1}, "close": {oracletest.Ping, 1}, "verify": {oracletest.Query, 2},
	} {
		step := name
		for name, kind := range map[string]oracletest.Kind{
			"before": oracletest.CutBefore, "after": oracletest.CutAfter, "within": oracletest.CutWithin, "killed": oracletest.Raise(28), "ended": oracletest.Raise(3113),
		} {
			t.Run(step+" "+name, func(t *testing.T) {
				d := startOracle(t, oracletest.Options{})
				company := pendingTable(t, d, "NOTIFICACAO", n)
				table := openOracle(t, d, small())
				mustPage(t, table, "", 1)
				if err := company.Update(3, oracletest.Row{"ST": 9}); err != nil { // makes the settle short, so that it asks
					t.Fatal(err)
				}
				d.Forget()
				struck := d.Fault(at.step, kind, at.nth).Struck()
				answers, err := table.Settle(t.Context(), batchOf(n))
				<-struck
				writes := 0
				for _, c := range d.Calls() {
					if c.Step == oracletest.Write {
						writes++
					}
				}
				want := 1
				if step == "lock" {
					want = 0
				}
				if writes != want {
					t.Errorf("one settle sent %d updates", writes)
				}
				if err != nil {
					sourcetest.WantError(t, err, false, "write statuses to NOTIFICACAO")
					for _, a := range answers {
						if a.Result != pombo.SettleLater {
							t.Errorf("row %s is %s after a failed settle, want due", a.RowKey, a.Result)
						}
					}
					if answers, err = table.Settle(t.Context(), batchOf(n)); err != nil {
						t.Fatalf("second settle: %v", err)
					}
				}
				// A killed session may hold its locks for a moment, as on a real server.
				later := func(a pombo.Settled) bool { return a.Result == pombo.SettleLater }
				for tries := 0; tries < 10 && slices.ContainsFunc(answers, later); tries++ {
					if answers, err = table.Settle(t.Context(), batchOf(n)); err != nil {
						t.Fatalf("settle once more: %v", err)
					}
				}
				for i, a := range answers {
					want, status := pombo.SettleDone, "2"
					if i == 2 {
						want, status = pombo.SettleDiverged, "9"
					}
					if r, _ := company.Row(i + 1); a.Result != want || r["ST"] != status {
						t.Errorf("row %d is %s with status %v, want %s and %s", i+1, a.Result, r["ST"], want, status)
					}
				}
				for _, c := range d.Calls() {
					if c.Step == oracletest.Write && c.Commit {
						t.Errorf("%s was to be committed before its answer was seen", c.SQL)
					}
				}
			})
		}
	}
}

// A SELECT whose line dies is simply asked again.
func TestOracle_ReadsPageOverLostLine(t *testing.T) {
	for _, step := range []oracletest.Step{oracletest.Query, oracletest.Fetch} {
		for _, kind := range []oracletest.Kind{oracletest.CutBefore, oracletest.CutAfter, oracletest.CutWithin, oracletest.Raise(28)} {
			t.Run(fmt.Sprint(step, kind), func(t *testing.T) {
				d := startOracle(t, oracletest.Options{})
				pendingTable(t, d, "NOTIFICACAO", 700) // more than comes at once
				table := openOracle(t, d, small())
				mustPage(t, table, "", 1)
				struck := d.Fault(step, kind, 1).Struck()
				if got := len(mustPage(t, table, "", 700)); got != 700 {
					t.Errorf("%d rows, want 700", got)
				}
				<-struck
			})
		}
	}
}

// Sessions that are killed or cut while idle are not noticed by a SELECT, and only
// once by a settle.
func TestOracle_SurvivesKilledSessions(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 3)
	table := openOracle(t, d, small())
	mustPage(t, table, "", 1)
	for _, kill := range []func(){d.KillSessions, d.CutSessions} {
		kill()
		if got := len(mustPage(t, table, "", 10)); got != 3 {
			t.Errorf("%d rows after the sessions went, want 3", got)
		}
	}
	d.KillSessions()
	_, err := table.Settle(t.Context(), batchOf(3))
	sourcetest.WantError(t, err, false, "the connection to the database broke")
	mustSettle(t, table, pombo.SettleDone, batchOf(3)...)
}

// A connection that was idle is asked whether it lives, so that a restart of the
// database overnight costs no settle.
func TestOracle_ChecksIdleConnections(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 3)
	var now atomic.Int64
	table := openOracleWith(t, source.Options{
		URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP", Mapping: small(), Timeout: 10 * time.Second,
		Now: func() time.Time { return time.Unix(now.Load(), 0) },
	})
	mustPage(t, table, "", 1)
	d.Forget()
	now.Store(29)
	mustPage(t, table, "", 1)
	now.Store(60)
	d.CutSessions()
	mustSettle(t, table, pombo.SettleDone, batchOf(3)...)
	if first := d.Calls()[0]; first.Step != oracletest.Query {
		t.Errorf("after 29 s the first call is %s, want none before the query", first.Step)
	}
}

// The database is away for a while: each time says why, and then all goes on.
func TestOracle_Away(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 3)
	table := openOracle(t, d, small())
	for code, want := range map[int]string{
		12514: "the listener does not know the service, or it does not run yet (ORA-12514); see whether the database runs",
		12528: "the database is starting, stopping or not open yet (ORA-12528)",
		1033:  "the database is starting, stopping or not open yet (ORA-01033)",
		12519: "the listener or the database takes no more connections (ORA-12519)",
		20:    "the listener or the database takes no more connections (ORA-00020)",
	} {
		d.Refuse(code)
		_, err := table.Page(t.Context(), "", 10)
		sourcetest.WantError(t, err, false, want)
	}
	d.Refuse(0)
	d.Down()
	_, err := table.Page(t.Context(), "", 10)
	sourcetest.WantError(t, err, false, "connection refused", "see whether database and listener run")
	if err := d.Up(); err != nil {
		t.Fatal(err)
	}
	mustPage(t, table, "", 10)
	mustSettle(t, table, pombo.SettleDone, batchOf(3)...)
}

// A slow server is asked to cancel, a silent one is abandoned: both in time, and neither
// keeps a session of ours.
func TestOracle_EndsSlowAndSilentCalls(t *testing.T) {
	noLeak(t)
	for name, kind := range map[string]oracletest.Kind{"slow": oracletest.Slow, "silent": oracletest.Stall} {
		for _, step := range []oracletest.Step{oracletest.Query, oracletest.Write} {
			t.Run(name+" "+string(step), func(t *testing.T) {
				d := startOracle(t, oracletest.Options{})
				company := pendingTable(t, d, "NOTIFICACAO", 3)
				table := openOracle(t, d, small())
				mustPage(t, table, "", 1)
				struck := d.Fault(step, kind, 1).Struck()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var stopping sync.WaitGroup
				stopping.Go(func() {
					<-struck
					cancel()
				})
				begun := time.Now()
				var err error
				if step == oracletest.Query {
					_, err = table.Page(ctx, "", 10)
				} else {
					_, err = table.Settle(ctx, batchOf(3))
				}
				stopping.Wait()
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error = %v, want that of the context", err)
				}
				if took := time.Since(begun); took > 25*time.Second { // the time of a statement is longer
					t.Errorf("it took %s to give up", took)
				}
				if r, _ := company.Row(1); r["ST"] != "1" {
					t.Errorf("status = %v after a settle that was given up, want 1", r["ST"])
				}
				d.CutSessions() // until then a change that was not answered keeps others away
				settlesAgain(t, table, 3)
			})
		}
	}
}

// Somebody changes a row and does not commit. Settle gives that row up in time and writes
// the others; the change does not happen later, unnoticed. No session of ours stays
// behind, and no new one is needed.
func TestOracle_LockedRow(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	company := pendingTable(t, d, "NOTIFICACAO", 9)
	table := openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP", Mapping: small(), Timeout: 2 * time.Second})
	mustPage(t, table, "", 1)
	d.Forget()
	release, err := company.Lock(2)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := table.Settle(t.Context(), batchOf(9))
	if err != nil {
		t.Fatal(err)
	}
	release()
	for i, a := range answers {
		want, status := pombo.SettleDone, "2"
		if i == 1 {
			want, status = pombo.SettleLater, "1"
			if !strings.Contains(a.Detail, "somebody holds a lock on the row; end the transaction that holds it") {
				t.Errorf("detail = %q", a.Detail)
			}
		}
		if r, _ := company.Row(i + 1); a.Result != want || r["ST"] != status {
			t.Errorf("row %d is %s with status %v, want %s and %s", i+1, a.Result, r["ST"], want, status)
		}
	}
	mustSettle(t, table, pombo.SettleDone, batchOf(9)...)
	for _, c := range d.Calls() {
		if c.Step == oracletest.Connect {
			t.Error("a cancelled statement has cost a login")
		}
	}
}

// An unanswered change may not be waiting for a lock, so the error does not say so. Until
// its answer comes, or the line breaks, there is no second change.
func TestOracle_UnansweredChangeIsNotRepeated(t *testing.T) {
	noLeak(t)
	certificate, file := authority(t)
	secure := oracletest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	for name, o := range map[string]oracletest.Options{"TLS": secure, "TCP": {}} {
		t.Run(name, func(t *testing.T) {
			d := startOracle(t, o)
			pendingTable(t, d, "NOTIFICACAO", 3)
			address := "oracle://pombo:s3nha@" + d.Addr() + "/ERP"
			if o.TLS != nil {
				address += "?ca=" + file
			}
			table := openOracleWith(t, source.Options{URL: address, Mapping: small(), Timeout: 2 * time.Second})
			mustPage(t, table, "", 1)
			d.Fault(oracletest.Write, oracletest.Stall, 1)
			_, err := table.Settle(t.Context(), batchOf(3))
			sourcetest.WantError(t, err, false, "the database does not answer")
			_, err = table.Settle(t.Context(), batchOf(3))
			sourcetest.WantError(t, err, false, "has not answered an earlier statement yet")
			mustPage(t, table, "", 1)
			d.CutSessions()
			settlesAgain(t, table, 3)
			// Nor does one that is never answered keep the table from being closed.
			d.Fault(oracletest.Write, oracletest.Stall, 1)
			_, err = table.Settle(t.Context(), batchOf(3))
			sourcetest.WantError(t, err, false, "the database does not answer")
		})
	}
}

// settlesAgain settles rows 1 to n until it works.
func settlesAgain(t *testing.T, table *source.Table, n int) {
	t.Helper()
	for begun := time.Now(); ; {
		answers, err := table.Settle(t.Context(), batchOf(n))
		if err == nil && !slices.ContainsFunc(answers, func(a pombo.Settled) bool { return a.Result != pombo.SettleDone }) {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("the settle does not recover: %v", err)
		}
	}
}
