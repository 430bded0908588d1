package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"pombo"
)

// Webhook takes what Blip posts to one of its two addresses, "notifications" or
// "messages", and what the bot's flow posts to "replies".
type Webhook interface {
	// Admits reports whether the secret of the path is the right one.
	Admits(kind, secret string) bool
	// Take records a body; when it returns nil, that is durable. The error is
	// pombo.ErrNotJSON when the body is not JSON and pombo.ErrTooMany when it has too
	// many envelopes; any other has Blip post it again.
	Take(ctx context.Context, kind string, body []byte) error
	// TakeReply records one answer that the bot's flow posted; when it returns nil, that is
	// durable.
	TakeReply(ctx context.Context, m pombo.Inbound) error
	// Busy counts a body that was not read to its end, because too many others were
	// being read.
	Busy(kind string)
}

// inHand bounds the memory of posted bodies that are being read and recorded: a handful
// of the largest beside a thousand of Blip's usual ones, which are about 1 KiB. Parsing
// a body takes a few times its size on top.
type inHand struct {
	small chan struct{} // a body's first bytes
	large chan struct{} // all of a body that goes on
	wait  time.Duration // for a place; a waiting body holds its first bytes only
}

const (
	smallBody   = 4 << 10
	smallBodies = 1024
	largeBodies = 8
	// placeWait outlasts a burst: Blip is not known to post again what was refused.
	placeWait = 20 * time.Second
)

func newInHand() inHand {
	return inHand{make(chan struct{}, smallBodies), make(chan struct{}, largeBodies), placeWait}
}

// errBusy: too many bodies are being read.
var errBusy = errors.New("too many bodies at once")

// read reads a body and returns it with what gives its place back. It waits a moment
// for a place, then says errBusy.
func (h inHand) read(ctx context.Context, body io.Reader) (b []byte, done func(), err error) {
	taken := make([]chan struct{}, 0, 2)
	done = func() {
		for _, places := range taken {
			<-places
		}
	}
	take := func(places chan struct{}) bool {
		late := time.NewTimer(h.wait)
		defer late.Stop()
		select {
		case places <- struct{}{}:
			taken = append(taken, places)
			return true
		case <-late.C:
		case <-ctx.Done():
		}
		return false
	}
	if !take(h.small) {
		return nil, done, errBusy
	}
	b, err = io.ReadAll(io.LimitReader(body, smallBody))
	if err != nil || len(b) < smallBody {
		return b, done, err
	}
	if !take(h.large) {
		return nil, done, errBusy
	}
	rest, err := io.ReadAll(body)
	return append(b, rest...), done, err
}

// webhook returns the handler of one of the addresses. To a caller without the secret,
// the address does not seem to exist.
func (s *Server) webhook(kind string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		// Before the body is read: only Blip's bodies may take up memory.
		if s.o.Webhook == nil || !s.o.Webhook.Admits(kind, r.PathValue("secret")) {
			return noSuchAddress()
		}
		body, done, err := s.webhooks.read(r.Context(), r.Body)
		defer done()
		switch {
		case errors.Is(err, errBusy):
			s.o.Webhook.Busy(kind)
			w.Header().Set("Retry-After", "1")
			return refuse(http.StatusTooManyRequests, "too much is being posted at once", "post it again a little later")
		case err != nil:
			return badBody(err)
		}
		switch err := s.o.Webhook.Take(r.Context(), kind, body); {
		case errors.Is(err, pombo.ErrNotJSON):
			return refuse(http.StatusBadRequest, "the body is not JSON", "post a LIME envelope, as Blip does; see docs/receipts.md")
		case errors.Is(err, pombo.ErrTooMany):
			return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d envelopes", pombo.MaxEnvelopes),
				"post fewer in one body; Blip posts one")
		case err != nil:
			return fmt.Errorf("take what Blip posted: %v", err) //nolint:errorlint // whatever it was: 503, so that Blip posts it again
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
}
