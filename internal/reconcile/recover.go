package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"pombo"
	"pombo/internal/phone"
)

const (
	pageSize = 500 // rows of one SELECT on the source
	atOnce   = 16  // questions to Blip under way
)

// Source is the company's table as recovery reads it.
type Source interface {
	// Page returns pending rows whose key comes after the given one; "" starts
	// at the beginning.
	Page(ctx context.Context, after string, limit int) ([]pombo.Row, error)
}

// Ledger is the new ledger, which must hold nothing that is not true.
type Ledger interface {
	// Knows reports whether there is a notification of the row.
	Knows(ctx context.Context, source, row string) (bool, error)
	// Recover puts in the generations of a row, the first one first. Receipts of
	// a generation may be empty, but not of the last one.
	Recover(ctx context.Context, source string, row pombo.Row, generations [][]pombo.Receipt) error
}

// RecoverOptions is what Recover works with. All but Progress must be set.
type RecoverOptions struct {
	SourceName string // part of every id: see pombo.Key
	Source     Source
	Ledger     Ledger
	// Ask returns what Blip has about an id; nothing is no error.
	Ask func(ctx context.Context, id pombo.MessageID) ([]pombo.Receipt, error)
	// Leave waits for leave to make one command.
	Leave func(ctx context.Context) error
	// Progress is called after each page.
	Progress func(Recovery)
}

// Recovery counts pending rows by what became of them.
type Recovery struct {
	Rows      int // pending rows looked at
	Known     int // that the ledger knows: recovered before, or taken in
	Recovered int // that Blip has a trace of
	Untraced  int // that Blip knows nothing of: the next run sends them
	Asked     int // questions to Blip
}

// Recover rebuilds what a lost ledger knew of rows that are still pending in the
// table: Blip is asked for the ids that they would be sent under, which follow
// from their keys. A row of which Blip has a trace was sent; it is put into the
// ledger, to be settled and not to be sent. A row without a trace is left to
// intake. Nothing may send or take in meanwhile.
//
// A row may have been sent before, and set back to pending since: then its
// latest message has the id of a later generation, and the trace of the first may
// have gone. So Blip is asked for the first two generations at least, and on from
// there as long as there is a trace.
//
// What it has done is done after an error, and it may be called again.
func Recover(ctx context.Context, o RecoverOptions) (r Recovery, err error) {
	for after := ""; ; {
		rows, err := o.Source.Page(ctx, after, pageSize)
		if err != nil {
			return r, fmt.Errorf("read pending rows: %w", err)
		}
		if len(rows) == 0 {
			return r, nil
		}
		after = rows[len(rows)-1].RowKey
		if err := o.page(ctx, rows, &r); err != nil {
			return r, err
		}
		if o.Progress != nil {
			o.Progress(r)
		}
	}
}

// page recovers the rows of a page. What was found before an error is kept.
func (o RecoverOptions) page(ctx context.Context, rows []pombo.Row, r *Recovery) error {
	traces := make([][][]pombo.Receipt, len(rows))
	known, asked := make([]bool, len(rows)), make([]int, len(rows))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range rows {
		group.Go(func() (err error) {
			if known[i], err = o.Ledger.Knows(within, o.SourceName, rows[i].RowKey); known[i] || err != nil {
				return err
			}
			traces[i], asked[i], err = o.trace(within, rows[i].RowKey)
			return err
		})
	}
	failed := group.Wait()
	for i := range rows {
		r.Asked += asked[i]
		switch {
		case len(traces[i]) > 0:
			if n, _, err := phone.Parse(rows[i].Recipient.Reveal()); err == nil {
				rows[i].Phone = n
			}
			if err := o.Ledger.Recover(ctx, o.SourceName, rows[i], traces[i]); err != nil {
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

// trace returns the receipts of the generations of a row, up to the last one of
// which Blip has any; none when it has none.
func (o RecoverOptions) trace(ctx context.Context, row string) (found [][]pombo.Receipt, asked int, err error) {
	const atLeast = 2
	var all [][]pombo.Receipt
	for generation := 1; ; generation++ {
		id := pombo.Key{Source: o.SourceName, RowKey: row, Generation: generation}.MessageID()
		receipts, err := patiently(ctx, id, o.Leave, o.Ask)
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

// waits are those between the tries of one question. After the last one asking
// has failed.
var waits = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute}

// patiently asks Blip for an id, again after an error that may pass by itself.
func patiently(ctx context.Context, id pombo.MessageID, leave func(context.Context) error, ask func(context.Context, pombo.MessageID) ([]pombo.Receipt, error)) ([]pombo.Receipt, error) {
	for try := 0; ; try++ {
		if err := leave(ctx); err != nil {
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
		if err := sleep(ctx, max(waits[try], failure.Pause)); err != nil {
			return nil, err
		}
	}
}
