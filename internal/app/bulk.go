package app

import (
	"log/slog"

	"pombo"
	"pombo/internal/bulk"
	"pombo/internal/dispatch"
	"pombo/internal/ledger"
)

// bulkQueued is how many may wait in the queue while a bulk adds to it: intake goes on up to
// 5,000.
const bulkQueued = 1000

// newBulk returns what retries and cancels many notifications, with the checks that one goes
// through.
func newBulk(db *ledger.DB, e *dispatch.Engine, log *slog.Logger) *bulk.Runner {
	return bulk.New(bulk.Options{
		Ledger: db.Bulks, Leads: e.Leadership("bulk").TryAcquire, Queued: db.Intake.Queued, HighWater: bulkQueued,
		Row: e.Row, Correct: e.Correct, OptedOut: db.OptOuts.OptedOut,
		Category: func(name, language string) (string, bool) {
			return e.Templates.Category(e.Templates.Ref(name, language))
		},
		Check: func(row pombo.Row) pombo.TemplateIssue {
			issue, _ := e.Templates.Check(e.Templates.Ref(row.Template, row.Language), row.Params)
			return issue
		},
		Moved: e.Signals.Moved, Logger: log,
	})
}
