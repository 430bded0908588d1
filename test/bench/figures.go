package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jedib0t/go-pretty/v6/table"

	"pombo/internal/ledger"
	"pombo/internal/tally"
)

// The figures of reports are measured beside the lists, on the same ledger: how long a
// report takes with the counts of a year, and what counting costs.

const (
	figureBudget = 50 * time.Millisecond
	// Of each hour of the year before the notifications of the lists: eight templates, each
	// with six states and reasons, and for each leg five buckets.
	figureTemplates = `["","a","b","c","d","e","f","g"]`
	figureStates    = `[["read",""],["delivered",""],["accepted",""],["failed","not_on_whatsapp"],["failed","parameter_format"],["suppressed","opted_out"]]`
	figureBuckets   = `[[1,8],[1,9],[1,10],[1,11],[1,12],[2,11],[2,12],[2,13],[2,14],[2,15],[3,18],[3,19],[3,20],[3,21],[3,22]]`
)

// fillFigures writes the counts of a year, past the counter.
func fillFigures(ctx context.Context, url string, n int) (err error) {
	last := listTime(n, 0).Unix()/3600 - 1
	first := last - 365*24
	if path, is := strings.CutPrefix(url, "sqlite:"); is {
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		const hours = "WITH RECURSIVE h (hour) AS (SELECT ?1 UNION ALL SELECT hour + 1 FROM h WHERE hour < ?2) "
		_, err = db.ExecContext(ctx, `INSERT INTO tally `+hours+`SELECT hour, t.value, s.value ->> 0, s.value ->> 1, 10 FROM h, json_each(?3) AS t, json_each(?4) AS s`,
			first, last, figureTemplates, figureStates)
		if err == nil {
			_, err = db.ExecContext(ctx, `INSERT INTO latency `+hours+`SELECT hour, t.value, s.value ->> 0, s.value ->> 1, 10 FROM h, json_each(?3) AS t, json_each(?4) AS s`,
				first, last, figureTemplates, figureBuckets)
		}
		return err
	}
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	const from = ` FROM generate_series($1::bigint, $2::bigint) AS hour, jsonb_array_elements_text($3::jsonb) AS t, jsonb_array_elements($4::jsonb) AS s`
	_, err = db.Exec(ctx, `INSERT INTO tally SELECT hour, t, s ->> 0, s ->> 1, 10`+from, first, last, figureTemplates, figureStates)
	if err == nil {
		_, err = db.Exec(ctx, `INSERT INTO latency SELECT hour, t, CAST(s ->> 0 AS integer), CAST(s ->> 1 AS integer), 10`+from, first, last, figureTemplates, figureBuckets)
	}
	if err == nil {
		_, err = db.Exec(ctx, "VACUUM ANALYZE tally, latency")
	}
	return err
}

// printFigures prints how long reports take, warm, and what counting costs.
func printFigures(ctx context.Context, url string, n int, store string) (err error) {
	if err := fillFigures(ctx, url, n); err != nil {
		return fmt.Errorf("fill the tallies: %w", err)
	}
	db, err := ledger.Open(ctx, ledger.Options{URL: url})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	begin := listTime(n, 0)
	for ago := range 75 { // as the counter does
		day := begin.AddDate(0, 0, -ago)
		if err := db.Tallies.Fold(ctx, day, day, day.AddDate(0, 0, 1)); err != nil {
			return err
		}
	}
	query := tally.ReportQuery{Year: begin.Year(), Month: begin.Month() - 1, Zone: time.UTC}
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.AppendHeader(table.Row{"figures of a year on " + store, "counts", "median ms", "slowest ms", "CPU ms of this process", "budget ms"})
	for _, r := range []struct {
		name string
		read func() (int, error)
	}{
		{"report of a month, beside the one before", func() (int, error) {
			r, err := tally.ReadReport(ctx, db.Tallies, query)
			return r.Total.Entered, err
		}},
		{"failures of 30 days", func() (int, error) {
			f, err := tally.ReadFailures(ctx, db.Tallies, begin, 30*24*time.Hour, time.UTC)
			return f.Total.Failed, err
		}},
		{"today", func() (int, error) {
			t, err := tally.ReadToday(ctx, db.Tallies, begin, time.UTC)
			return t.Total.Entered, err
		}},
	} {
		var found int
		var took []time.Duration
		var cpu time.Duration
		for i := range listTries + 1 {
			start, used := time.Now(), ownCPU()
			if found, err = r.read(); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			if i > 0 {
				took, cpu = append(took, time.Since(start)), cpu+ownCPU()-used
			}
		}
		slices.Sort(took)
		budget := strconv.FormatInt(figureBudget.Milliseconds(), 10)
		if took[len(took)/2] > figureBudget {
			budget += " MISSED"
		}
		out.AppendRow(table.Row{r.name, found, inMillis(took[len(took)/2]), inMillis(took[len(took)-1]), inMillis(cpu / listTries), budget})
	}
	out.RenderMarkdown()
	return printCount(ctx, db, n)
}

// printCount prints what it costs to count as many as four days have of 10,000,000 in 90
// days, and what share of a core that is when it is done every hour.
func printCount(ctx context.Context, db *ledger.DB, n int) error {
	first, most := listTime(n, 0).Truncate(time.Hour), min(n, 444_000)
	start, used, counted := time.Now(), ownCPU(), 0
	for hour := first; counted < most; hour = hour.Add(time.Hour) {
		some, err := db.Tallies.Recount(ctx, hour, hour.Add(time.Hour))
		if err != nil {
			return err
		}
		counted += some
	}
	cpu := (ownCPU() - used) * time.Duration(most) / time.Duration(counted)
	fmt.Printf("\n%d counted in %s: %s ms of CPU of this process for %d, every hour: %.2f %% of a core\n\n", counted,
		time.Since(start).Round(time.Second), inMillis(cpu), most, 100*cpu.Hours())
	return nil
}
