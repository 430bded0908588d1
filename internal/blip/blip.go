// Package blip speaks with Blip: LIME envelopes in JSON, posted over HTTP.
//
// Two addresses do all. POST /commands asks and sets (the identity of a phone,
// the templates, what became of a message) and answers 200 even when it
// refuses, so the status inside the envelope counts. POST /messages takes a
// message and answers 202 with an empty body, which says that Blip has it and
// nothing more. What came of it arrives later as receipts.
//
// What can go wrong is sorted in one table (decide.go): HTTP status, LIME
// reason, code of the channel or the phase in which the connection failed on one
// side; on the other the reason, whether a later attempt makes sense, whether
// Blip may have the message, and how long the whole bot should rest. Every
// method returns a *pombo.Error made from that table, and no caller decides
// again.
//
// The question behind all of it is whether a second POST of a message could
// reach the person twice. Blip does not recognise a repeated id, so this
// package never posts a message twice by itself, makes sure that net/http does
// not either, and says "reached: no" only where that can be proved (call.go).
//
// No error carries the key, a phone, an identity or a text: what Blip says in
// free words goes through mask.go first.
package blip

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options says how to reach Blip and what is the same in every message.
type Options struct {
	// Key is the key of the bot that owns the WhatsApp number, with or without
	// the leading "Key ".
	Key string
	// URL is the base address, e.g. https://http.msging.net.
	URL string

	// Template is sent when a message names none; may be empty when each does.
	Template string
	// Namespace of the templates; empty leaves it out, as Blip allows today.
	Namespace string
	// Language of the templates; empty means pt_BR.
	Language string

	// Timeout of one call, from connecting to the last byte of the answer; 0
	// means 20 seconds. Blip sometimes takes a connection and never answers.
	Timeout time.Duration

	// MasterState, FlowID and StateID say where in the bot the person's reply
	// lands. MasterState is the sub-bot, for routers; FlowID and StateID name
	// the block, both or neither. Without any of them no reply is redirected.
	MasterState, FlowID, StateID string

	// Connections is how many idle connections are kept, best as many as there
	// are workers; 0 means 64.
	Connections int

	// Now tells the time, for measures and for a Retry-After that is a date; nil
	// means time.Now.
	Now func() time.Time
	// NewID makes the id of a command; nil means a random UUID.
	NewID func() string
	// Registerer takes the metrics; nil means that nobody reads them.
	Registerer prometheus.Registerer
}

// Client speaks with one bot. It is safe for use by many goroutines.
type Client struct {
	o         Options
	transport *http.Transport
	messages  *http.Request // what all POST /messages share; copied, never changed
	commands  *http.Request
	head      string // JSON of a message between its identity and the template's name
	language  string // JSON after the template's name
	redirects []redirect
	exchanges sync.Pool
	metrics   *metrics
}

// New checks the options and returns a client. It makes no connection. The
// caller closes the client.
func New(o Options) (*Client, error) {
	key, err := bareKey(o.Key)
	if err != nil {
		return nil, err
	}
	base, err := baseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if (o.FlowID == "") != (o.StateID == "") {
		return nil, errors.New("only one of flow id and state id is given: give both or neither")
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("the time limit of a call is %v: it must be positive", o.Timeout)
	}
	if o.Connections < 0 {
		return nil, fmt.Errorf("the number of connections is %d: it must be positive", o.Connections)
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Connections == 0 {
		o.Connections = 64
	}
	if o.Language == "" {
		o.Language = "pt_BR"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = randomUUID
	}
	o.Key = "" // it lives in the headers and nowhere else, so that printing a Client does not show it

	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register the metrics of blip: %w", err)
	}
	c := &Client{
		o:         o,
		transport: newTransport(o),
		messages:  newRequest(base, "/messages", key),
		commands:  newRequest(base, "/commands", key),
		metrics:   m,
	}
	c.head, c.language = fixedParts(o.Namespace, o.Language)
	c.redirects = redirects(o)
	c.exchanges.New = func() any { return newExchange() }
	return c, nil
}

// Close closes the idle connections. Calls under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Redirects returns how many commands it takes to redirect a person's reply: 0, 1
// or 2. Each is a call of RedirectReply, so that the caller can pace them one by one.
func (c *Client) Redirects() int { return len(c.redirects) }

// bareKey takes the "Key " off, and refuses what cannot be a header value. The
// error does not show the key.
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
			return "", errors.New("the key of the bot has a blank, a quote or a sign that no key has: copy it again from the Blip portal")
		}
	}
	return k, nil
}

// baseURL reads the base address. The error does not show it, because people
// put passwords into addresses.
func baseURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the address of Blip is no address: it looks like https://http.msging.net")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the address of Blip has a user, a query or a fragment: it looks like https://http.msging.net")
	}
	return u, nil
}

// newTransport makes the pool of connections. HTTP/1.1 only: HTTP/2 has rules of
// its own about sending a request again, and one answer to one connection is
// easier to reason about.
func newTransport(o Options) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: o.Timeout,
		MaxIdleConns:        o.Connections,
		MaxIdleConnsPerHost: o.Connections,
		// Shorter than the minute after which balancers commonly close: a POST on
		// a connection that the other side is just closing ends as uncertain.
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &protocols,
	}
}

// randomUUID returns a version 4 UUID (RFC 9562 section 5.4).
func randomUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails: crypto/rand ends the program instead
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// Check proves that Blip can be reached and takes the key: it asks for the
// WhatsApp account of the bot, which changes nothing and names nobody. A bot that
// does not know the command has still shown that the key is good, so only a
// failure of the way, of the key or of the account is an error.
func (c *Client) Check(ctx context.Context) error {
	err := c.command(ctx, command{
		kind: checkKind, to: whatsapp, method: "get", uri: "/whatsapp-business-account",
	}, &struct{}{})
	if provesKey(err) {
		return nil
	}
	return err
}
