package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pombo"
	"pombo/internal/loopback"
)

// callTime is how long a receiver may take: it should answer before it does its work.
const callTime = 15 * time.Second

// Client posts signed events to one address.
type Client struct {
	url     *url.URL
	signers []*standardwebhooks.Webhook
	line    *http.Transport
}

// NewClient checks the address and the secrets, which look like whsec_…, and connects to
// nothing. proxy is that of http.Transport; nil = none. The caller closes the client.
func NewClient(address string, secrets []pombo.Private, proxy func(*http.Request) (*url.URL, error)) (*Client, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the address for events is not a URL")
	case u.Scheme == "http" && !loopback.Host(u.Hostname()):
		return nil, errors.New("the address for events is plain http to another machine: it has to be https")
	case len(secrets) == 0:
		return nil, errors.New("there is no secret to sign events with")
	}
	c := &Client{url: u, line: &http.Transport{
		Proxy:               proxy,
		DialContext:         (&net.Dialer{Timeout: callTime, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: callTime,
		MaxIdleConns:        parallel,
		MaxIdleConnsPerHost: parallel,
		// Shorter than the minute after which load balancers commonly close.
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		OnProxyConnectResponse: proxyAnswer,
	}}
	for _, secret := range secrets {
		signer, err := standardwebhooks.NewWebhook(secret.Reveal())
		if err != nil {
			return nil, errors.New("a secret for events is not base64 behind whsec_") // the cause could quote it
		}
		c.signers = append(c.signers, signer)
	}
	return c, nil
}

// Close closes the idle connections.
func (c *Client) Close() { c.line.CloseIdleConnections() }

// answer is how a POST ended.
type answer struct {
	taken bool
	word  string        // a status, or what went wrong: never the text of a stranger
	retry time.Duration // what Retry-After asks for; 0 = nothing
}

// post sends one event and reads no more of the answer than its head. Calls go to the
// Transport and not to an http.Client, so that no redirect is followed.
func (c *Client) post(ctx context.Context, id string, body []byte, at time.Time) answer {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	signatures := make([]string, len(c.signers))
	for i, s := range c.signers {
		var err error
		if signatures[i], err = s.Sign(id, at, body); err != nil {
			return answer{word: "not signed"}
		}
	}
	r := (&http.Request{
		Method: http.MethodPost, URL: c.url, Host: c.url.Host,
		Header: http.Header{
			"Content-Type":    {"application/json"},
			"User-Agent":      {"pombo"},
			"Accept-Encoding": {"identity"},

			http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookID):        {id},
			http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookTimestamp): {strconv.FormatInt(at.Unix(), 10)},
			http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookSignature): {strings.Join(signatures, " ")},
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	resp, err := c.line.RoundTrip(r)
	if err != nil {
		return answer{word: word(err)}
	}
	// What is left of a short answer is read, so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	_ = resp.Body.Close()
	return answer{
		taken: resp.StatusCode >= 200 && resp.StatusCode < 300,
		word:  strconv.Itoa(resp.StatusCode),
		retry: retryAfter(resp.Header.Get("Retry-After"), at),
	}
}

// errProxy: the proxy makes no connection, for want of a password or by its rules.
var errProxy = errors.New("refused by the proxy")

func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
	if r.StatusCode != http.StatusOK {
		return errProxy
	}
	return nil
}

// word says in a word or two what kept an event from being answered.
func word(err error) string {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &dns):
		return "name not found"
	case errors.Is(err, errProxy):
		return errProxy.Error()
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy does not answer"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection"
	case strings.Contains(err.Error(), "certificate"):
		return "certificate not trusted"
	}
	return "connection lost"
}

// longestRetryAfter bounds what a receiver may ask for.
const longestRetryAfter = 12 * time.Hour

// retryAfter reads the header: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(header); err == nil && n > 0 {
		return min(time.Duration(min(n, 1e6))*time.Second, longestRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return min(at.Sub(now), longestRetryAfter)
	}
	return 0
}

// Test sends a signed event of the type pombo.test, for doctor: it says nothing, and the
// receiver should answer 2xx to it as to every event of a type that it does not know.
func (c *Client) Test(ctx context.Context, id string, now time.Time) error {
	body := fmt.Appendf(nil, `{"type":"pombo.test","timestamp":%q,"data":{}}`, now.UTC().Format(time.RFC3339Nano))
	if a := c.post(ctx, id, body, now); !a.taken {
		return errors.New("the receiver has not taken a test: " + a.word)
	}
	return nil
}
