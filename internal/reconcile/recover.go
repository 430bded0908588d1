package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"pombo"
	"pombo/internal/wait"
)

const (
	pageSize = 500 // rows of one SELECT on the source
	atOnce   = 16  // concurrent questions to Blip
)

// Source is the part of the company's table that recovery reads.
type Source interface {
	// Page returns pending rows whose key is greater than the given one; "" starts at
	// the beginning.
	Page(ctx context.Context, after string, limit int) ([]pombo.Row, error)
}

// Ledger is the new ledger.
type Ledger interface {
	// Knows reports whether the ledger has a notification of the row.
	Knows(ctx context.Context, source, row string) (bool, error)
	// Recover inserts the generations of a row, the first one first. The receipts of a
	// generation may be empty, but not those of the last one.
	Recover(ctx context.Context, source string, row pombo.Row, generations [][]pombo.Receipt) error
}

// RecoverOptions configures Recover. All but Progress must be set.
type RecoverOptions struct {
	SourceName string // part of every id: see pombo.Key
	Source     Source
	Ledger     Ledger
	// Ask returns what Blip has about an id; an empty list is not an error.
	Ask func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	// Acquire waits for the permit to send one command.
	Acquire func(ctx context.Context) error
	// Progress is called after each page.
	Progress func(Recovery)
}

// Recovery counts pending rows by what became of them.
type Recovery struct {
	Rows      int // pending rows examined
	Known     int // already in the ledger: recovered before, or taken in
	Recovered int // Blip has a trace
	Untraced  int // Blip has no trace: the next run sends them
	Asked     int // questions to Blip
}

// Recover rebuilds what a lost ledger knew of rows that are still pending in the table:
// it asks Blip for the ids under which they would be sent, which follow from their
// keys. A row with a trace at Blip was sent; it enters the ledger to be settled, not
// sent. A row without a trace is left to intake. Nothing may send or take in rows
// meanwhile.
//
// A row may have been sent before and set back to pending since: then its latest
// message has the id of a later generation, and the trace of the first may be gone. So
// Recover asks for the first two generations at least, and for further ones as long as
// there is a trace.
//
// What was recovered before an error stays, and Recover may be called again.
func Recover(ctx context.Context, opts RecoverOptions) (r Recovery, err error) {
	for after := ""; ; {
		rows, err := opts.Source.Page(ctx, after, pageSize)
		if err != nil {
			return r, fmt.Errorf("read pending rows: %w", err)
		}
		if len(rows) == 0 {
			return r, nil
		}
		after = rows[len(rows)-1].RowKey
		if err := opts.page(ctx, rows, &r); err != nil {
			return r, err
		}
		if opts.Progress != nil {
			opts.Progress(r)
		}
	}
}

// page recovers the rows of a page. What was recovered before an error stays.
func (opts RecoverOptions) page(ctx context.Context, rows []pombo.Row, r *Recovery) error {
	traces := make([][][]pombo.Receipt, len(rows))
	known, asked := make([]bool, len(rows)), make([]int, len(rows))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range rows {
		group.Go(func() (err error) {
			if known[i], err = opts.Ledger.Knows(within, opts.SourceName, rows[i].RowKey); known[i] || err != nil {
				return err
			}
			traces[i], asked[i], err = opts.trace(within, rows[i].RowKey)
			return err
		})
	}
	failed := group.Wait()
	for i := range rows {
		r.Asked += asked[i]
		switch {
		case len(traces[i]) > 0:
			rows[i].ParsePhone()
			if err := opts.Ledger.Recover(ctx, opts.SourceName, rows[i], traces[i]); err != nil {
				return errors.Join(failed, err)
			}
			r.Recovered++
		case known[i]:
			r.Known++
		case failed == nil:
			r.Untraced++
		}
	}
	if failed == nil {
		r.Rows += len(rows)
	}
	return failed
}

// trace returns the receipts of the generations of a row, up to the last one for which
// Blip has any; nil when it has none.
func (opts RecoverOptions) trace(ctx context.Context, row string) (found [][]pombo.Receipt, asked int, err error) {
	const atLeast = 2
	var all [][]pombo.Receipt
	for generation := 1; ; generation++ {
		id := pombo.Key{Source: opts.SourceName, RowKey: row, Generation: generation}.MessageID()
		receipts, err := askWithRetries(ctx, id, opts.Acquire, opts.Ask)
		if err != nil {
			return nil, asked, fmt.Errorf("ask Blip for row %s: %w", row, err)
		}
		asked++
		all = append(all, receipts)
		if len(receipts) > 0 {
			found = all
		} else if generation >= atLeast {
			return found, asked, nil
		}
	}
}

// waits are the pauses between the tries of one question. After the last one the
// question has failed.
var waits = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute}

// askWithRetries asks Blip about an id, again after a temporary error.
func askWithRetries(ctx context.Context, id pombo.MessageID, acquire func(context.Context) error, ask func(context.Context, pombo.MessageID) ([]pombo.Receipt, error)) ([]pombo.Receipt, error) {
	for try := 0; ; try++ {
		if err := acquire(ctx); err != nil {
			return nil, err
		}
		receipts, err := ask(ctx, id)
		if err == nil {
			return receipts, nil
		}
		failure, known := errors.AsType[*pombo.Error](err)
		if !known || !failure.Retry || try == len(waits) {
			return nil, err
		}
		if err := wait.For(ctx, max(waits[try], failure.Pause)); err != nil {
			return nil, err
		}
	}
}
