package source

import (
	"strings"
	"testing"
	"time"
)

// The two clocks are compared by what happened between question and answer.
func TestJudgeClock(t *testing.T) {
	zone := time.FixedZone("Brasília", -3*60*60)
	begun := time.Date(2026, 11, 23, 13, 0, 0, 500e6, time.UTC)
	ended := begun.Add(2 * time.Second)
	dates := Layout{Columns: []Column{{Name: "QUANDO", Declared: "DATE"}}}
	for _, c := range []struct {
		utc, local string
		layout     Layout
		what       string
		fine       bool
	}{
		{"2026-11-23 13:00:00", "2026-11-23 10:00:00", dates, "agrees", true}, // whole seconds look older than they are
		{"2026-11-23 13:01:00", "2026-11-23 10:01:00", dates, "agrees", true},
		{"2026-11-23 12:58:00", "2026-11-23 09:58:00", dates, "2m1s behind", false},
		{"2026-11-23 13:05:02", "2026-11-23 10:05:02", dates, "ahead of", false},
		{"2026-11-23 13:00:01", "2026-11-23 13:00:01", dates, "it is 13:00 in the database and 10:00 in Brasília", false},
		{"2026-11-23 13:00:01", "2026-11-23 13:00:01", Layout{Columns: []Column{{Name: "QUANDO", Declared: "TIMESTAMP(6) WITH TIME ZONE"}}}, "agrees", true},
		{"2026-11-23 13:00:01", "2026-11-23 13:00:01", Layout{Columns: []Column{{Name: "QUANDO", Declared: "TEXT"}}}, "agrees", true},
	} {
		m, err := ParseMapping(Mapping{Table: "T", RowKey: "ID", Phone: "F", Status: "S", Pending: "1", SendAfter: "QUANDO", Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		c.layout.Matches = func(n Name, column string) bool { return n.Fold() == column }
		r, err := JudgeClock(m, c.layout, c.utc, c.local, begun, ended)
		if err != nil || !strings.Contains(r.Message, c.what) || (r.Hint == "") != c.fine {
			t.Errorf("%s, %s: %+v, %v; want %q", c.utc, c.local, r, err, c.what)
		}
	}
	if _, err := JudgeClock(&ParsedMapping{}, dates, "", "", begun, ended); err == nil {
		t.Error("a clock that tells nothing agrees")
	}
}
