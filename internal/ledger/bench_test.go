//go:build unix

package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"pombo"
	"pombo/internal/phone"
	"pombo/test/postgrestest"
)

func benchLedger(b *testing.B, url string) *DB {
	b.Helper()
	db, err := Open(b.Context(), Options{
		URL: url, Exclusive: true, Pending: "1",
		Codes: map[pombo.State]string{pombo.Accepted: "2"},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

// benchRows makes rows as a hospital has them; phones come in no order.
func benchRows(b *testing.B, from, n int) []pombo.Row {
	b.Helper()
	rows := make([]pombo.Row, n)
	for i := range rows {
		k := from + i
		number, err := phone.FromE164("+55119" + fmt.Sprintf("%08d", (k*7919)%100_000_000))
		if err != nil {
			b.Fatal(err)
		}
		rows[i] = pombo.Row{
			RowKey: strconv.Itoa(1_000_000 + k), Recipient: "(11) 98888-0000", Phone: number,
			Params: []pombo.Param{{Slot: pombo.Body, Value: "Maria da Silva"}, {Slot: pombo.Body, Value: "Sua consulta foi marcada para amanhã"}},
		}
	}
	return rows
}

func BenchmarkRoad_OnSQLite(b *testing.B) {
	road(b, benchLedger(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db")))
}

// BenchmarkRoad_OnPostgres has the server on the same machine; what its
// processor does is not in the figures, only in the times.
func BenchmarkRoad_OnPostgres(b *testing.B) {
	url := postgrestest.Start(b, postgrestest.Options{Durable: true}).Database(b)
	if _, _, err := Migrate(b.Context(), url); err != nil {
		b.Fatal(err)
	}
	road(b, benchLedger(b, url))
}

// road takes messages down the whole road of the ledger, with as many
// workers as a busy process has, and reports for each step how many a second it
// makes and how much processor it takes, which other programs disturb less.
func road(b *testing.B, db *DB) {
	b.Helper()
	const page, workers = 1000, 512
	ctx := context.Background()
	var spent, busy [5]time.Duration
	step := func(i int, f func() error) {
		start, used := time.Now(), processor(b)
		if err := f(); err != nil {
			b.Fatal(err)
		}
		spent[i] += time.Since(start)
		busy[i] += processor(b) - used
	}
	for from := 0; from < b.N; from += page {
		b.StopTimer()
		rows := benchRows(b, from, min(page, b.N-from))
		b.StartTimer()
		step(0, func() error {
			_, _, err := db.Intake.Enqueue(ctx, "NOTIFICACAO", 1, rows)
			return err
		})
	}
	for left := b.N; left > 0; {
		var held []pombo.Notification
		step(1, func() (err error) { held, err = db.Queue.Claim(ctx, "bench", workers); return err })
		step(2, func() error {
			return together(held, func(n *pombo.Notification) (err error) {
				n.Attempt, err = db.Queue.Begin(ctx, *n, "5511988880000@wa.gw.msging.net")
				return err
			})
		})
		step(3, func() error {
			return together(held, func(n *pombo.Notification) error {
				return db.Queue.Finish(ctx, pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: n.Owner, Attempt: n.Attempt, To: pombo.Accepted, Counted: true})
			})
		})
		left -= len(held)
	}
	for {
		var due []pombo.Settlement
		step(4, func() (err error) { due, err = db.Settlements.Unsettled(ctx, workers); return err })
		if len(due) == 0 {
			break
		}
		done := make([]pombo.Settled, len(due))
		for i, s := range due {
			done[i] = pombo.Settled{Settlement: s, Result: pombo.SettleDone}
		}
		step(4, func() error { return db.Settlements.Settled(ctx, done) })
	}
	b.ReportMetric(0, "ns/op")
	var sum time.Duration
	for i, name := range []string{"enqueue", "claim", "begin", "finish", "settle"} {
		b.ReportMetric(float64(b.N)/spent[i].Seconds(), name+"/s")
		b.ReportMetric(float64(busy[i].Microseconds())/float64(b.N), name+"-cpu-µs")
		sum += busy[i]
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(b.N), "cpu-µs/message")
}

// processor returns the processor time that the process has used.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
