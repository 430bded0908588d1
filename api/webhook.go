package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"pombo"
)

// Webhook takes what Blip posts to one of its two addresses, "notifications" or
// "messages".
type Webhook interface {
	// Admits reports whether the secret of the path is the right one.
	Admits(kind, secret string) bool
	// Take records a body; when it returns nil, that is durable. The error is
	// pombo.ErrNotJSON when the body is no JSON; any other has Blip post it again.
	Take(ctx context.Context, kind string, body []byte) error
}

// webhook returns the handler of one of the addresses. Whoever does not know the
// secret learns nothing: it is as if the address did not exist.
func (s *Server) webhook(kind string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		// Before the body is read: only Blip may have it held in memory.
		if s.o.Webhook == nil || !s.o.Webhook.Admits(kind, r.PathValue("secret")) {
			return noSuchAddress()
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return badBody(err)
		}
		if err := s.o.Webhook.Take(r.Context(), kind, body); errors.Is(err, pombo.ErrNotJSON) {
			return refuse(http.StatusBadRequest, "the body is no JSON", "post a LIME envelope, as Blip does; see docs/receipts.md")
		} else if err != nil {
			return fmt.Errorf("take what Blip posted: %v", err) //nolint:errorlint // whatever it was: 503, so that Blip posts it again
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
}
