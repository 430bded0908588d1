package blip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"pombo"
)

// broke returns the error of a call that brought no answer.
func broke(ctx context.Context, p phase, err error) *pombo.Error {
	f := decisions[cause{transport, int(p)}].fault()
	// The program is stopping: that explains it, unless the message may have been sent.
	if p != phaseAnswer && ctx.Err() == context.Canceled {
		f.Reason = pombo.Interrupted
	}
	f.Detail = what(p, err)
	f.Err = safeCause(err)
	return f
}

// refused returns the error of a message or command that Blip answered with a status
// other than success.
func refused(a answer) *pombo.Error {
	d := decideStatus(a.status)
	code, r := a.status, parseReason(a.body)
	if r != (reason{}) {
		said, n := decideReason(r)
		if n != 0 {
			code = n
		}
		// The body may say more than "bad request". It never resolves the doubt that
		// another status leaves.
		if d.reason == pombo.BadRequest && said.reason != pombo.Unexplained {
			d = said
		}
	}
	f := d.fault()
	f.Code = code
	if a.retry > 0 && (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) {
		f.Pause = a.retry
	}
	f.Detail = "HTTP status " + strconv.Itoa(a.status)
	if code != a.status {
		f.Detail += ", code " + strconv.Itoa(code)
	}
	if t := known(r.text); t != "" {
		f.Detail += ": " + t
	}
	return f
}

// useless returns the error of a command whose answer cannot be used.
func useless(p phase, detail string) *pombo.Error {
	f := decisions[cause{transport, int(p)}].fault()
	f.Detail = detail
	return f
}

// fault starts the error that carries the decision.
func (d decision) fault() *pombo.Error {
	return &pombo.Error{Reason: d.reason, Retry: d.retry, Delivery: d.delivery, Pause: d.pause}
}

// forCommand is decision.forCommand for an error already made.
func forCommand(f *pombo.Error) *pombo.Error {
	d := decision{f.Reason, f.Retry, f.Delivery, f.Pause}.forCommand()
	f.Reason, f.Retry, f.Delivery, f.Pause = d.reason, d.retry, d.delivery, d.pause
	return f
}

// what describes how a call broke. The words are ours, so they are safe.
func what(p phase, err error) string {
	var (
		dns       *net.DNSError
		op        *net.OpError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		cert      *tls.CertificateVerificationError
		late      net.Error
		refusal   *proxyRefusal
	)
	timeout := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout()
	switch {
	case errors.Is(err, context.Canceled):
		return "the call was cancelled"
	case p == phaseAnswer && timeout:
		return "no answer in time"
	case p == phaseAnswer && errors.Is(err, errTooLong):
		return errTooLong.Error()
	case p == phaseAnswer:
		return "the connection broke before the answer was complete"
	case p == phaseWrite:
		return "the connection broke before the request was sent"
	case errors.As(err, &dns):
		return "the name of the server cannot be found"
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &cert):
		return "the server's certificate is not trusted"
	case errors.As(err, &refusal) && refusal.status == http.StatusProxyAuthRequired:
		return "the proxy wants a user and a password that it knows"
	case errors.As(err, &refusal):
		return "the proxy refuses the connection with HTTP status " + strconv.Itoa(refusal.status)
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy does not answer"
	case timeout:
		return "no connection in time"
	default:
		return "no connection"
	}
}

// proxyRefusal is the answer of a proxy that makes no connection.
type proxyRefusal struct{ status int }

func (e *proxyRefusal) Error() string {
	return "the proxy answered with HTTP status " + strconv.Itoa(e.status)
}

// proxyAnswer keeps the status, of which net/http would keep the text alone.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
	if r.StatusCode != http.StatusOK {
		return &proxyRefusal{r.StatusCode}
	}
	return nil
}

// safeCause returns what may be logged of a transport's error. The error itself can
// quote anything: a proxy's address with its password, bytes of an answer.
func safeCause(err error) error {
	s := &safeError{text: known(err.Error())}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			s.is = end
		}
	}
	return s
}

// safeError is the part of an error that may be logged. It still unwraps to the
// context's error if that was the cause.
type safeError struct {
	text string
	is   error
}

func (e *safeError) Error() string { return e.text }
func (e *safeError) Unwrap() error { return e.is }
