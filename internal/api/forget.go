package api

import (
	"fmt"
	"net/http"

	"pombo/internal/audit"
)

// Forgotten says what the ledger had about a person, and how much was erased.
type Forgotten struct {
	Notifications int `json:"notifications"` // to the phone
	Open          int `json:"open"`          // of those, the ones that wait; they are cancelled
	InFlight      int `json:"in_flight"`     // of those, the ones being sent now; they are not erased
	Erased        int `json:"erased"`
}

// postForget erases a person, or counts what there is to erase. The phone is in
// the body, for addresses are written down on the way.
func (s *Server) postForget(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var really bool
	_, n := readPhone(body)
	body.read("erase", &really, "must be true or false")
	body.end("phone", "erase")
	if err := body.err(); err != nil {
		return err
	}
	s.concern(w, n)
	if !really {
		lineOf(w).Act = audit.Search // it is only counted
	}
	f, err := s.o.Ledger.Forget(r.Context(), n, really)
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return writeJSON(w, http.StatusOK, Forgotten{Notifications: f.Found, Open: f.Open, InFlight: f.InFlight, Erased: f.Erased})
}
