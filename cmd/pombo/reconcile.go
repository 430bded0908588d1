package main

import (
	"context"

	"pombo"
	"pombo/internal/api"
)

type reconcileCommand struct {
	Last bool `help:"Show what the last comparison found; compare nothing."`
	JSON bool `help:"Print JSON."`
}

func (reconcileCommand) Help() string {
	return `A running Pombo compares every day at RECONCILE_AT; this has it compare now. It looks at the notifications of the last three days and at the older ones that are not over, at the status of each row in the table, and asks Blip about the doubtful ones. What does not agree is told with what to do. Nothing is changed, but that receipts are applied.

It takes seconds to minutes. It ends with 0 whether or not there are findings.

Examples:

    pombo reconcile
    pombo reconcile --last
    pombo reconcile --last --json`
}

func (c reconcileCommand) Run(ctx context.Context, s *shell) error {
	client, err := s.patientClient(0)
	if err != nil {
		return err
	}
	compare := client.Reconcile
	if c.Last {
		compare = client.LastReconciliation
	}
	r, err := compare(ctx)
	if err != nil {
		return err
	}
	return s.show(c.JSON, r, func() { s.printReconciliation(r) })
}

// printReconciliation writes a line for each finding and, once for each kind,
// what it means and what to do.
func (s *shell) printReconciliation(r api.Reconciliation) {
	s.fact("compared", clock(r.Finished))
	s.printf("%-13s %d notifications; Blip was asked about %d of %d doubtful ones\n", "looked at", r.Compared, r.Asked, r.Doubtful)
	s.fact("not asked", r.Unasked)
	if len(r.Discrepancies) == 0 {
		s.printf("table, ledger and Blip agree\n")
		return
	}
	for _, kind := range pombo.DiscrepancyKinds() {
		if r.Counts[kind] == 0 {
			continue
		}
		s.printf("\n%s: %d\n  %s\n  to do: %s\n", kind, r.Counts[kind], kind.Message(), kind.Hint())
		shown := 0
		for _, f := range r.Discrepancies {
			if f.Kind == kind {
				shown++
				s.printf("  %s  row %s\n", f.ID, unbroken(f.Row))
			}
		}
		if more := r.Counts[kind] - shown; more > 0 {
			s.printf("  and %d more\n", more)
		}
	}
}
