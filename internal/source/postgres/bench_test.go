package postgres

import (
	"fmt"
	"testing"
	"time"

	"pombo"
	"pombo/internal/source"
	"pombo/test/postgrestest"
	"pombo/test/sourcetest"
)

// BenchmarkPostgres is on a server that waits for the disk, as the company's does.
func BenchmarkPostgres(b *testing.B) {
	const rows, size = 200_000, 500
	server := postgrestest.Start(b, postgrestest.Options{Durable: true})
	dsn := server.DSN("postgres")
	owner := connect(b, dsn, `CREATE TABLE notificacao (id bigint PRIMARY KEY, nr_telefone text, nm_contato text, ds_mensagem text, cd_status smallint, cd_msg uuid, dt timestamptz)`,
		fmt.Sprintf(`INSERT INTO notificacao SELECT n, '(31) 98888-0000', 'Maria da Silva', 'Sua consulta foi marcada para amanhã às 10 horas.', 1 FROM generate_series(1, %d) AS s (n)`, rows), `VACUUM ANALYZE notificacao`)
	plain := at(b, dsn, sourcetest.Defaults())
	do(b, owner, plain.Advice()[0].Text)
	b.Run("page", func(b *testing.B) {
		b.ReportAllocs()
		n, after := 0, ""
		for b.Loop() {
			got, err := plain.Page(b.Context(), after, size)
			if err != nil {
				b.Fatal(err)
			}
			if n += len(got); len(got) < size {
				after = ""
			} else {
				after = got[size-1].RowKey
			}
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	})
	settle := func(b *testing.B, table *source.Table, sent time.Time) {
		b.ReportAllocs()
		from, to, next := "1", "2", 1
		do(b, owner, `UPDATE notificacao SET cd_status = 1`, `VACUUM FULL notificacao`)
		batch, done := make([]pombo.Settlement, size), 0
		for b.Loop() {
			for i := range batch {
				batch[i] = pombo.Settlement{RowKey: fmt.Sprint(next + i), Expected: from, Code: to, SentAt: sent}
				if !sent.IsZero() {
					batch[i].MessageID = "2ed6657d-e927-568b-95e1-2665a8aea6a2"
				}
			}
			got, err := table.Settle(b.Context(), batch)
			if err != nil || got[0].Result != pombo.SettleDone {
				b.Fatal(got[0], err)
			}
			done += size
			if next += size; next > rows {
				from, to, next = to, from, 1
			}
		}
		b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "rows/s")
	}
	b.Run("settle", func(b *testing.B) { settle(b, plain, time.Time{}) })
	b.Run("settle with write-back", func(b *testing.B) {
		m := sourcetest.Defaults()
		m.MessageID, m.SentAt = "cd_msg", "dt"
		settle(b, at(b, dsn, m), time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
	})
	// What a statement costs of itself: one row by its key.
	b.Run("statuses of one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plain.Statuses(b.Context(), []string{"7"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
