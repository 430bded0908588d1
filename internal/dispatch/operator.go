package dispatch

import (
	"context"
	"errors"
	"fmt"

	"pombo"
)

// OperatorLedger is the ledger as a person's decisions use it.
type OperatorLedger interface {
	Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error)
	// Correct replaces what is to be sent; pombo.ErrMove when it is too late.
	Correct(ctx context.Context, id pombo.MessageID, row pombo.Row) error
	Retry(ctx context.Context, id pombo.MessageID) error
	Cancel(ctx context.Context, id pombo.MessageID) error
}

// Retry sends a notification again because a person says so. It reads the row again
// first: somebody who has corrected a phone wants the corrected one used. A row that
// is gone is sent as it was taken in.
func (e *Engine) Retry(ctx context.Context, id pombo.MessageID) error {
	n, _, err := e.ledger.Operator.Notification(ctx, id)
	if err != nil {
		return err
	}
	if err := e.Correct(ctx, n); err != nil {
		return err
	}
	defer e.Signals.Moved()
	return e.ledger.Operator.Retry(ctx, id)
}

// Correct makes a notification go out as its row says now. One whose row is gone, or that
// did not come from the table, stays as it is.
func (e *Engine) Correct(ctx context.Context, n pombo.Notification) error {
	row, err := e.Row(ctx, n)
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read the row again: %w", err)
	}
	return e.ledger.Operator.Correct(ctx, n.MessageID, row)
}

// Row returns the row of a notification as it is now; pombo.ErrNotFound when it is gone or
// not of the table.
func (e *Engine) Row(ctx context.Context, n pombo.Notification) (pombo.Row, error) {
	if n.Key.Source != e.opts.SourceName {
		return pombo.Row{}, pombo.ErrNotFound
	}
	row, err := e.opts.Source.Row(ctx, n.Key.RowKey)
	if err == nil {
		row.ParsePhone()
	}
	return row, err
}

// Cancel ends a notification that has not been sent because a person says so.
func (e *Engine) Cancel(ctx context.Context, id pombo.MessageID) error {
	defer e.Signals.Moved()
	return e.ledger.Operator.Cancel(ctx, id)
}

// Ask asks Blip about an uncertain notification and reports whether Blip knew it, which
// ends the doubt; pombo.ErrMove when it is not uncertain.
func (e *Engine) Ask(ctx context.Context, id pombo.MessageID) (traced bool, err error) {
	n, _, err := e.ledger.Operator.Notification(ctx, id)
	switch {
	case err != nil:
		return false, err
	case n.State != pombo.Uncertain:
		return false, fmt.Errorf("ask Blip: it is %s: %w", n.State, pombo.ErrMove)
	}
	return e.Resolver.Ask(ctx, n)
}
