package blip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"pombo/internal/tracing"
)

// Does Blip have the message? What net/http does with a POST, according to
// net/http/transport.go of Go 1.26.
//
// It sends a request a second time, on a new connection, only from
// Transport.roundTrip, and only when shouldRetryRequest says so. For HTTP/1 that
// takes a connection that was used before and one of
//
//   - nothingWrittenError (not one byte went to the connection) and either no
//     body or a GetBody;
//   - a request that isReplayable, which a POST is only with an Idempotency-Key
//     or X-Idempotency-Key header and, having a body, a GetBody.
//
// So a POST with a body, without GetBody and without those headers is written
// once or not at all. newRequest gives no GetBody (http.NewRequest would, for a
// bytes.Reader); calls go to the Transport and not to an http.Client, so that no
// redirect is followed; and HTTP/2, which has further rules, is off.
//
// How far did it get? RoundTrip returns an error only after the goroutine that
// writes has ended (mapRoundTripError waits for writeLoopDone), so what the
// httptrace hooks have recorded by then is final:
//
//   - GotConn not called: there was no connection. Nothing was sent.
//   - WroteHeaders not called: the connection was closed before the writer took the
//     request. Nothing was sent.
//   - WroteRequest called with an error: a write to the connection failed before
//     the end of the body was handed over. The writer keeps that error, so the rest
//     was never sent.
//   - WroteRequest called without one proves nothing: the hook runs while the
//     last piece, for a small message all of it, is still in a buffer of 4 KiB. If
//     the connection then refuses the buffer, RoundTrip's error is a net.OpError
//     of a "write". The system took less than all, so the end was never sent. (The
//     close that follows can wake the reader in time for its error to be returned
//     instead; that call then falls under the next case.)
//   - Anything else: the whole request may have been sent.
//
// Blip cannot have accepted a message without its end: the JSON object lacks its
// closing brace, the body lacks bytes that Content-Length announced, and over TLS
// the last record fails its check. That is why a message written in part counts as
// not sent.
//
// When the context ends, the connection is closed and the same rules hold.

// phase is how far a call got that ended without a usable answer.
type phase int

const (
	phaseConnect phase = iota + 1 // no connection
	phaseWrite                    // a connection, but the request was never sent whole
	phaseAnswer                   // it may have been sent whole; no answer, or not all of it
	phaseForeign                  // an answer that is not a LIME envelope: not Blip's
	phaseLacking                  // Blip's answer, without the requested resource
)

// exchange holds what a call needs and the next call can reuse.
type exchange struct {
	body   []byte // the request's; filled in before the call
	reader bytes.Reader
	closer io.ReadCloser // over reader
	trace  httptrace.ClientTrace
	hooks  httptrace.ClientTrace // initial value of trace, which net/http changes when the caller traces too

	// Written by the transport's goroutines, which may outlive the call.
	gotConn, wroteHeaders, wroteAll, writeFailed atomic.Bool
}

func newExchange() *exchange {
	x := &exchange{}
	// The transport recognises a bytes.Reader under a NopCloser as being in memory,
	// and sends headers and body in one packet.
	x.closer = io.NopCloser(&x.reader)
	x.hooks = httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { x.gotConn.Store(true) },
		WroteHeaders: func() { x.wroteHeaders.Store(true) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err != nil {
				x.writeFailed.Store(true)
			}
			x.wroteAll.Store(true)
		},
	}
	return x
}

// release puts an exchange back for reuse after its answer was read, and only once
// the transport is done with it: after WroteRequest it touches neither the body nor
// the hooks. An answer can overtake that; such an exchange is left to the garbage
// collector, and so is that of a call that failed.
func (c *Client) release(x *exchange) {
	if x.wroteAll.Load() && cap(x.body) <= 64<<10 {
		c.exchanges.Put(x)
	}
}

func (c *Client) exchange() *exchange {
	x := c.exchanges.Get().(*exchange)
	x.body = x.body[:0]
	x.gotConn.Store(false)
	x.wroteHeaders.Store(false)
	x.wroteAll.Store(false)
	x.writeFailed.Store(false)
	return x
}

// phase returns how far a call that ended with err got.
func (x *exchange) phase(err error) phase {
	var op *net.OpError
	switch {
	case !x.gotConn.Load():
		return phaseConnect
	case !x.wroteHeaders.Load(),
		x.writeFailed.Load(),
		errors.As(err, &op) && op.Op == "write":
		return phaseWrite
	default:
		return phaseAnswer
	}
}

// newRequest returns the part that all requests to one path share. Many goroutines
// read its header and URL, none changes them.
func newRequest(base *url.URL, path, key string) *http.Request {
	u := *base
	u.Path, u.RawPath = strings.TrimRight(base.Path, "/")+path, ""
	return &http.Request{
		Method: http.MethodPost,
		URL:    &u,
		Host:   u.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Authorization": {"Key " + key},
			"Content-Type":  {"application/json"},
			"Accept":        {"application/json"},
			"User-Agent":    {"pombo"},
			// Bodies are small, and without it net/http would ask for gzip, which takes
			// a second set of headers for every request.
			"Accept-Encoding": {"identity"},
		},
	}
}

// answer is Blip's answer to a request.
type answer struct {
	status int
	body   []byte        // of a command, and of a message that was not accepted
	retry  time.Duration // what Retry-After asks for; 0 = nothing
}

// post sends the exchange's body once. limit bounds the answer's body. An error
// means that there was no whole answer; the phase says how far the call got.
func (c *Client) post(ctx context.Context, to *http.Request, x *exchange, limit int64) (answer, phase, error) {
	x.trace = x.hooks
	x.reader.Reset(x.body)
	r := to.WithContext(httptrace.WithClientTrace(ctx, &x.trace))
	r.Body, r.ContentLength = x.closer, int64(len(x.body))

	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return answer{}, x.phase(err), err
	}
	defer resp.Body.Close()
	tracing.Current(ctx).SetInt(tracing.HTTPStatus, resp.StatusCode)
	a := answer{status: resp.StatusCode, retry: retryAfter(resp.Header.Get("Retry-After"), c.opts.Now)}
	if a.status == http.StatusAccepted {
		// The status is the whole answer. The rest is read so that the connection
		// can be used again; if it does not come, the connection is closed.
		if resp.ContentLength != 0 {
			_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
		}
		return a, 0, nil
	}
	a.body, err = readAll(resp, limit+1)
	switch {
	case err != nil:
		// The status is known even so, and for a refusal it is what counts.
		return a, phaseAnswer, err
	case int64(len(a.body)) > limit:
		return a, phaseAnswer, errTooLong
	}
	return a, 0, nil
}

// readAll reads at most limit bytes of the body, into a buffer of the announced
// length if there is one.
func readAll(resp *http.Response, limit int64) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n < limit {
		body := make([]byte, n)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(resp.Body, limit))
}

var errTooLong = errors.New("the answer is longer than any that Blip gives")

// maxRetryAfter bounds what a Retry-After can ask for, so that a mistyped header does
// not stop a bot for a year.
const maxRetryAfter = time.Hour

// retryAfter parses the header: seconds or an HTTP date. 0 means that it asks for
// nothing, or for a time in the past.
func retryAfter(s string, now func() time.Time) time.Duration {
	if s == "" {
		return 0
	}
	if n, err := strconv.Atoi(s); err == nil {
		return min(max(0, time.Duration(min(n, 1e6))*time.Second), maxRetryAfter)
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(0, t.Sub(now())), maxRetryAfter)
	}
	return 0
}
