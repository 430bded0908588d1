package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/ledger"
	"pombo/source"
)

// backlog shows the open work of the ledger when somebody looks. Counting at
// each scrape costs less than keeping gauges right over restarts.
type backlog struct {
	ledger *ledger.DB
	table  *source.Table

	open, held, due, oldest, diverged, statements *prometheus.Desc
}

func newBacklog(db *ledger.DB, table *source.Table) *backlog {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &backlog{
		ledger: db, table: table,
		open:       desc("pombo_notifications", "Open notifications by state.", "state"),
		held:       desc("pombo_held", "Queued notifications that wait for their template to be right; they count as queued too."),
		due:        desc("pombo_settle_due", "Results not yet written back to the source."),
		oldest:     desc("pombo_oldest_queued_seconds", "Age of the oldest queued notification; 0 when none is queued."),
		diverged:   desc("pombo_diverged", "Rows whose owner changed the status meanwhile."),
		statements: desc("pombo_source_statements_total", "Statements sent to the source."),
	}
}

// Describe tells which metrics there are.
func (b *backlog) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.open, b.held, b.due, b.oldest, b.diverged, b.statements} {
		c <- d
	}
}

// Collect reads the ledger. When it does not answer in time, its metrics are
// missing, which alerts can see.
func (b *backlog) Collect(c chan<- prometheus.Metric) {
	c <- prometheus.MustNewConstMetric(b.statements, prometheus.CounterValue, float64(b.table.Executed()))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	now, err := b.ledger.Backlog(ctx)
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, s := range pombo.States() {
		if s.Open() {
			gauge(b.open, float64(now.States[s]), string(s))
		}
	}
	age := 0.0
	if !now.Oldest.IsZero() {
		age = time.Since(now.Oldest).Seconds()
	}
	gauge(b.oldest, age)
	gauge(b.held, float64(now.Held))
	gauge(b.due, float64(now.Due))
	gauge(b.diverged, float64(now.Diverged))
}
