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

	"go.uber.org/goleak"

	"pombo"
	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// The line dies at every step of a settle. The same batch, given again, ends every
// row as it should be, and no row was ever changed twice.
func TestOracleSettleOverLostLine(t *testing.T) {
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
func TestOraclePageOverLostLine(t *testing.T) {
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
func TestOracleKilledSessions(t *testing.T) {
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
func TestOracleIdle(t *testing.T) {
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
func TestOracleAway(t *testing.T) {
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

// noLeak fails the test for goroutines that it leaves behind.
func noLeak(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// A login that is cut or stalls ends in time, and leaves nothing behind.
func TestOracleLoginFaults(t *testing.T) {
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

// A server that is slow is told to stop, one that is silent is left: both in time,
// and neither keeps a session of ours.
func TestOracleSilence(t *testing.T) {
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

// Somebody changes a row and does not commit. The settle gives that row up in time
// and writes the others; what it wanted of it does not happen later, behind
// everybody's back. No session of ours stays behind, nor is a new one needed.
func TestOracleLockedRow(t *testing.T) {
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

// A change that is not answered is not known to wait for a lock, and none is said to.
// Until its answer comes, or the line breaks, there is no second one.
func TestOracleUnanswered(t *testing.T) {
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

// One wrong password is one try, however many ask, until time has passed.
func TestOracleWrongPassword(t *testing.T) {
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

func TestOracleAccount(t *testing.T) {
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

// What somebody must mend is named, with what to run.
func TestOracleRights(t *testing.T) {
	const (
		grant     = `as the table's owner run GRANT SELECT, UPDATE ("ST") ON "NOTIFICACAO" TO "POMBO"`
		wrongName = "see whether NOTIFICACAO is the right name, with the schema in front of it if it is another account's (SCHEMA.TABLE), and whether a synonym of that name means a table that is there (DB_TABLE)"
	)
	for name, c := range map[string]struct {
		spoil func(*oracletest.Table)
		want  []string
	}{
		"no right to write": {func(c *oracletest.Table) { c.RevokeUpdate("ST") }, []string{"write to NOTIFICACAO", "the account lacks a right (ORA-01031)", grant}},
		"no right to read":  {(*oracletest.Table).RevokeSelect, []string{"read pending rows of NOTIFICACAO", "ORA-01031", grant}},
		"no right at all":   {func(c *oracletest.Table) { c.RevokeSelect(); c.RevokeUpdate() }, []string{"the account POMBO sees no such table", wrongName, grant}},
		"a view":            {(*oracletest.Table).ReadOnly, []string{"the view cannot be changed (ORA-01732)", "INSTEAD OF trigger"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := startOracle(t, oracletest.Options{})
			company := pendingTable(t, d, "NOTIFICACAO", 1)
			c.spoil(company)
			err := openOracle(t, d, small()).Check(t.Context())
			for _, w := range c.want {
				wantError(t, err, w)
			}
		})
	}
}

// Oracle says the same of a table that is gone and of one that the account may not
// read any more: the error names both.
func TestOracleUnseenTable(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	company := pendingTable(t, d, "NOTIFICACAO", 1)
	table := openOracle(t, d, small())
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	company.RevokeSelect()
	company.RevokeUpdate()
	_, err := table.Page(t.Context(), "", 10)
	for _, want := range []string{"ORA-00942", "see whether NOTIFICACAO is the right name", "SCHEMA.TABLE", "synonym", "DB_TABLE", "as the table's owner run GRANT SELECT"} {
		wantError(t, err, want)
	}
}

// A row that the database refuses is parked; the others of its batch are written.
func TestOracleRefusals(t *testing.T) {
	const secret = "Maria da Silva"
	for name, c := range map[string]struct {
		spoil func(*oracletest.Table)
		want  string
	}{
		"a CHECK": {func(c *oracletest.Table) {
			c.Check("CK_"+strings.ReplaceAll(secret, " ", "_"), func(r oracletest.Row) bool { return r["ID"] != "2" || r["ST"] != "2" })
		}, "a CHECK of the table refuses the new values (ORA-02290)"},
		"a trigger": {func(c *oracletest.Table) {
			c.BeforeUpdate(func(before, _ oracletest.Row) error {
				if before["ID"] == "2" {
					return oracletest.Errorf(20001, "%s", secret)
				}
				return nil
			})
		}, "a trigger or function of the table refuses the change (ORA-20001)"},
	} {
		t.Run(name, func(t *testing.T) {
			d := startOracle(t, oracletest.Options{})
			company := pendingTable(t, d, "NOTIFICACAO", 9)
			c.spoil(company)
			table := openOracle(t, d, small())
			answers, err := table.Settle(t.Context(), batchOf(9))
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range answers {
				want, status := pombo.SettleDone, "2"
				if i == 1 {
					want, status = pombo.SettleRefused, "1"
					if a.Detail != c.want {
						t.Errorf("detail = %q, want %q", a.Detail, c.want)
					}
				}
				if r, _ := company.Row(i + 1); a.Result != want || r["ST"] != status {
					t.Errorf("row %d is %s with status %v, want %s and %s", i+1, a.Result, r["ST"], want, status)
				}
			}
			// An update that failed is undone before anything else happens.
			var failed, undone int
			for _, call := range d.Calls() {
				switch call.Step {
				case oracletest.Write:
					failed++
				case oracletest.Commit:
					failed--
				case oracletest.Rollback:
					undone++
				}
			}
			if failed == 0 || undone != failed {
				t.Errorf("%d updates failed and %d were rolled back", failed, undone)
			}
			// Nothing is locked any more.
			if err := company.Update(1, oracletest.Row{"ST": 1}); err != nil {
				t.Error(err)
			}
		})
	}
	// A code that the column is too small for is refused row by row as well.
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 2)
	batch := batchOf(2)
	batch[1].Code = "77"
	answers, err := openOracle(t, d, small()).Settle(t.Context(), batch)
	if err != nil || answers[0].Result != pombo.SettleDone || answers[1].Result != pombo.SettleRefused || !strings.Contains(answers[1].Detail, "ORA-01438") {
		t.Errorf("answers = %+v, %v; want the second refused with ORA-01438", answers, err)
	}
}

// The driver asks for the errors of all rows of a batch. An 11g says that there are
// some, and later ones which: either way the row is found, and blocks no other.
func TestOracleRefusalsOfBatch(t *testing.T) {
	for _, version := range []oracletest.Version{oracletest.Oracle10, oracletest.Oracle11, oracletest.Oracle12, oracletest.Oracle19, oracletest.Oracle21} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			d := startOracle(t, oracletest.Options{Version: version})
			company := pendingTable(t, d, "NOTIFICACAO", 30)
			company.Check("CK", func(r oracletest.Row) bool { return r["ID"] != "7" && r["ID"] != "9" || r["ST"] != "2" })
			answers, err := openOracle(t, d, small()).Settle(t.Context(), batchOf(30))
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range answers {
				want, detail := pombo.SettleDone, ""
				if i == 6 || i == 8 {
					want, detail = pombo.SettleRefused, "a CHECK of the table refuses the new values (ORA-02290)"
				}
				if a.Result != want || a.Detail != detail {
					t.Errorf("row %s is %s (%s), want %s", a.RowKey, a.Result, a.Detail, want)
				}
			}
		})
	}
}

// The classes of the codes that matter, and a sentence for each.
func TestOracleCodes(t *testing.T) {
	for class, codes := range map[string][]int{
		"lost":    {3106, 3120, 3137, 3146, 28, 1012, 1041, 1092, 2396, 2399, 3113, 3114, 3135, 12537, 12547, 12571, 25408},
		"away":    {1033, 1034, 1089, 1090, 1109, 12170, 12505, 12514, 12516, 12519, 12528, 12541, 18, 20, 60, 4020, 8177, 1555, 1013, 1000, 1652, 1653, 4031, 1153, 2391, 12599},
		"busy":    {54, 30006, 2049},
		"person":  {1017, 1031, 1045, 28000, 28001, 942, 904, 933, 911, 900, 1732, 1779, 12154, 12269, 12650, 12660, 997, 16000, 6550, 65000},
		"refused": {24381, 20000, 20999, 4088, 4091, 2290, 2291, 12899, 1438, 1407, 1722, 1, 28115},
	} {
		for _, code := range codes {
			got, says, _ := oracle.Meaning(code)
			if got != class {
				t.Errorf("ORA-%05d is %s, want %s", code, got, class)
			}
			if !strings.HasSuffix(says, fmt.Sprintf(" (ORA-%05d)", code)) || strings.HasPrefix(says, " ") {
				t.Errorf("ORA-%05d says %q", code, says)
			}
			if _, _, hint := oracle.Meaning(code); class == "person" && hint == "" {
				t.Errorf("ORA-%05d has no hint", code)
			}
		}
	}
}
