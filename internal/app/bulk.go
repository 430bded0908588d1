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

// newBulks returns the planner and runner that retry and cancel many notifications, with the
// same checks as for one.
func newBulks(db *ledger.DB, e *dispatch.Engine, log *slog.Logger) (*bulk.Planner, *bulk.Runner) {
	planner := bulk.NewPlanner(bulk.PlannerOptions{
		Ledger: db.Bulks, Row: e.Row, OptedOut: db.OptOuts.OptedOut,
		Category: func(name, language string) (string, bool) {
			return e.Templates.Category(e.Templates.Ref(name, language))
		},
		Check: func(row pombo.Row) pombo.TemplateIssue {
			issue, _ := e.Templates.Check(e.Templates.Ref(row.Template, row.Language), row.Params)
			return issue
		},
		Logger: log,
	})
	return planner, bulk.NewRunner(planner, bulk.RunnerOptions{
		Ledger: db.Bulks, Leads: e.Leadership("bulk").TryAcquire, Queued: db.Intake.Queued, HighWater: bulkQueued,
		Correct: e.Correct, Moved: e.Signals.Moved, Logger: log,
	})
}
