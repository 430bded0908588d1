// Package blipsim is a simulator of Blip: it answers POST /messages, /commands and
// /notifications as Blip's documentation describes, keeps what it accepted, and lets a
// test, a benchmark or the demo ask afterwards what arrived and how often.
//
// It is as unkind as Blip and WhatsApp are. It answers an accepted message with 202 and
// no body, whatever becomes of it; whether the person is on WhatsApp and whether the
// values fit the template shows only later, as a receipt. The same id twice is two
// deliveries: Blip does not remember ids. It answers a command with 200 even when it
// failed. [Faults] and scripts add the rest: answers cut after the message was accepted,
// connections that hang, 429 for two minutes, receipts doubled, disordered or never sent.
//
// It shares no code with the client (package blip), so that one misreading of the
// documentation cannot hide in both; both are tested against the envelopes in
// testdata/blip.
//
// Receipts are not events in timers. The id of a message, its recipient, the seed and
// the time of its acceptance determine what becomes of it, so a receipt is computed on
// demand. A message therefore costs the simulator one entry of 32 bytes in a map, and it
// can accept millions; only a webhook needs a clock (see [Options.Webhook]).
package blipsim

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options configures the simulator. The zero value is sensible: any key, no rate limit,
// no faults, receipts as soon as Blip usually sends them.
type Options struct {
	// Key is the one token that is accepted, with or without the leading
	// "Key "; "" accepts every "Key …".
	Key string
	// Latency is how long every answer takes.
	Latency time.Duration
	// Now is the clock; nil = time.Now. Latency and the webhook wait in real time
	// regardless.
	Now func() time.Time
	// Seed makes chance repeatable: which messages are read, which requests a fault
	// hits, the order of keys in an answer.
	Seed uint64

	// MessagesPerSecond, CommandsPerSecond and NotificationsPerSecond are the
	// limits of each key; 0 = none. Blip documents 50, 200 and 100 for paid
	// contracts and 3, 48 and 6 for free ones.
	MessagesPerSecond      int
	CommandsPerSecond      int
	NotificationsPerSecond int
	// RatePenalty is how long a key that exceeded a limit gets 429 for everything;
	// 0 = two minutes.
	RatePenalty time.Duration
	// RetryAfter adds a Retry-After header to each 429. Blip documents none.
	RetryAfter bool

	// AcceptedAfter, DispatchedAfter, ReceivedAfter, ConsumedAfter and
	// FailedAfter say when each receipt comes, counted from the acceptance of the
	// message. 0 = 20 ms, 200 ms, 1 s, 3 s and 1 s; negative = at once.
	AcceptedAfter   time.Duration
	DispatchedAfter time.Duration
	ReceivedAfter   time.Duration
	ConsumedAfter   time.Duration
	FailedAfter     time.Duration
	// ReadRate is the share of the received messages that are consumed (read);
	// 0 = 0.4, negative = none.
	ReadRate float64

	// AnswerRate is the share of the received messages with quick replies of which one is
	// pressed; 0 = none. Scripts let people do other things.
	AnswerRate float64
	// AnswerAfter says when an answer comes, counted from the receipt of the message; 0 =
	// 2 s, negative = at once.
	AnswerAfter time.Duration
	// OldPresses has the press of a button come as a text, as in 2023.
	OldPresses bool

	// Webhook is the address to which each receipt is POSTed when it is due; "" = receipts
	// can only be asked for.
	Webhook string
	// MessageWebhook is the address to which each answer of a person is POSTed; "" = they
	// can only be found in the conversation.
	MessageWebhook string
	// DataFeed has the bot's own messages POSTed there too, as Blip's data feed does.
	DataFeed bool
	// WebhookHeader is an additional header for those POSTs, "Name: value"; "" = none.
	WebhookHeader string
	// WebhookRetries is how often a POST that did not get a 2xx is retried, a second
	// later each time; 0 = never, as nothing is published about Blip's retries.
	WebhookRetries int
	// WebhookClient sends those POSTs; nil = one with a timeout of ten seconds.
	WebhookClient *http.Client

	// Templates are those that the account has; nil = DefaultTemplates().
	Templates []Template
	// Scripts says how numbers that end in given digits behave; nil = all numbers work.
	// See DefaultScripts.
	Scripts map[string]Behaviour
	// Faults are what goes wrong.
	Faults Faults

	// MediaExpiry is how long an uploaded document, and the address to upload one to, can
	// be used; 0 = 30 minutes.
	MediaExpiry time.Duration

	// KeepMessages is how many of the newest messages are kept with their
	// content for Taken and the page; 0 = 100,000, negative = none. Counts, deliveries
	// and receipts cover all messages regardless.
	KeepMessages int
}

// Server is a simulated Blip. It is an http.Handler and safe for concurrent use.
type Server struct {
	opts      Options
	delays    delays
	templates map[templateKey]*form
	scripts   scripts
	outcomes  outcomes
	odds      []odds
	ids       cipher.Block // makes GUID identities and reads them back

	counters counters
	bots     bots
	shards   [shardCount]shard
	pairs    [shardCount]pairShard
	recent   recent
	stored   stored
	attempts attempts
	media    mediaStore

	scratch sync.Pool
	page    *page
	webhook *webhook // nil without one

	done  chan struct{} // closed by Close
	close sync.Once
}

// New returns a simulated Blip. The caller closes it.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.RatePenalty == 0 {
		opts.RatePenalty = 2 * time.Minute
	}
	if opts.ReadRate == 0 {
		opts.ReadRate = 0.4
	}
	if opts.KeepMessages == 0 {
		opts.KeepMessages = 100_000
	}
	if opts.Templates == nil {
		opts.Templates = DefaultTemplates()
	}
	opts.Key = strings.TrimSpace(opts.Key)
	if token, ok := cutKey(opts.Key); ok {
		opts.Key = token
	}

	s := &Server{
		opts:      opts,
		delays:    newDelays(opts),
		templates: indexTemplates(opts.Templates),
		odds:      opts.Faults.odds(),
		ids:       newIdentityCipher(opts.Seed),
		page:      newPage(),
		done:      make(chan struct{}),
	}
	s.scratch.New = func() any { return new(scratch) }
	s.scripts = compile(opts.Scripts, &s.outcomes)
	s.recent.limit = max(opts.KeepMessages, 0)
	s.clear()
	if opts.Webhook != "" || opts.MessageWebhook != "" {
		s.webhook = startWebhook(opts, &s.counters)
	}
	return s
}

// Close releases hanging requests, stops the webhook and waits for its POSTs. It drops
// receipts that are not posted yet. Close may be called twice.
func (s *Server) Close() {
	s.close.Do(func() {
		close(s.done)
		if s.webhook != nil {
			s.webhook.stop()
		}
	})
}

// Reset forgets what was accepted and counted; options, faults and lock-outs of keys
// stay. A request in flight may still be counted.
func (s *Server) Reset() {
	if s.webhook != nil {
		s.webhook.drop()
	}
	s.clear()
}

func (s *Server) clear() {
	for i := range s.shards {
		s.shards[i].clear()
		s.pairs[i].clear()
	}
	s.recent.clear()
	s.stored.clear()
	s.attempts.clear()
	s.media.clear()
	s.counters.clear()
}

// ServeHTTP routes by hand: a ServeMux would be the most expensive step of a message.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/messages":
		s.post(w, r, messages)
	case "/commands":
		s.post(w, r, commands)
	case "/notifications":
		s.post(w, r, notifications)
	case uploadPath:
		s.postMedia(w, r)
	default:
		s.serveOwn(w, r)
	}
}

// path is one of Blip's three.
type path int

const (
	messages path = iota
	commands
	notifications
	pathCount
)

// post handles every request to Blip's paths: first the key, the rate limit and the
// fault, then the envelope.
func (s *Server) post(w http.ResponseWriter, r *http.Request, p path) {
	s.counters.requests[p].Add(1)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	b := s.bots.of(r.Header.Get("Authorization"), s.opts.Key)
	if b == nil || s.keyIsOff() {
		s.counters.unauthorized.Add(1)
		s.wait(r, s.opts.Latency)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	now := s.opts.Now()
	if left := b.admit(p, now, &s.opts); left > 0 {
		s.wait(r, s.opts.Latency)
		s.throttle(w, left)
		return
	}
	f := s.draw(p)
	if f.kind == CutBeforeRead {
		s.abort()
	}
	sc := s.scratch.Get().(*scratch)
	defer s.scratch.Put(sc)
	if err := sc.read(r.Body); err != nil {
		s.wait(r, s.opts.Latency)
		s.refuse(w, sc, http.StatusRequestEntityTooLarge, "The envelope is too large or was cut")
		return
	}
	switch p {
	case messages:
		s.postMessage(w, r, sc, b, f, now)
	case commands:
		s.postCommand(w, r, sc, b, f)
	default:
		s.postNotification(w, r, sc)
	}
}

func (s *Server) keyIsOff() bool {
	n := int64(s.opts.Faults.UnauthorizedAfter)
	return n > 0 && s.counters.messages.Load() >= n
}

// postNotification accepts the receipts that a bot owes for inbound messages, and
// ignores them.
func (s *Server) postNotification(w http.ResponseWriter, r *http.Request, sc *scratch) {
	var n struct {
		To    string `json:"to"`
		From  string `json:"from"`
		Event string `json:"event"`
	}
	switch err := sc.decode(&n); {
	case err != nil:
		s.refuse(w, sc, http.StatusBadRequest, "The envelope is not valid JSON")
	case n.Event == "":
		s.refuse(w, sc, http.StatusBadRequest, "The envelope has no 'event'")
	case n.To == "" && n.From == "":
		s.refuse(w, sc, http.StatusBadRequest, "The envelope has no 'to'")
	default:
		s.wait(r, s.opts.Latency)
		w.WriteHeader(http.StatusAccepted)
	}
}

// validationError is LIME's reason for an invalid envelope.
const validationError = 21

// refuse answers with the LIME reason at the top level, or without a body if the faults
// say so.
func (s *Server) refuse(w http.ResponseWriter, sc *scratch, status int, description string) {
	s.counters.refused.Add(1)
	if s.opts.Faults.EmptyBody400 {
		w.WriteHeader(status)
		return
	}
	sc.out = s.appendReason(sc.out[:0], validationError, description)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(sc.out)
}

func (s *Server) appendReason(dst []byte, code int, description string) []byte {
	return appendObject(dst, s.roll(), number("code", int64(code)), text("description", description))
}

// wait waits in real time. It ends early when the client disconnects or the server
// closes.
func (s *Server) wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	case <-s.done:
	}
}

// bots are the bots of all keys seen. With one accepted key there is one.
type bots struct{ byToken sync.Map }

// bot is the owner of a key.
type bot struct {
	token string
	node  string // mybot@msging.net

	mu      sync.Mutex // guards what follows
	buckets [pathCount]bucket
	locked  time.Time // 429 until then
}

// of returns the bot of an Authorization header, nil when it is not accepted. The
// comparison need not take constant time: there is nothing here to protect.
func (bs *bots) of(header, only string) *bot {
	token, ok := cutKey(header)
	if !ok || only != "" && token != only {
		return nil
	}
	if b, ok := bs.byToken.Load(token); ok {
		return b.(*bot)
	}
	b, _ := bs.byToken.LoadOrStore(token, &bot{token: token, node: botNode(token)})
	return b.(*bot)
}

func cutKey(header string) (token string, ok bool) {
	if len(header) < 5 || !strings.EqualFold(header[:4], "key ") {
		return "", false
	}
	token = strings.TrimSpace(header[4:])
	return token, token != ""
}

// botNode derives the bot's node, which Blip fills in as "from", from its token (base64
// of identifier, colon, secret). A token of another form belongs to mybot.
func botNode(token string) string {
	name := "mybot"
	if b, err := base64.StdEncoding.DecodeString(token); err == nil {
		if id, _, ok := strings.Cut(string(b), ":"); ok && plainName(id) {
			name = id
		}
	}
	return name + "@msging.net"
}

func plainName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func newIdentityCipher(seed uint64) cipher.Block {
	var key [16]byte
	binary.BigEndian.PutUint64(key[:], seed)
	c, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // cannot happen: the key has 16 bytes
	}
	return c
}
