package ledger

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"pombo"
)

// AnswerCounts counts the answers that stand and came in at or after from and before to, by
// the template that they answer and the status code that they give, the most frequent first.
func (r *Replies) AnswerCounts(ctx context.Context, from, to time.Time) (list []pombo.AnswerCount, err error) {
	err = r.all(ctx, sqlReplyCounts, []any{from.UnixMilli(), to.UnixMilli()}, func(rows *sql.Rows) error {
		var c pombo.AnswerCount
		if err := rows.Scan(&c.Template, &c.Code, &c.N); err != nil {
			return err
		}
		c.Template = r.resolve(c.Template)
		if i := slices.IndexFunc(list, func(o pombo.AnswerCount) bool { return o.Template == c.Template && o.Code == c.Code }); i >= 0 {
			list[i].N += c.N // some rows name the usual template and some do not
			return nil
		}
		list = append(list, c)
		return nil
	})
	return list, wrap(err, "count answers")
}
