package sqlite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pombo"
	"pombo/internal/source"
	"pombo/test/sourcetest"
)

func BenchmarkSQLite(b *testing.B) {
	const rows, size = 200_000, 500
	path, _ := file(b, `PRAGMA journal_mode = WAL`, simpleTable,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
		 INSERT INTO NOTIFICACAO SELECT i, '(31) 98888-0000', 'Maria da Silva', 'Sua consulta foi marcada para amanhã às 10 horas.', 1 FROM n`)
	table := open(b, path, sourcetest.Defaults())
	ctx := context.Background()
	b.Run("page", func(b *testing.B) {
		b.ReportAllocs()
		n, after := 0, ""
		for b.Loop() {
			got, err := table.Page(ctx, after, size)
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
		batch, done := make([]pombo.Settlement, size), 0
		for b.Loop() {
			for i := range batch {
				batch[i] = pombo.Settlement{RowKey: fmt.Sprint(next + i), Expected: from, Code: to, SentAt: sent}
				if !sent.IsZero() {
					batch[i].MessageID = "2ed6657d-e927-568b-95e1-2665a8aea6a2"
				}
			}
			got, err := table.Settle(ctx, batch)
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
	b.Run("settle", func(b *testing.B) { settle(b, table, time.Time{}) })
	b.Run("settle with write-back", func(b *testing.B) {
		path, _ := file(b, `PRAGMA journal_mode = WAL`, simpleTable, `ALTER TABLE NOTIFICACAO ADD COLUMN CD_MSG TEXT`, `ALTER TABLE NOTIFICACAO ADD COLUMN DT TEXT`,
			`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
			 INSERT INTO NOTIFICACAO SELECT i, '(31) 98888-0000', 'Maria da Silva', 'Sua consulta foi marcada.', 1, NULL, NULL FROM n`)
		m := sourcetest.Defaults()
		m.MessageID, m.SentAt = "CD_MSG", "DT"
		settle(b, open(b, path, m), time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
	})
}
