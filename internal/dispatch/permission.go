package dispatch

import (
	"context"
	"time"

	"pombo"
	"pombo/internal/phone"
	"pombo/internal/wait"
)

// permissionLedger is the ledger as the questions see it whether a message may
// go, and whether it may go now.
type permissionLedger interface {
	// OptedOut says which messages the person does not get, and costs no
	// statement. LoadOptOuts reads the list if it has changed.
	OptedOut(n phone.Number, identity string) pombo.OptOutScope
	LoadOptOuts(ctx context.Context) error
	// Expire ends what waits in the queue although its time is over.
	Expire(ctx context.Context) (int, error)
}

// listen is how soon an opt-out that another process wrote holds here.
const listen = 2 * time.Second

// optOutLoop keeps the list of opt-outs fresh, and what is known of failures in a row.
func (e *Engine) optOutLoop(ctx context.Context) {
	for wait.For(ctx, listen) == nil {
		if err := e.Throttle.Breaker.Reload(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("failures in a row not read", "error", err)
		}
		if err := e.o.Ledger.LoadOptOuts(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("opt-outs not read; those of before hold", "error", err, "often", pombo.Often("opt-outs"))
		}
	}
}

// expireLoop ends late rows soon after their time, whether or not anybody would
// have claimed them: at night, in a pause, behind a long queue.
func (e *Engine) expireLoop(ctx context.Context) {
	for wait.For(ctx, idle) == nil {
		n, err := e.o.Ledger.Expire(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.Error("late notifications not ended; it is tried again", "error", err, "often", pombo.Often("late"))
		}
		if n > 0 {
			e.metrics.expired(n)
			e.log.Info("expired before they could be sent", "notifications", n)
			e.due.Set()
		}
	}
}

// hushed puts the row back until the end of the quiet time. All go back to the
// same moment, so that they keep their order: who was first in the evening is
// first in the morning, and the pace sees to it that there is no burst.
func hushed(held pombo.Outcome, until time.Time, where *time.Location) pombo.Outcome {
	held.Detail = "until " + until.In(where).Format("2006-01-02 15:04") + " in " + where.String()
	return release(held, pombo.QuietHours, until)
}

// optedOut ends the row when the person gets no messages of this template. While
// the category of the template is not known, somebody who opted out of marketing
// only gets nothing, and the row waits: neither is anybody disturbed nor an exam
// result lost.
func (e *Engine) optedOut(held pombo.Outcome, template string, number phone.Number, identity string) (o pombo.Outcome, is bool) {
	switch scope := e.o.Ledger.OptedOut(number, identity); scope {
	case "":
		return held, false
	case pombo.OptOutMarketing:
		category, known := e.catalog.Category(template)
		if !known {
			held.Detail = "the person opted out of marketing, and the category of template " + template + " is not known yet"
			return release(held, pombo.CommandFailed, time.Now().Add(categoryWait)), true
		}
		if category != marketing {
			return held, false
		}
		held.Reason = pombo.OptedOutOfMarketing
	default:
		held.Reason = pombo.OptedOut
	}
	held.To = pombo.Suppressed
	return held, true
}

const (
	// marketing is the category of templates that Meta and Blip call so.
	marketing = "MARKETING"
	// categoryWait is how long a row waits for Blip to list its template.
	categoryWait = time.Minute
)

// late reports whether it is too late for the row.
func late(n *pombo.Notification) bool {
	return !n.Expires.IsZero() && !time.Now().Before(n.Expires)
}

func expire(o pombo.Outcome) pombo.Outcome {
	o.To, o.Reason = pombo.Expired, pombo.ExpiredRow
	return o
}
