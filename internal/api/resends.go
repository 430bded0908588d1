package api

import (
	"fmt"
	"net/http"
)

// Resends says how many rows, set back to pending with many others, a person has
// decided about.
type Resends struct {
	Rows int `json:"rows"`
}

func (s *Server) releaseResends(w http.ResponseWriter, r *http.Request) error {
	n, err := s.o.Ledger.ReleaseResends(r.Context())
	if err != nil {
		return fmt.Errorf("release what was set back: %w", err)
	}
	return writeJSON(w, http.StatusOK, Resends{n})
}

func (s *Server) settleResends(w http.ResponseWriter, r *http.Request) error {
	n, err := s.o.Ledger.SettleResends(r.Context())
	if err != nil {
		return fmt.Errorf("end what was set back: %w", err)
	}
	return writeJSON(w, http.StatusOK, Resends{n})
}
