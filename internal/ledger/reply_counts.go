package ledger

import (
	"context"
	"database/sql"
	"time"

	"pombo"
)

// AnswerCounts counts the answers that stand and came in at or after from and before to, by
// the status code that they give, the most frequent first.
func (r *Replies) AnswerCounts(ctx context.Context, from, to time.Time) (list []pombo.AnswerCount, err error) {
	err = r.all(ctx, sqlReplyCounts, []any{from.UnixMilli(), to.UnixMilli()}, func(rows *sql.Rows) error {
		var c pombo.AnswerCount
		if err := rows.Scan(&c.Code, &c.N); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, wrap(err, "count answers")
}
