package dispatch

import (
	"context"
	"errors"
	"time"

	"pombo"
)

// holdLedger is the ledger as rows see it that wait for their template.
type holdLedger interface {
	// ReleaseParked puts held notifications back into the queue: those whose time
	// has come, or all.
	ReleaseParked(ctx context.Context, all bool) (int, error)
}

const (
	// holdTime is when a held row is looked at again although nobody has learned
	// anything new about its template.
	holdTime = 6 * time.Hour
	// holdRound is how often the ledger is asked for held rows whose time has come.
	holdRound = time.Minute
)

// templateReasons are those that say that the template does not send now,
// whatever the row has in it.
var templateReasons = map[pombo.Reason]bool{
	pombo.TemplateMissing: true, pombo.TemplateNotApproved: true, pombo.TemplatePaused: true, pombo.TemplateDisabled: true,
	pombo.TemplateUnusable: true,
}

// hold keeps a row in the ledger, out of the way of the others, for the sake of
// its template. It goes when the template is right; it is not a try. until is
// when to look again, zero = whenever something is learned.
func (e *Engine) hold(o pombo.Outcome, n *pombo.Notification, m pombo.TemplateIssue, until time.Time) pombo.Outcome {
	e.catalog.hold(e.catalog.nameOf(n), m)
	if until.IsZero() {
		until = time.Now().Add(holdTime)
	}
	if !n.Expires.IsZero() && n.Expires.Before(until) {
		until = n.Expires // the claim then ends it
	}
	o = release(o, m.Reason, until)
	o.Detail, o.Parked = m.Detail(), true
	return o
}

// recheckHeld is called when a hold is on record: the template may have come
// right between the look and the record, and then nobody else would free the row.
func (e *Engine) recheckHeld(n *pombo.Notification) {
	if m, _ := e.catalog.look(e.catalog.nameOf(n), n.Params); m.Reason == pombo.NoReason {
		e.catalog.freed.set()
	}
}

// holdLoop frees held rows: all when something was learned about a template, the
// others when their time has come.
func (e *Engine) holdLoop(ctx context.Context) {
	trouble := backoff{first: time.Second, most: holdRound}
	all := false
	for {
		n, err := e.o.Ledger.ReleaseParked(ctx, all)
		switch {
		case err != nil:
			if ctx.Err() == nil {
				e.log.Error("held rows not released; it is tried again", "error", err, "often", pombo.Often("held"))
			}
			if sleep(ctx, trouble.next()) != nil {
				return
			}
			continue
		case n > 0:
			e.log.Info("held rows are looked at again", "rows", n)
			e.queued.set()
		}
		trouble.reset()
		if all, err = e.catalog.freed.waitSet(ctx, holdRound); err != nil {
			return
		}
	}
}

// checkTemplate holds the row against its template. ok is false when it cannot be
// sent now; o says what becomes of it. A row that was taken in under another
// DB_COL_PARAMS is read again, so that a mended setting frees what waited for it.
func (e *Engine) checkTemplate(held pombo.Outcome, n *pombo.Notification) (o pombo.Outcome, ok bool) {
	m, until := e.catalog.look(e.catalog.nameOf(n), n.Params)
	if m.Reason == pombo.NoReason {
		return held, true
	}
	ofValues := until.IsZero() && m.FixableByValues()
	switch {
	case ofValues && n.Key.Source == overHTTP:
		return fail(held, m.Reason, m.Detail()), false // whoever sent it gave the places too
	case ofValues && e.remapped(n):
		row, err := e.o.Source.Row(e.claiming, n.Key.RowKey)
		switch {
		case err == nil && fills(row.Params, e.o.Places):
			n.Params = row.Params
			return e.checkTemplate(held, n)
		case err != nil && !errors.Is(err, pombo.ErrNotFound):
			until = time.Now().Add(5 * time.Minute) // the source is away
		}
	}
	return e.hold(held, n, m, until), false
}

// remapped reports whether the row of a notification would give its values for
// other places today.
func (e *Engine) remapped(n *pombo.Notification) bool {
	return e.o.Source != nil && n.Key.Source == e.o.SourceName && !fills(n.Params, e.o.Places)
}
