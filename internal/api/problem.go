package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"pombo"
)

// Problem is an error as the API reports it (RFC 9457, application/problem+json). Its
// type is always "about:blank": for programs the status says everything; Detail and
// Hint are for people. Instance names this one occurrence; the log has it as request.
type Problem struct {
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail"`
	Instance string       `json:"instance"`
	Hint     string       `json:"hint,omitempty"`   // what to do
	Errors   []FieldError `json:"errors,omitempty"` // when parts of the request are wrong
}

// FieldError says what is wrong with one part of a request: a member of the
// body, a header or a query parameter.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// refusal is an error that knows its problem.
type refusal struct {
	status int
	detail string
	hint   string
	fields []FieldError
}

func (e *refusal) Error() string { return e.detail }

func refuse(status int, detail, hint string) error {
	return &refusal{status: status, detail: detail, hint: hint}
}

// invalid refuses a request and lists all its faults; nil when it has none.
func invalid(fields []FieldError) error {
	if len(fields) == 0 {
		return nil
	}
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Field + ": " + f.Detail
	}
	return &refusal{
		status: http.StatusUnprocessableEntity, detail: strings.Join(parts, "; "),
		hint: "correct what is named; GET /openapi.yaml has the whole form", fields: fields,
	}
}

// refusalOf decides what an error means in HTTP. An error that it does not know
// came from the ledger, the engine or Blip: its cause goes to the log, the
// caller gets a sentence.
func refusalOf(err error) *refusal {
	var known *refusal
	var tooBig *http.MaxBytesError
	var blip *pombo.Error
	var unwritten *unwrittenError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooBig):
		return &refusal{status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the body has more than %d bytes", tooBig.Limit), hint: "send less"}
	case errors.As(err, &unwritten):
		return &refusal{status: http.StatusInternalServerError, detail: "it was done, but the answer cannot be written", hint: "do not ask again before you have looked: GET /api/v1/notifications, GET /api/v1/pause; report it with what the server's log has under the instance of this problem"}
	case errors.Is(err, pombo.ErrCursor):
		return &refusal{status: http.StatusUnprocessableEntity, detail: "cursor: is none of this list", hint: "start again without one", fields: []FieldError{{"cursor", "is none of this list"}}}
	case errors.Is(err, pombo.ErrNotFound):
		return &refusal{status: http.StatusNotFound, detail: "there is no such thing", hint: "check the id; what is older than the retention time is gone"}
	case errors.Is(err, pombo.ErrMove), errors.Is(err, pombo.ErrLost):
		return &refusal{status: http.StatusConflict, detail: "the notification is in a state that does not allow this", hint: "look at its state: GET /api/v1/notifications/{id}"}
	case errors.As(err, &blip):
		status := http.StatusBadGateway
		if blip.Retry {
			status = http.StatusServiceUnavailable
		}
		detail := "Blip: " + blip.Error()
		if what := blip.Reason.Message(); what != "" {
			detail += " (" + what + ")"
		}
		return &refusal{status: status, detail: detail, hint: blip.Reason.Hint()}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: http.StatusServiceUnavailable, detail: "there was no answer in time", hint: "see which part is not ready: GET /readyz"}
	default:
		return &refusal{status: http.StatusServiceUnavailable, detail: "this cannot be done at the moment", hint: "see the server's log, where request is the instance of this problem, and GET /readyz"}
	}
}

func (e *refusal) problem(instance string) Problem {
	return Problem{
		Type: "about:blank", Title: http.StatusText(e.status), Status: e.status,
		Detail: e.detail, Instance: instance, Hint: e.hint, Errors: e.fields,
	}
}

// unwrittenError is an answer that cannot be written as JSON. The request may be done
// and durable, so the answer must not suggest trying again.
type unwrittenError struct{ err error }

func (e *unwrittenError) Error() string { return "write answer: " + e.err.Error() }
func (e *unwrittenError) Unwrap() error { return e.err }

func writeProblem(w http.ResponseWriter, p Problem) error { return writeProblemLike(w, p.Status, p) }

// writeProblemLike writes a problem, which may have members of its own.
func writeProblemLike(w http.ResponseWriter, status int, p any) error {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	return writeJSONAs(w, status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	return writeJSONAs(w, status, "application/json", v)
}

func writeJSONAs(w http.ResponseWriter, status int, contentType string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return &unwrittenError{err}
	}
	return writeBody(w, status, contentType, append(b, '\n'))
}

// writeBody writes a whole answer. A caller that has gone is not an error of ours.
func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}
