//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"pombo/internal/blipsim"
)

// stage is how far the last POST of a message got, as Blip sees it.
type stage uint8

const (
	arrived  stage = iota + 1 // read whole
	taken                     // Blip has it, the answer is still owed
	answered                  // the answer has been written
)

// blip is the pretend Blip behind an unreliable network. What happens to a POST depends on
// the seed, the id and the number of the POST.
type blip struct {
	sim *blipsim.Server
	// conversations has only those that are asked for, as sim keeps no message.
	conversations *blipsim.Server
	server        *http.Server
	addr          string
	seed          uint64
	sure          map[string]harm // what the first POST of an id meets, whatever else is drawn

	calm     atomic.Bool  // no faults any more
	latency  atomic.Int64 // of an answer, as a time.Duration
	accepted atomic.Int64 // messages taken, also the second ones of an id
	harm     [kindsOfHarm]atomic.Int64
	heard    func(id string) (unheard bool) // see startBlip
	watch    atomic.Pointer[watch]

	mu   sync.Mutex
	seen map[uuid.UUID]sight // a million of them
}

// sight is what Blip has seen of an id.
type sight struct {
	posts uint8
	stage stage
}

// watch waits until a POST of one of the processes reaches a stage.
type watch struct {
	key   string
	stage stage
	act   func()
}

// harm is what can go wrong with a POST.
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

// perMillion is how many of a million POSTs each harm hits.
var perMillion = [kindsOfHarm]uint64{
	cutUnread: 4000, cutTaken: 10000, lateTaken: 4000, gatewayLost: 2000, gatewayTaken: 4000, unavailable: 2000, throttled: 200, slow: 10000,
}

// sureRow is the row whose first POST meets the first harm, the next one has the next: no run is
// without any of them. Its people are silent.
const sureRow = 11

// mercy is how many POSTs of a message may be harmed: the backoff grows, and the run would
// wait hours for a row that is hit each time.
const mercy = 2

// lateness is longer than BLIP_TIMEOUT, and together with the longest stall of the network
// well within UNCERTAIN_WAIT: only a message that arrives after that can be doubled.
const lateness = blipTimeout * 13 / 10

// startBlip calls heard with the id of each message that it has taken. unheard says that what its
// person sends is in the conversation only.
func startBlip(seed uint64, heard func(id string) (unheard bool)) (*blip, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	// Whoever asks what became of some messages learns that they were accepted and no more: the
	// webhook brings the rest (people.go).
	known := map[string]blipsim.Behaviour{}
	for _, end := range []string{"50", "05", "06", "07", "08"} {
		known[end] = blipsim.Behaviour{StopAfter: blipsim.Accepted}
	}
	b := &blip{
		sim: blipsim.New(blipsim.Options{Seed: seed, KeepMessages: -1, Scripts: known}),
		// Those that are asked for press the first button.
		conversations: blipsim.New(blipsim.Options{Seed: seed, AnswerAfter: -1, Scripts: map[string]blipsim.Behaviour{"": {Answer: blipsim.Answer{Act: blipsim.PressButton}}}}),
		addr:          l.Addr().String(), seed: seed, sure: map[string]harm{}, seen: map[uuid.UUID]sight{}, heard: heard,
	}
	for h := none + 1; h < kindsOfHarm; h++ {
		b.sure[string(idOf(sureRow+int(h-none-1), 1))] = h
	}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(l)
	return b, nil
}

func (b *blip) close() error {
	b.sim.Close()
	b.conversations.Close()
	return b.server.Close()
}

func (b *blip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/messages" {
		b.command(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // it did not arrive whole: Blip cannot take it
	}
	var envelope struct{ ID string }
	if err := json.Unmarshal(body, &envelope); err != nil {
		panic(http.ErrAbortHandler)
	}
	id := uuid.MustParse(envelope.ID)
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

	status := b.take(b.sim, r, body)
	if status == http.StatusAccepted {
		b.accepted.Add(1)
		if b.heard(envelope.ID) {
			b.take(b.conversations, r, body)
		}
	}
	b.note(id, taken, 0)
	if b.pass(r, taken) {
		panic(http.ErrAbortHandler) // its process is gone: nobody gets the answer
	}
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

// command answers a command. One that asks for a conversation goes where there are some.
func (b *blip) command(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.Contains(body, []byte(`"/threads/`)) {
		b.conversations.ServeHTTP(w, r)
		return
	}
	b.sim.ServeHTTP(w, r)
}

// take gives the message to a simulator, even if the client no longer waits for the
// answer, and returns the status.
func (b *blip) take(sim *blipsim.Server, r *http.Request, body []byte) int {
	r = r.WithContext(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	a := answer{header: http.Header{}}
	sim.ServeHTTP(&a, r)
	return a.status
}

// answer keeps the simulator's status: whether the client gets it is decided later.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }

func (b *blip) draw(id string, posts int) harm {
	if h, ok := b.sure[id]; ok && posts == 1 {
		return h
	}
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

func (b *blip) note(id uuid.UUID, s stage, more uint8) (posts int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.seen[id]
	g.posts += more
	g.stage = s
	b.seen[id] = g
	return int(g.posts)
}

// sightOf returns what Blip has seen of an id.
func (b *blip) sightOf(id string) sight {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[uuid.MustParse(id)]
}

// pass tells the watch that a POST has reached its stage, once, and reports whether it did.
func (b *blip) pass(r *http.Request, s stage) bool {
	w := b.watch.Load()
	if w == nil || w.stage != s || !strings.HasSuffix(r.Header.Get("Authorization"), w.key) || !b.watch.CompareAndSwap(w, nil) {
		return false
	}
	w.act()
	return true
}
