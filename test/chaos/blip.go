//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pombo/internal/blipsim"
)

// stage is how far the last POST of a message got, as Blip sees it.
type stage uint8

const (
	arrived  stage = iota + 1 // read whole
	taken                     // Blip has it, the answer is still owed
	answered                  // the answer has been written
)

// blip is the pretend Blip with an unkind network before it. What a POST meets
// hangs on the seed, the id and the number of the POST.
type blip struct {
	sim    *blipsim.Server
	server *http.Server
	addr   string
	seed   uint64

	calm     atomic.Bool  // no faults any more
	latency  atomic.Int64 // of an answer, as a time.Duration
	accepted atomic.Int64 // messages taken, also the second ones of an id
	harm     [kindsOfHarm]atomic.Int64
	refusals refusals
	watch    atomic.Pointer[watch]

	mu   sync.Mutex
	seen map[[16]byte]sight
}

// sight is what Blip has seen of an id.
type sight struct {
	posts uint8
	stage stage
}

// watch waits for a POST of one of the processes to get to a stage.
type watch struct {
	key   string
	stage stage
	act   func()
}

// harm is what can befall a POST.
type harm int

const (
	none         harm = iota
	cutUnread         // closed, not taken
	cutTaken          // taken, closed without an answer
	lateTaken         // taken after the client has given up
	gatewayLost       // 502, not taken
	gatewayTaken      // 504, taken
	unavailable       // 503, not taken
	throttled         // 429 with Retry-After
	slow              // taken, answered late
	kindsOfHarm
)

var harmNames = [kindsOfHarm]string{
	cutUnread: "POST cut, not taken", cutTaken: "answer cut, taken", lateTaken: "taken after the time-out",
	gatewayLost: "502, not taken", gatewayTaken: "504, taken", unavailable: "503", throttled: "429", slow: "slow answer",
}

// perMillion is how many of a million POSTs meet each harm.
var perMillion = [kindsOfHarm]uint64{
	cutUnread: 4000, cutTaken: 10000, lateTaken: 4000, gatewayLost: 2000, gatewayTaken: 4000, unavailable: 2000, throttled: 200, slow: 10000,
}

// mercy is how many POSTs of a message may be harmed: the schedule of retries
// grows, and a row that is hit each time would hold everybody up for hours.
const mercy = 2

// lateness is beyond BLIP_TIMEOUT, and together with the longest stall of the
// network well within UNCERTAIN_WAIT: a message that comes after that is the one
// thing that doubles.
const lateness = blipTimeout * 13 / 10

func startBlip(seed uint64) (*blip, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &blip{
		// Of the messages that WhatsApp refuses Blip says no more than that it has them:
		// the webhook tells (refusal.go).
		sim:  blipsim.New(blipsim.Options{Seed: seed, KeepMessages: -1, Scripts: map[string]blipsim.Behaviour{"50": {StopAfter: blipsim.Accepted}}}),
		addr: l.Addr().String(), seed: seed, seen: map[[16]byte]sight{},
	}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(l)
	return b, nil
}

func (b *blip) close() error {
	b.sim.Close()
	return b.server.Close()
}

func (b *blip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/messages" {
		b.sim.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // only a part came: nothing that could be taken
	}
	var envelope struct{ ID string }
	if err := json.Unmarshal(body, &envelope); err != nil {
		panic(http.ErrAbortHandler)
	}
	id := binaryID(envelope.ID)
	posts := b.note(id, arrived, 1)
	b.pass(r, arrived)

	h := b.draw(envelope.ID, posts)
	b.harm[h].Add(1)
	switch h {
	case cutUnread:
		panic(http.ErrAbortHandler)
	case gatewayLost:
		w.WriteHeader(http.StatusBadGateway)
		return
	case unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case throttled:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case lateTaken:
		time.Sleep(lateness)
	case slow:
		time.Sleep(blipTimeout / 3)
	default:
		time.Sleep(time.Duration(b.latency.Load())) // some are always under way
	}

	status := b.take(r, body)
	b.refusals.taken(envelope.ID)
	b.note(id, taken, 0)
	b.pass(r, taken)
	switch h {
	case cutTaken, lateTaken:
		panic(http.ErrAbortHandler)
	case gatewayTaken:
		status = http.StatusGatewayTimeout
	}
	w.WriteHeader(status)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	b.note(id, answered, 0)
	b.pass(r, answered)
}

// take hands the message to the simulator, whether or not anybody still waits
// for the answer, and returns the status.
func (b *blip) take(r *http.Request, body []byte) int {
	r = r.WithContext(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	a := answer{header: http.Header{}}
	b.sim.ServeHTTP(&a, r)
	if a.status == http.StatusAccepted {
		b.accepted.Add(1)
	}
	return a.status
}

// answer keeps the simulator's answer until it is decided what becomes of it.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }

func (b *blip) draw(id string, posts int) harm {
	if b.calm.Load() || posts > mercy {
		return none
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	u := mix(h.Sum64()^b.seed^uint64(posts)<<56) % 1_000_000
	for kind, rate := range perMillion {
		if u < rate {
			return harm(kind)
		}
		u -= rate
	}
	return none
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (b *blip) note(id [16]byte, s stage, more uint8) (posts int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.seen[id]
	g.posts += more
	g.stage = s
	b.seen[id] = g
	return int(g.posts)
}

// sightOf says what Blip has seen of an id.
func (b *blip) sightOf(id string) sight {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[binaryID(id)]
}

// pass tells whoever watches for the stage, once.
func (b *blip) pass(r *http.Request, s stage) {
	w := b.watch.Load()
	if w == nil || w.stage != s || !strings.HasSuffix(r.Header.Get("Authorization"), w.key) {
		return
	}
	if b.watch.CompareAndSwap(w, nil) {
		w.act()
	}
}

// binaryID is a UUID in 16 bytes: a million of them are kept.
func binaryID(id string) (u [16]byte) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != len(u) {
		panic("chaos: a message whose id is no UUID: " + id)
	}
	copy(u[:], b)
	return u
}
