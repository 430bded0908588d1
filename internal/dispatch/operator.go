package dispatch

import (
	"context"
	"errors"
	"fmt"

	"pombo"
	"pombo/internal/intake"
)

// operatorLedger is the ledger as a person's decisions see it.
type operatorLedger interface {
	Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error)
	// Correct replaces what is to be sent; pombo.ErrMove when it is too late.
	Correct(ctx context.Context, id pombo.MessageID, row pombo.Row) error
	Retry(ctx context.Context, id pombo.MessageID) error
	Cancel(ctx context.Context, id pombo.MessageID) error
}

// Retry has a notification sent again because a person says so. Its row is read
// again first: who has mended a phone wants the mended one called. A row that is
// gone is sent as it was taken in.
func (e *Engine) Retry(ctx context.Context, id pombo.MessageID) error {
	n, _, err := e.o.Ledger.Notification(ctx, id)
	if err != nil {
		return err
	}
	if n.Key.Source == e.o.SourceName {
		row, err := e.o.Source.Row(ctx, n.Key.RowKey)
		switch {
		case errors.Is(err, pombo.ErrNotFound):
		case err != nil:
			return fmt.Errorf("read the row again: %w", err)
		default:
			intake.ParsePhone(&row)
			if err := e.o.Ledger.Correct(ctx, id, row); err != nil {
				return err
			}
		}
	}
	defer e.Moved()
	return e.o.Ledger.Retry(ctx, id)
}

// Cancel ends a notification that has not been sent because a person says so.
func (e *Engine) Cancel(ctx context.Context, id pombo.MessageID) error {
	defer e.Moved()
	return e.o.Ledger.Cancel(ctx, id)
}
