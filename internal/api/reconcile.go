package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"pombo"
)

// Reconciliation is the result of comparing the company's table, the ledger and
// Blip.
type Reconciliation struct {
	Started       time.Time                     `json:"started"`
	Finished      time.Time                     `json:"finished"`
	Compared      int                           `json:"compared"`          // notifications looked at
	Doubtful      int                           `json:"doubtful"`          // of those, the ones to ask Blip about
	Asked         int                           `json:"asked"`             // of those, the ones that Blip was asked about
	Unasked       string                        `json:"unasked,omitempty"` // why the others were not
	Applied       int                           `json:"applied"`           // receipts that moved a notification on
	Counts        map[pombo.DiscrepancyKind]int `json:"counts"`            // of all findings; a kind without any is absent
	Discrepancies []Discrepancy                 `json:"discrepancies"`     // at most the first thousand
}

// Discrepancy is one disagreement between the source, the ledger and Blip.
type Discrepancy struct {
	Kind       pombo.DiscrepancyKind `json:"kind"`
	ID         pombo.MessageID       `json:"id"`
	Source     string                `json:"source"`
	Row        string                `json:"row"`
	Generation int                   `json:"generation"`
	Message    string                `json:"message"` // what disagrees
	Hint       string                `json:"hint"`
}

func reconciliationOf(r pombo.Reconciliation) Reconciliation {
	shown := Reconciliation{
		Started: utc(r.Started), Finished: utc(r.Finished), Compared: r.Compared, Doubtful: r.Doubtful, Asked: r.Asked,
		Unasked: r.Unasked, Applied: r.Applied, Counts: r.Counts, Discrepancies: make([]Discrepancy, len(r.Discrepancies)),
	}
	if shown.Counts == nil {
		shown.Counts = map[pombo.DiscrepancyKind]int{}
	}
	for i, f := range r.Discrepancies {
		shown.Discrepancies[i] = Discrepancy{Kind: f.Kind, ID: f.MessageID, Source: f.Key.Source, Row: f.Key.RowKey, Generation: f.Key.Generation,
			Message: f.Kind.Message(), Hint: f.Kind.Hint()}
	}
	return shown
}

// postReconciliation compares now. It ends when the caller goes away; nothing is
// lost then.
func (s *Server) postReconciliation(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	result, err := s.o.Reconcile(ctx)
	if s.stopping.Err() != nil && errors.Is(err, context.Canceled) {
		return refuse(http.StatusServiceUnavailable, "the server is stopping", "ask again when it is back")
	}
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	return writeJSON(w, http.StatusOK, reconciliationOf(result))
}

func (s *Server) getReconciliation(w http.ResponseWriter, r *http.Request) error {
	result, err := s.o.Ledger.LastReconciliation(r.Context())
	if errors.Is(err, pombo.ErrNotFound) {
		return refuse(http.StatusNotFound, "nothing has been compared yet", "RECONCILE_AT says when it is; pombo reconcile does it now")
	}
	if err != nil {
		return fmt.Errorf("read the last reconciliation: %w", err)
	}
	return writeJSON(w, http.StatusOK, reconciliationOf(result))
}
