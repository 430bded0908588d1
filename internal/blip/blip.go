// Package blip is the client of Blip: LIME envelopes in JSON, posted over HTTP.
//
// There are two addresses. POST /commands queries and sets (the identity of a
// phone, the templates, what became of a message) and answers 200 even when it
// refuses, so the status inside the envelope counts. POST /messages accepts a
// message and answers 202 with an empty body, which says that Blip has it and
// nothing more. What became of it arrives later as receipts.
//
// One table (decide.go) maps each failure (HTTP status, LIME reason, code of the
// channel, or the phase in which the connection failed) to a decision: the reason,
// whether a later attempt makes sense, whether Blip may have the message, and how
// long the whole bot should pause. Every method returns a *pombo.Error made from
// that table, and no caller decides again. A second table (resend_policy.go) maps
// failed receipts to what follows from them.
//
// The question behind both is whether a second POST of a message could reach the
// person twice. Blip does not recognise a repeated id, so this package never posts
// a message twice by itself, makes sure that net/http does not either, and says
// "not sent" only where that can be proved (call.go).
//
// No error carries the key, a phone, an identity or a text: Blip's free text goes
// through words.go first.
package blip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Options configures a Client: how to reach Blip, and what all messages share.
type Options struct {
	// Key is the key of the bot that owns the WhatsApp number, with or without
	// the leading "Key ".
	Key string
	// URL is the base address, e.g. https://http.msging.net.
	URL string

	// Template is sent when a message names none; it may be empty if every message
	// names one.
	Template string
	// Namespace of the templates; empty leaves it out, as Blip allows today.
	Namespace string
	// Language of the templates; empty means pt_BR.
	Language string

	// Timeout of one call, from connecting to the last byte of the answer; 0
	// means 20 seconds. Blip sometimes accepts a connection and never answers.
	Timeout time.Duration

	// MasterState, FlowID and StateID say where in the bot the person's reply goes.
	// MasterState is the sub-bot, for routers; FlowID and StateID name the block,
	// both or neither. With none set, replies are not redirected.
	MasterState, FlowID, StateID string

	// Proxy chooses the proxy of a request, as in http.Transport; nil = none.
	Proxy func(*http.Request) (*url.URL, error)

	// Connections is how many idle connections are kept, best as many as there
	// are workers; 0 means 64.
	Connections int

	// Now returns the time, for durations and for a Retry-After that is a date; nil
	// means time.Now.
	Now func() time.Time
	// NewID makes the id of a command; nil means a random UUID.
	NewID func() string
	// Registerer registers the metrics; nil registers none.
	Registerer prometheus.Registerer
}

// Client speaks for one bot. It is safe for concurrent use.
type Client struct {
	opts      Options
	transport *http.Transport
	messages  *http.Request // what all POST /messages share; copied, never changed
	commands  *http.Request
	head      string // JSON of a message between its identity and the template's name
	tail      string // JSON after the template's name, in the configured language
	redirects []redirect
	base      *url.URL
	exchanges sync.Pool
	metrics   *metrics
}

// New checks the options and returns a client. It makes no connection. The
// caller closes the client.
func New(opts Options) (*Client, error) {
	key, err := bareKey(opts.Key)
	if err != nil {
		return nil, err
	}
	base, err := baseURL(opts.URL)
	if err != nil {
		return nil, err
	}
	if (opts.FlowID == "") != (opts.StateID == "") {
		return nil, errors.New("only one of flow id and state id is set: set both or neither")
	}
	if opts.Timeout < 0 {
		return nil, fmt.Errorf("the time limit of a call is %v: it must be positive", opts.Timeout)
	}
	if opts.Connections < 0 {
		return nil, fmt.Errorf("the number of connections is %d: it must be positive", opts.Connections)
	}
	if opts.Timeout == 0 {
		opts.Timeout = 20 * time.Second
	}
	if opts.Connections == 0 {
		opts.Connections = 64
	}
	if opts.Language == "" {
		opts.Language = "pt_BR"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.NewID == nil {
		opts.NewID = uuid.NewString
	}
	opts.Key = "" // it lives in the headers and nowhere else, so that printing a Client does not show it

	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register the metrics of blip: %w", err)
	}
	c := &Client{
		opts:      opts,
		transport: newTransport(opts),
		messages:  newRequest(base, "/messages", key),
		commands:  newRequest(base, "/commands", key),
		metrics:   m,
		base:      base,
	}
	c.head, c.tail = fixedHead(opts.Namespace), fixedTail(opts.Language)
	c.redirects = redirects(opts)
	c.exchanges.New = func() any { return newExchange() }
	return c, nil
}

// Close closes the idle connections. Calls in flight continue.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Redirects returns how many commands it takes to redirect a person's reply: 0, 1
// or 2. Each is a call of RedirectReply, so that the caller acquires one permit for
// each command.
func (c *Client) Redirects() int { return len(c.redirects) }

// bareKey removes the prefix "Key " and rejects what cannot be a header value. The
// error does not contain the key.
func bareKey(s string) (string, error) {
	k := strings.TrimSpace(s)
	if len(k) > 4 && strings.EqualFold(k[:4], "key ") {
		k = strings.TrimSpace(k[4:])
	}
	if k == "" || strings.EqualFold(k, "key") {
		return "", errors.New("the key of the bot is missing: copy it from the bot's connection settings in the Blip portal")
	}
	for i := range len(k) {
		if k[i] <= ' ' || k[i] >= 0x7f || k[i] == '"' || k[i] == '\'' {
			return "", errors.New("the key of the bot has a space, a quote or another character that keys do not have: copy it again from the Blip portal")
		}
	}
	return k, nil
}

// baseURL parses the base address. The error does not contain it, because people put
// passwords into addresses.
func baseURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the address of Blip is not a URL: it looks like https://http.msging.net")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the address of Blip has a user, a query or a fragment: it looks like https://http.msging.net")
	}
	return u, nil
}

// newTransport returns the pool of connections. It speaks HTTP/1.1 only: HTTP/2 has
// its own rules for sending a request again, and one request per connection at a
// time is easier to reason about.
func newTransport(opts Options) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               opts.Proxy,
		DialContext:         (&net.Dialer{Timeout: opts.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: opts.Timeout,
		MaxIdleConns:        opts.Connections,
		MaxIdleConnsPerHost: opts.Connections,
		// Shorter than the minute after which load balancers commonly close: a POST on
		// a connection that the other side is just closing ends as uncertain.
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		OnProxyConnectResponse: proxyAnswer,
		Protocols:              &protocols,
	}
}

// Check proves that Blip can be reached and accepts the key: it asks for the WhatsApp
// account of the bot, which changes nothing and involves no person. A bot that does
// not know the command has still shown that the key is good, so only a failure of
// the connection, the key or the account is an error.
func (c *Client) Check(ctx context.Context) error {
	err := c.command(ctx, command{
		kind: checkKind, to: whatsapp, method: "get", uri: "/whatsapp-business-account",
	}, &struct{}{})
	if provesKey(err) {
		return nil
	}
	return err
}
