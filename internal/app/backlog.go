package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/source"
)

// backlog shows the open work and why it is open when somebody looks. Counting
// at each scrape costs less than keeping gauges right over restarts.
type backlog struct {
	health healthReader
	table  *source.Table

	statements, panics, ledgerUp, free *prometheus.Desc
	open, waiting                      *prometheus.Desc
	gauges                             []gauge
}

// gauge is one number of what is known.
type gauge struct {
	desc *prometheus.Desc
	of   func(health.Snapshot) float64
}

func newBacklog(w healthReader, table *source.Table) *backlog {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	b := &backlog{
		health: w, table: table,
		statements: desc("pombo_source_statements_total", "Statements sent to the source."),
		panics:     desc("pombo_source_driver_panics_total", "Panics of the source's driver, each of which ended a connection."),
		ledgerUp:   desc("pombo_ledger_up", "1 when the ledger answered this scrape; when it is 0, what only the ledger knows is missing."),
		free:       desc("pombo_ledger_free_bytes", "Room on the disk of a ledger that is a file."),
		open:       desc("pombo_notifications", "Open notifications by state.", "state"),
		waiting:    desc("pombo_waiting", "Queued notifications by why they have not gone; of those whose time has not come, from a sample of the oldest.", "why"),
	}
	add := func(name, help string, of func(health.Snapshot) float64) {
		b.gauges = append(b.gauges, gauge{desc(name, help), of})
	}
	// Ages are 0 when there is nothing that ages.
	age := func(name, help string, since func(health.Snapshot) time.Time) {
		add(name, help, func(f health.Snapshot) float64 {
			if t := since(f); !t.IsZero() {
				return max(0, f.Now.Sub(t).Seconds())
			}
			return 0
		})
	}
	moment := func(name, help string, at func(health.Progress) time.Time) {
		add(name, help, func(f health.Snapshot) float64 {
			if t := at(f.Progress); !t.IsZero() {
				return float64(t.UnixMilli()) / 1000
			}
			return 0
		})
	}
	age("pombo_oldest_queued_seconds", "Age of the oldest queued notification; 0 when none is queued.", func(f health.Snapshot) time.Time { return f.Backlog.Oldest })
	age("pombo_oldest_ready_seconds", "How long the first of the queued notifications that may go now has waited for that; 0 when none may.", func(f health.Snapshot) time.Time { return f.Backlog.ReadySince })
	age("pombo_uncertain_oldest_seconds", "How long the oldest uncertain notification has been so, of a hundred; 0 when none is.", func(f health.Snapshot) time.Time { return f.Backlog.UncertainSince })
	age("pombo_uncertain_unchecked_seconds", "How long the first of the uncertain notifications has been due to be asked about; 0 when none is.", func(f health.Snapshot) time.Time { return f.Backlog.UncheckedSince })
	add("pombo_resends_awaiting_operator", "Rows that were set back to pending with so many others that a person has to say why; they count as queued too.", func(f health.Snapshot) float64 { return float64(f.Backlog.Resends) })
	add("pombo_ledger_went_back_timestamp_seconds", "When the ledger was last found to have lost something; 0 = never.", func(f health.Snapshot) float64 {
		if t := f.Backlog.WentBack; !t.IsZero() {
			return float64(t.UnixMilli()) / 1000
		}
		return 0
	})
	age("pombo_settle_oldest_seconds", "How long the oldest result has not been written back to the source, of a hundred; 0 when none is due.", func(f health.Snapshot) time.Time { return f.Backlog.DueSince })
	add("pombo_parked", "Queued notifications that wait for their template to be right; they count as queued too.", func(f health.Snapshot) float64 { return float64(f.Backlog.Parked) })
	add("pombo_settle_due", "Results not yet written back to the source.", func(f health.Snapshot) float64 { return float64(f.Backlog.Due) })
	add("pombo_diverged", "Rows whose owner changed the status meanwhile.", func(f health.Snapshot) float64 { return float64(f.Backlog.Diverged) })
	moment("pombo_last_accepted_timestamp_seconds", "When Blip last took a message of this process; 0 = none since the start.", func(p health.Progress) time.Time { return p.Accepted })
	moment("pombo_last_intake_timestamp_seconds", "When the last pass of this process began that saw every pending row; 0 = none since the start.", func(p health.Progress) time.Time { return p.TakenIn })
	add("pombo_rejected_rows", "Pending rows that the last pass could not take in as they are.", func(f health.Snapshot) float64 { return float64(f.Progress.RejectedRows) })
	age("pombo_rejected_rows_oldest_seconds", "How long the first of the rows that cannot be taken in has been seen so; 0 when there is none.", func(f health.Snapshot) time.Time { return f.Progress.RejectedSince })
	add("pombo_finished_pending", "Pending rows that the last pass of this process saw although they are finished in the ledger.", func(f health.Snapshot) float64 { return float64(f.Progress.Finished) })
	age("pombo_no_receipts_seconds", "How long Blip has taken messages without one receipt for any; 0 when the last receipt is newer.", func(f health.Snapshot) time.Time { return f.Progress.NoReceiptsSince })
	age("pombo_ledger_failing_seconds", "How long claims and outcomes could not be recorded; 0 when the last one could.", func(f health.Snapshot) time.Time { return f.Progress.Ledger })
	age("pombo_intake_failing_seconds", "How long the pending rows could not be read; 0 when the last page could.", func(f health.Snapshot) time.Time { return f.Progress.Intake })
	age("pombo_settle_failing_seconds", "How long results could not be written to the source; 0 when the last batch could.", func(f health.Snapshot) time.Time { return f.Progress.Settling })
	add("pombo_paused_by_failures", "1 while sending is paused because too many messages in a row failed in the same way.", func(f health.Snapshot) float64 { return oneIf(f.Paused && f.Pause.By == "pombo") })
	add("pombo_account_limited", "1 while sending is paused because WhatsApp limits the account.", func(f health.Snapshot) float64 { return oneIf(f.Paused && f.Pause.Reason == pombo.AccountLimited) })
	add("pombo_templates_recategorized", "Templates that WhatsApp has moved into another category in the last seven days.", func(f health.Snapshot) float64 { return float64(len(f.Progress.Recategorized)) })
	add("pombo_paused", "1 while all sending is paused.", func(f health.Snapshot) float64 { return oneIf(f.Paused) })
	add("pombo_events_waiting", "Events that the receiver has not acknowledged, without those given up; at most 100,000 are counted.", func(f health.Snapshot) float64 { return float64(f.Events.Waiting) })
	age("pombo_events_oldest_seconds", "How long ago happened what the receiver has not been told for longest; 0 when nothing waits.", func(f health.Snapshot) time.Time { return f.Events.Oldest })
	add("pombo_events_given_up", "Events that were not acknowledged for three days, and wait for pombo events replay.", func(f health.Snapshot) float64 { return float64(f.Events.GivenUp) })
	add("pombo_stuck", "1 when rows are due, nothing goes and nothing explains it.", func(f health.Snapshot) float64 { return oneIf(f.Stuck()) })
	return b
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Describe lists the metrics.
func (b *backlog) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.statements, b.panics, b.ledgerUp, b.free, b.open, b.waiting} {
		c <- d
	}
	for _, g := range b.gauges {
		c <- g.desc
	}
}

// Collect asks the ledger. When it does not answer in time, pombo_ledger_up says
// so and what only the ledger knows is missing, so that no old number looks new.
func (b *backlog) Collect(c chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	c <- prometheus.MustNewConstMetric(b.statements, prometheus.CounterValue, float64(b.table.Executed()))
	c <- prometheus.MustNewConstMetric(b.panics, prometheus.CounterValue, float64(b.table.DriverPanics()))
	if free := b.health.diskFree(); free != nil {
		send(b.free, float64(*free))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	f, err := b.health.snapshot(ctx)
	send(b.ledgerUp, oneIf(err == nil))
	if err != nil {
		return
	}
	for _, s := range pombo.States() {
		if s.Open() {
			send(b.open, float64(f.Backlog.States[s]), string(s))
		}
	}
	for why, n := range f.Waiting() {
		send(b.waiting, float64(n), string(why))
	}
	for _, g := range b.gauges {
		send(g.desc, g.of(f))
	}
}
