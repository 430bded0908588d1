package oracle_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/source"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// lockedTable is a table of n rows whose company holds some, on a server that is
// deaf while it waits for a lock, over TCP or TCPS.
func lockedTable(t *testing.T, secure bool, n int, timeout time.Duration) (*oracletest.Double, *oracletest.Table, *source.Table) {
	t.Helper()
	o, options := oracletest.Options{}, ""
	if secure {
		certificate, file := authority(t)
		o.TLS, options = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, "?ca="+file
	}
	d := startOracle(t, o)
	company := pendingTable(t, d, "NOTIFICACAO", n)
	table := openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP" + options, Mapping: small(), Timeout: timeout})
	mustPage(t, table, "", 1)
	d.Deafen(true)
	return d, company, table
}

func mustLock(t *testing.T, company *oracletest.Table, key int) (release func()) {
	t.Helper()
	release, err := company.Lock(key)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// soon fails the test if the company cannot change a row at once.
func soon(t *testing.T, company *oracletest.Table, key int, changes oracletest.Row) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- company.Update(key, changes) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("the company cannot change row %d: a session of ours holds it", key)
	}
}

// atMost fails the test if the server has more sessions of ours.
func atMost(t *testing.T, d *oracletest.Double, most int) {
	t.Helper()
	if got := len(d.Sessions()); got > most {
		t.Fatalf("%d sessions at the server, want at most %d", got, most)
	}
}

// The company keeps a row open, for ten passes a minute apart. The others are
// written in the first pass, none of them is held, and no session piles up.
func TestOracle_LockedRowDelaysNoOther(t *testing.T) {
	const n, locked = 100, 50
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TCPS ", secure), func(t *testing.T) {
			d, company, table := lockedTable(t, secure, n, 30*time.Second)
			release := mustLock(t, company, locked)
			for pass := range 10 {
				answers, err := table.Settle(t.Context(), batchOf(n))
				if err != nil {
					t.Fatalf("pass %d: %v", pass+1, err)
				}
				for i, a := range answers {
					want := pombo.SettleDone
					if i+1 == locked {
						want = pombo.SettleLater
						if !strings.Contains(a.Detail, "somebody holds a lock on the row; end the transaction that holds it") {
							t.Errorf("detail = %q", a.Detail)
						}
					}
					if a.Result != want {
						t.Fatalf("pass %d: row %s is %s (%s), want %s", pass+1, a.RowKey, a.Result, a.Detail, want)
					}
				}
				for key := 1; key <= n; key++ {
					if key != locked {
						soon(t, company, key, oracletest.Row{"FONE": fmt.Sprint(pass)})
					}
				}
				atMost(t, d, 2)
			}
			for _, c := range d.Calls() {
				if c.Step == oracletest.Rollback {
					t.Error("a locked row made a statement fail")
				}
			}
			release()
			mustSettle(t, table, pombo.SettleDone, batchOf(n)...)
		})
	}
}

// A row that is locked and no longer as it was expected gets the answer that its status
// calls for.
func TestOracle_LockedRowThatHasChanged(t *testing.T) {
	_, company, table := lockedTable(t, false, 4, 30*time.Second)
	for key, changes := range map[int]oracletest.Row{2: {"ST": 9}, 3: {"ST": 2}} {
		soon(t, company, key, changes)
		defer mustLock(t, company, key)()
	}
	batch := append(batchOf(4), pombo.Settlement{Seq: 5, RowKey: "77", Expected: "1", Code: "2"})
	answers, err := table.Settle(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	want := []pombo.SettleResult{pombo.SettleDone, pombo.SettleDiverged, pombo.SettleDone, pombo.SettleDone, pombo.SettleGone}
	for i, a := range answers {
		if a.Result != want[i] {
			t.Errorf("row %s is %s, want %s", a.RowKey, a.Result, want[i])
		}
	}
}

// Where rows cannot be locked one by one, an UPDATE may have to wait. There is never
// a second one before the first was answered, nor a third session.
func TestOracle_LockedRowOfView(t *testing.T) {
	for name, spoil := range map[string]func(*oracletest.Table){"a view": (*oracletest.Table).AsView, "READ in place of SELECT": (*oracletest.Table).OnlyRead} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", TCPS ", secure), func(t *testing.T) {
				d, company, table := lockedTable(t, secure, 9, 2*time.Second)
				spoil(company)
				release := mustLock(t, company, 5)
				d.Forget()
				for range 3 {
					if _, err := table.Settle(t.Context(), batchOf(9)); err == nil {
						t.Fatal("a settle that must wait: no error")
					} else {
						sourcetest.WantError(t, err, false, "write statuses to NOTIFICACAO")
					}
					atMost(t, d, 2)
				}
				mustPage(t, table, "", 9) // reading goes on meanwhile
				writes := 0
				for _, c := range d.Calls() {
					if c.Step == oracletest.Write {
						writes++
					}
				}
				if writes != 1 {
					t.Errorf("%d updates were sent before the first was answered, want 1", writes)
				}
				release()
				// The server answers now, and what it had done is not committed.
				settlesAgain(t, table, 9)
				atMost(t, d, 2)
			})
		}
	}
}
