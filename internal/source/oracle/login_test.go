package oracle_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pombo/internal/source"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// noLeak fails the test for goroutines that it leaves behind.
func noLeak(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// A login that is cut or stalls ends in time, and leaves nothing behind.
func TestOracle_LoginFaults(t *testing.T) {
	noLeak(t)
	for _, step := range []oracletest.Step{oracletest.Connect, oracletest.Negotiate, oracletest.Login} {
		for _, kind := range []oracletest.Kind{oracletest.CutBefore, oracletest.CutAfter, oracletest.CutWithin, oracletest.Stall} {
			t.Run(fmt.Sprint(step, kind), func(t *testing.T) {
				d := startOracle(t, oracletest.Options{})
				pendingTable(t, d, "NOTIFICACAO", 1)
				table := openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP", Mapping: small(), Timeout: 2 * time.Second})
				d.Fault(step, kind, 1)
				_, err := table.Page(t.Context(), "", 1)
				if kind == oracletest.Stall {
					sourcetest.WantError(t, err, false, "no login within 1s", "see whether database and listener run")
				} else {
					sourcetest.WantError(t, err, false, "read the columns of NOTIFICACAO")
				}
				mustPage(t, table, "", 1)
			})
		}
	}
}

// One wrong password is one try, however many ask, until time has passed.
func TestOracle_TriesWrongPasswordOnce(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 1)
	var now atomic.Int64
	table := openOracleWith(t, source.Options{
		URL: "oracle://pombo:errada@" + d.Addr() + "/ERP", Mapping: small(), Timeout: 10 * time.Second,
		Now: func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, brasilia).Add(time.Duration(now.Load())) },
	})
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { _, errs[i] = table.Page(t.Context(), "", 1) })
	}
	wait.Wait()
	for _, err := range errs {
		sourcetest.WantError(t, err, true, "the database refuses user and password (ORA-01017), and is not asked again before 10:15; correct DB_USER and DB_PASSWORD")
		if strings.Contains(err.Error(), "errada") {
			t.Errorf("error tells the password: %v", err)
		}
	}
	now.Store(int64(14 * time.Minute))
	sourcetest.WantError(t, table.Check(t.Context()), true, "ORA-01017")
	if got := d.WrongLogins(); got != 1 {
		t.Errorf("%d wrong logins, want 1", got)
	}
	now.Store(int64(16 * time.Minute))
	sourcetest.WantError(t, table.Check(t.Context()), true, "not asked again before 10:31")
	if got := d.WrongLogins(); got != 2 {
		t.Errorf("%d wrong logins after a quarter of an hour, want 2", got)
	}
}

func TestOracle_LockedOrExpiredAccount(t *testing.T) {
	nightly.WithoutRace(t)
	for status, want := range map[oracletest.AccountStatus]string{
		oracletest.AccountLocked:  "the account is locked (ORA-28000), and is not asked again",
		oracletest.AccountExpired: "the password has expired (ORA-28001), and is not asked again",
	} {
		d := startOracle(t, oracletest.Options{})
		pendingTable(t, d, "NOTIFICACAO", 1)
		d.SetAccount(status)
		table := openOracle(t, d, small())
		for range 3 {
			sourcetest.WantError(t, table.Check(t.Context()), true, want)
		}
		logins := 0
		for _, c := range d.Calls() {
			if c.Step == oracletest.Connect {
				logins++
			}
		}
		if logins != 1 {
			t.Errorf("%d logins, want 1", logins)
		}
	}
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 1)
	d.SetAccount(oracletest.AccountExpiring) // a warning is no error
	if err := openOracle(t, d, small()).Check(t.Context()); err != nil {
		t.Errorf("Check of an account whose password will expire: %v", err)
	}
}
