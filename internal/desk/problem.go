package desk

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"pombo"
)

// refusal is an error that knows its page: the key of a sentence, which has a second one
// under "error_hint." that says what to do.
type refusal struct {
	status int
	key    string
	cause  error // for the log; nil = it is the visitor's
}

func (e *refusal) Error() string { return e.key }

func refuse(status int, key string) error { return &refusal{status: status, key: key} }

// errSignIn sends the visitor to the sign-in; a script gets 401.
var errSignIn = &refusal{status: http.StatusUnauthorized, key: "error.sign_in"}

// refusalOf decides what an error means on a page. An error that it does not know came
// from the ledger, the engine or Blip: its cause goes to the log, the visitor gets a
// sentence.
func refusalOf(err error) *refusal {
	var known *refusal
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooBig):
		return &refusal{status: http.StatusRequestEntityTooLarge, key: "error.too_big"}
	case errors.Is(err, pombo.ErrNotFound), errors.Is(err, pombo.ErrCursor):
		return &refusal{status: http.StatusNotFound, key: "error.not_found"}
	case errors.Is(err, pombo.ErrMove), errors.Is(err, pombo.ErrLost):
		return &refusal{status: http.StatusConflict, key: "error.changed"}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: http.StatusServiceUnavailable, key: "error.slow", cause: err}
	default:
		return &refusal{status: http.StatusServiceUnavailable, key: "error.unable", cause: err}
	}
}

// errorView is what page/error.tmpl shows.
type errorView struct {
	Status   int
	Sentence string
	Hint     string
}

// renderError shows the page of an error.
func (s *Server) renderError(w http.ResponseWriter, r *http.Request, ref *refusal) error {
	if ref.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	say := wordsOf(r)
	return s.renderStatus(w, r, ref.status, "error", errorView{Status: ref.status, Sentence: say.Text(ref.key), Hint: say.Text("error_hint." + strings.TrimPrefix(ref.key, "error."))})
}
