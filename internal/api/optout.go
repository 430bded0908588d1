package api

import (
	"fmt"
	"net/http"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// OptOut is a person who gets no more messages.
type OptOut struct {
	Phone string    `json:"phone,omitempty"` // masked; absent when only Blip's identity of the person is known
	Scope string    `json:"scope"`           // "marketing" or "all"
	At    time.Time `json:"at"`              // since when
	By    string    `json:"by"`              // "person" (who wrote so), "blip" (WhatsApp said so) or "operator"
}

// OptOutList is one page of people who get no more messages, the latest first.
type OptOutList struct {
	OptOuts    []OptOut `json:"optouts"`
	NextCursor string   `json:"next_cursor,omitempty"` // "" = there is no more
}

// OptOutChange is a phone's entry on the list after a change.
type OptOutChange struct {
	Phone    string `json:"phone"` // masked
	OptedOut bool   `json:"opted_out"`
}

func (s *Server) getOptOuts(w http.ResponseWriter, r *http.Request) error {
	q := readQuery(r, "limit", "cursor")
	limit, cursor := int(q.number("limit", 50, 1000)), q.text("cursor")
	if err := q.err(); err != nil {
		return err
	}
	found, next, err := s.o.Ledger.OptOuts(r.Context(), cursor, limit)
	if err != nil {
		return fmt.Errorf("list opt-outs: %w", err)
	}
	list := OptOutList{OptOuts: make([]OptOut, len(found)), NextCursor: next}
	for i, o := range found {
		list.OptOuts[i] = OptOut{Phone: o.Phone.String(), Scope: string(o.Scope), At: utc(o.At), By: o.By}
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) postOptOut(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	scope := pombo.OptOutAll
	body.read("scope", &scope, "must be marketing or all")
	if scope != pombo.OptOutAll && scope != pombo.OptOutMarketing {
		body.refuse("scope", "must be marketing or all")
	}
	_, n := readPhone(body)
	body.end("phone", "scope")
	if err := body.err(); err != nil {
		return err
	}
	s.concern(w, n)
	lineOf(w).Detail = string(scope)
	if err := s.o.Ledger.OptOut(r.Context(), pombo.OptOut{Phone: n, Scope: scope, At: s.o.Now(), By: "operator"}); err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "opted out by an operator", "phone", n, "scope", scope)
	return writeJSON(w, http.StatusOK, OptOutChange{Phone: n.String(), OptedOut: true})
}

func (s *Server) removeOptOut(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	_, n := readPhone(body)
	body.end("phone")
	if err := body.err(); err != nil {
		return err
	}
	s.concern(w, n)
	removed, err := s.o.Ledger.OptIn(r.Context(), n)
	if err != nil {
		return err
	}
	if !removed {
		return refuse(http.StatusNotFound, "this phone is not on the list of opt-outs", "GET /api/v1/optouts (pombo optout list) shows who is")
	}
	s.log.InfoContext(r.Context(), "taken off the list of opt-outs by an operator", "phone", n)
	return writeJSON(w, http.StatusOK, OptOutChange{Phone: n.String()})
}

// readPhone reads the phone out of a body, as it is written and as it is understood. It
// is in the body and not in the path, because proxies log paths.
func readPhone(body *object) (pombo.Private, phone.Number) {
	var text string
	body.read("phone", &text, "must be text such as \"+55 31 98888-0000\"")
	if text == "" {
		body.refuse("phone", "is missing")
		return "", phone.Number{}
	}
	n, err := phone.Parse(text)
	if err != nil {
		body.refuse("phone", err.Error())
	}
	return pombo.Private(text), n
}
