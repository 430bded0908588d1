package oracle_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pombo/internal/source"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// A page that takes too long, on a table without an index, is asked for less and less
// often, and says what to do; when it is quick again, all is as before.
func TestOracle_SlowPages(t *testing.T) {
	d := startOracle(t, oracletest.Options{})
	company := pendingTable(t, d, "NOTIFICACAO", 3)
	var now atomic.Int64
	table := openOracleWith(t, source.Options{
		URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP", Mapping: small(), Timeout: time.Second,
		Now: func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).Add(time.Duration(now.Load())) },
	})
	mustPage(t, table, "", 1)
	pages := func() (n int) {
		for _, c := range d.Calls() {
			if c.Step == oracletest.Query && strings.Contains(c.SQL, "ROWNUM") {
				n++
			}
		}
		return n
	}
	const index = `no index of NOTIFICACAO begins with ST, so each page walks over rows that were finished long ago (of a view, see the tables behind it); have the table's owner run CREATE INDEX "IX_NOTIFICACAO" ON "NOTIFICACAO" ("ST", "ID")`
	wait := time.Duration(0)
	for range 3 {
		wait = max(2*wait, time.Second)
		d.Fault(oracletest.Query, oracletest.Slow, 1)
		_, err := table.Page(t.Context(), "", 1)
		sourcetest.WantError(t, err, false, "no answer within 1s", index)
		d.Forget()
		for _, early := range []time.Duration{0, wait - 1} {
			now.Add(int64(early))
			_, err = table.Page(t.Context(), "", 1)
			sourcetest.WantError(t, err, false, "no answer within 1s", "and is not asked again before 10:00:0", index)
			sourcetest.WantError(t, table.Check(t.Context()), false, "not asked again", "CREATE INDEX")
			now.Add(-int64(early))
		}
		if n := pages(); n != 0 {
			t.Errorf("%d pages were asked for within %s", n, wait)
		}
		now.Add(int64(wait))
	}
	mustPage(t, table, "", 1)
	// Where there is an index, it is something else.
	company.Index("IX_ST", "ST", "ID")
	d.Fault(oracletest.Query, oracletest.Slow, 1)
	_, err := table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "see whether somebody holds a lock on the table, and whether its statistics are fresh", "the index IX_ST begins with ST")
	now.Add(int64(time.Second)) // one second again: the quick page counted
	mustPage(t, table, "", 1)
	// Who asks has no time: that is no slow page.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	d.Fault(oracletest.Query, oracletest.Slow, 1)
	if _, err := table.Page(ctx, "", 1); err == nil {
		t.Error("no error")
	}
	mustPage(t, table, "", 1)
}
