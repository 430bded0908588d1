package sourcetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/source"
	"pombo/test/nightly"
)

func emptyTable(b *bench) {
	if rows := b.page("", 10); len(rows) != 0 {
		b.Errorf("a page of an empty table has %d rows", len(rows))
	}
	found, err := b.Statuses(b.Context(), b.keys(1))
	if err != nil || len(found) != 0 {
		b.Errorf("Statuses = %v, %v; want none", found, err)
	}
	b.wantResults(b.settle(b.to(1, "1", "2")), pombo.SettleGone)
	if err := b.Check(b.Context()); err != nil {
		b.Errorf("Check of an empty table: %v", err)
	}
	// The layout of an empty table must not outlive it.
	b.fill(1, 2)
	b.wantKeys(b.pass(10), 1, 2)
}

func pages(b *bench) {
	b.fill(1, 12) // 9 comes before 10, as numbers do
	b.SetStatus(b.key(5), "2")
	b.wantKeys(b.pass(4), 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12)
	before := b.Executed()
	b.wantKeys(b.pass(12), 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12)
	if statements := b.Executed() - before; statements != 1 {
		b.Errorf("%d statements for a page that holds all, want 1", statements)
	}
}

func pageBehindAnyKey(b *bench) {
	b.fill(1, 3)
	b.fill(7, 9)
	var got []string
	for _, r := range b.page(b.key(5), 10) { // no row has it
		got = append(got, r.RowKey)
	}
	b.wantKeys(got, 7, 8, 9)
	if rows := b.page(b.key(9), 10); len(rows) != 0 {
		b.Errorf("after the last key there are %d rows, want none", len(rows))
	}
	if rows := b.page("", 0); len(rows) != 1 {
		b.Errorf("a page of no rows has %d, want 1: an empty one would mean the end", len(rows))
	}
	// Wrapping round and reading again gives the same: reading changes nothing.
	b.wantKeys(b.pass(10), 1, 2, 3, 7, 8, 9)
}

func pagesOverChanges(b *bench) {
	b.fill(1, 6)
	first := b.page("", 3)
	b.Delete(b.key(3)) // the cursor's own row
	b.Delete(b.key(4))
	b.fill(9, 9)
	var got []string
	for _, r := range b.page(first[2].RowKey, 10) {
		got = append(got, r.RowKey)
	}
	b.wantKeys(got, 5, 6, 9)
}

func tenThousand(b *bench) {
	n := nightly.Or(10_000, 1_500)
	b.fill(1, n)
	before := b.Executed()
	got := b.pass(500)
	if statements := b.Executed() - before; statements > int64(n/500+5) {
		b.Errorf("%d statements for %d pages", statements, n/500)
	}
	if len(got) != n {
		b.Fatalf("%d rows, want %d", len(got), n)
	}
	for i, k := range got {
		if want := b.key(i + 1); k != want {
			b.Fatalf("row %d has the key %s, want %s", i, k, want)
		}
	}
	found, err := b.Statuses(b.Context(), got)
	if err != nil || len(found) != n {
		b.Errorf("statuses of %d keys: %d, %v", n, len(found), err)
	}
}

func values(b *bench) {
	b.Insert(
		Row{
			RowKey: b.key(1), Phone: "031 98888-0000", Name: "Conceição", Text: "linha 1\nlinha 2\t“€” 😀", Template: " aviso ",
			Priority: 7, SendAfter: "2026-11-23 10:00:00", Expires: "2026-11-23T10:00:00Z", Reminds: b.key(2), Status: "1",
		},
		Row{RowKey: b.key(2), Phone: "x", Priority: 12, SendAfter: "1795442400", Expires: "2026-11-24", Status: "1"},
		Row{RowKey: b.key(3), Phone: "x", Priority: -1, SendAfter: "2026-11-23T10:00:00.250-05:00", Status: "1"},
	)
	brasilia := Mapping().Zone
	private := func(name, text string) []pombo.Param {
		return []pombo.Param{{Slot: pombo.Body, Value: pombo.Private(name)}, {Slot: pombo.HeaderText, Value: pombo.Private(text)}}
	}
	want := []pombo.Row{
		{
			RowKey: b.key(1), Recipient: "031 98888-0000", Params: private("Conceição", "linha 1\nlinha 2\t“€” 😀"), Template: "aviso", Priority: 7,
			SendAfter: time.Date(2026, 11, 23, 10, 0, 0, 0, brasilia), Expires: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Reminds: b.key(2),
		},
		{
			RowKey: b.key(2), Recipient: "x", Params: private("", ""), Priority: 9,
			SendAfter: time.Unix(1795442400, 0), Expires: time.Date(2026, 11, 24, 0, 0, 0, 0, brasilia),
		},
		{RowKey: b.key(3), Recipient: "x", Params: private("", ""), SendAfter: time.Date(2026, 11, 23, 15, 0, 0, 250e6, time.UTC)},
	}
	if diff := cmp.Diff(reveal(want), reveal(b.page("", 10))); diff != "" {
		b.Errorf("rows (-want +got):\n%s", diff)
	}
}

// reveal makes rows comparable and their differences readable.
func reveal(rows []pombo.Row) []string {
	var out []string
	for _, r := range rows {
		var line strings.Builder
		fmt.Fprintf(&line, "%s phone=%q template=%q priority=%d after=%s expires=%s reminds=%q", r.RowKey, r.Recipient.Reveal(), r.Template, r.Priority, r.SendAfter.UTC(), r.Expires.UTC(), r.Reminds)
		for _, p := range r.Params {
			fmt.Fprintf(&line, " %s=%q", p.Slot, p.Value.Reveal())
		}
		out = append(out, line.String())
	}
	return out
}

func nulls(b *bench) {
	b.Insert(Row{RowKey: b.key(1), Status: "1"})
	want := []pombo.Row{{RowKey: b.key(1), Params: []pombo.Param{{Slot: pombo.Body}, {Slot: pombo.HeaderText}}}}
	if diff := cmp.Diff(reveal(want), reveal(b.page("", 10))); diff != "" {
		b.Errorf("rows (-want +got):\n%s", diff)
	}
}

func hugeText(b *bench) {
	b.Insert(
		Row{RowKey: b.key(1), Phone: "x", Name: "Ana", Text: strings.Repeat("ã", 10<<20/2), Status: "1"},
		Row{RowKey: b.key(2), Phone: "x", Name: "Ana", Text: strings.Repeat("ã", source.MaxText), Status: "1"},
	)
	rows := b.page("", 10)
	if len(rows) != 2 {
		b.Fatalf("%d rows, want 2", len(rows))
	}
	for i, want := range []int{source.MaxText + 1, source.MaxText} {
		if got := len([]rune(rows[i].Params[1].Value.Reveal())); got != want {
			b.Errorf("row %d: %d characters, want %d", i+1, got, want)
		}
	}
}

func unreadableTime(b *bench) {
	bad := b.row(2)
	bad.SendAfter = "amanhã cedo"
	worse := b.row(4)
	worse.Expires = "2026-13-45 10:00:00"
	b.Insert(b.row(1), bad, b.row(3), worse, b.row(5))
	b.wantKeys(b.pass(2), 1, 3, 5)
	var got []string
	for _, p := range b.Problems() {
		got = append(got, p.RowKey+" "+p.Column)
		if strings.Contains(p.String(), "amanhã") {
			b.Errorf("a problem repeats what is in the row: %s", p)
		}
	}
	if want := []string{b.key(2) + " DT_ENVIO", b.key(4) + " DT_EXPIRA"}; !slices.Equal(got, want) {
		b.Errorf("problems = %q, want %q", got, want)
	}
	b.Delete(b.key(2))
	b.Delete(b.key(4))
	b.wantKeys(b.pass(2), 1, 3, 5)
	if got := b.Problems(); len(got) != 0 {
		b.Errorf("problems of a clean pass = %v, want none", got)
	}
}

// farTimes: the "no end" of many systems is the year 10000 elsewhere.
func farTimes(b *bench) {
	rows := []Row{b.row(1), b.row(2), b.row(3), b.row(4), b.row(5)}
	rows[0].Expires = "9999-12-31 23:59:59"
	rows[1].Expires = "9999-12-31"
	rows[2].SendAfter = "9999-12-31 23:59:59"
	rows[3].Expires = "99999999999" // Unix seconds
	rows[4].SendAfter = "0001-01-01 00:00:00"
	b.Insert(rows...)
	got := b.page("", 10)
	b.wantKeys(b.pass(10), 1, 2, 4, 5)
	for _, r := range got {
		if !r.Expires.IsZero() {
			b.Errorf("row %s expires %s, want never", r.RowKey, r.Expires)
		}
		if _, err := r.SendAfter.UTC().MarshalJSON(); err != nil {
			b.Errorf("row %s: %v", r.RowKey, err)
		}
	}
	if got := b.Problems(); len(got) != 1 || got[0].RowKey != b.key(3) || got[0].Column != "DT_ENVIO" {
		b.Errorf("problems = %v, want one, of the row that would never go", got)
	}
}

// noTemplate: a mapping that is off by one column has names and phones as templates.
func noTemplate(b *bench) {
	rows := []Row{b.row(1), b.row(2), b.row(3), b.row(4)}
	rows[0].Template = "Zenobiaplanted 31977774506"
	rows[1].Template = "exam_ready2"
	rows[2].Template = " "
	rows[3].Template = "açãoplanted"
	b.Insert(rows...)
	b.wantKeys(b.pass(10), 2, 3)
	problems := b.Problems()
	if len(problems) != 2 {
		b.Errorf("problems = %v, want two", problems)
	}
	for _, p := range problems {
		if p.Column != "CD_TEMPLATE" || strings.Contains(p.String(), "planted") {
			b.Errorf("problem = %s", p)
		}
	}
	if _, err := b.Row(b.Context(), b.key(1)); err == nil || strings.Contains(err.Error(), "planted") {
		b.Errorf("Row: error %v, want one that does not repeat the name", err)
	}
}

func onlyUnreadable(b *bench) {
	var rows []Row
	for n := 1; n <= 9; n++ {
		r := b.row(n)
		r.SendAfter = "?"
		rows = append(rows, r)
	}
	b.Insert(append(rows, b.row(10))...)
	b.wantKeys(b.pass(3), 10)
	if got := len(b.Problems()); got != 9 {
		b.Errorf("%d problems, want 9", got)
	}
}

func statuses(b *bench) {
	b.fill(1, 3)
	b.SetStatus(b.key(2), "2")
	b.SetStatus(b.key(3), "77")
	found, err := b.Statuses(b.Context(), append(b.keys(1, 2, 3, 4), "'; DROP TABLE NOTIFICACAO", ""))
	if err != nil {
		b.Fatal(err)
	}
	want := map[string]string{b.key(1): "1", b.key(2): "2", b.key(3): "77"}
	if diff := cmp.Diff(want, found); diff != "" {
		b.Errorf("statuses (-want +got):\n%s", diff)
	}
	if found, err := b.Statuses(b.Context(), nil); err != nil || len(found) != 0 {
		b.Errorf("statuses of no keys = %v, %v", found, err)
	}
}

// oneRow: somebody has corrected a row that is no longer pending and wants it sent.
func oneRow(b *bench) {
	b.fill(1, 3)
	b.SetStatus(b.key(2), "3")
	pending := b.page("", 10)
	for i, n := range []int{1, 3} {
		got, err := b.Row(b.Context(), b.key(n))
		if diff := cmp.Diff(pending[i], got); err != nil || diff != "" {
			b.Errorf("Row(%d): error %v (-page +row):\n%s", n, err, diff)
		}
	}
	if got, err := b.Row(b.Context(), b.key(2)); err != nil || got.RowKey != b.key(2) || got.Recipient == "" {
		b.Errorf("Row of a finished row = key %q, %v; want the row", got.RowKey, err)
	}
	for _, key := range []string{b.key(9), "no key of any kind here"} {
		if _, err := b.Row(b.Context(), key); !errors.Is(err, pombo.ErrNotFound) {
			b.Errorf("Row of a key that no row has: %v, want pombo.ErrNotFound", err)
		}
	}
}
