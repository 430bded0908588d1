//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pombo"
)

// eventsSecret signs the events.
const eventsSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is the company's system that wants the events. It keeps what it has taken, in the
// order of the first arrival; not every POST gets a good answer.
type receiver struct {
	server   *http.Server
	addr     string
	seed     uint64
	verifier *standardwebhooks.Webhook

	calm   atomic.Bool
	sender atomic.Pointer[string] // the name of the process that sends, as its address has it
	over   chan struct{}          // closed when it is calm: what hangs ends
	harm   [kindsOfTrouble]atomic.Int64
	watch  atomic.Pointer[watch]

	mu     sync.Mutex
	tries  map[string]int               // by the id of an event
	taken  map[string][sha256.Size]byte // the bodies, by id
	told   map[string][]told            // what was taken of each row
	other  map[pombo.EventType]int      // what was taken of other things
	again  int                          // taken before
	broken []complaint
}

// told is an event about a notification.
type told struct {
	id         string
	generation int
	kind       pombo.EventType
	reply      int64 // its number; 0 = it is about no reply
	counts     bool
}

// trouble is what can go wrong with an event.
type trouble int

const (
	noTrouble trouble = iota
	failing           // 500, not taken
	hanging           // no answer before the sender gives up, not taken
	forgetful         // taken, closed without an answer
	slowly            // taken, answered late
	kindsOfTrouble
)

var troubleNames = [kindsOfTrouble]string{
	failing: "event: 500, not taken", hanging: "event: no answer, not taken", forgetful: "event: answer cut, taken", slowly: "event: slow answer",
}

// troublePerMillion is how many of a million events each trouble hits, the first time that they
// come: an event waits half a minute after a second failure, and then ever longer.
var troublePerMillion = [kindsOfTrouble]uint64{failing: 10_000, hanging: 1000, forgetful: 10_000, slowly: 10_000}

// sureTroubles are what the first events meet: no run is without any of them.
var sureTroubles = []trouble{failing, forgetful, slowly}

func startReceiver(seed uint64) (*receiver, error) {
	verifier, err := standardwebhooks.NewWebhook(eventsSecret)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{
		addr: l.Addr().String(), seed: seed, verifier: verifier, over: make(chan struct{}),
		tries: map[string]int{}, taken: map[string][sha256.Size]byte{}, told: map[string][]told{}, other: map[pombo.EventType]int{},
	}
	r.server = &http.Server{Handler: r}
	go r.server.Serve(l)
	return r, nil
}

// relent has every event get a good answer from now on.
func (r *receiver) relent() {
	r.calm.Store(true)
	close(r.over)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // it did not arrive whole
	}
	id := req.Header.Get(standardwebhooks.HeaderWebhookID)
	if err := r.verifier.Verify(body, req.Header); err != nil {
		r.complain("", fmt.Sprintf("event %s: %v", id, err))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name := strings.TrimPrefix(req.URL.Path, "/")
	r.sender.Store(&name)
	t := r.draw(id)
	r.harm[t].Add(1)
	switch t {
	case failing:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case hanging:
		select {
		case <-req.Context().Done():
		case <-r.over:
		}
		panic(http.ErrAbortHandler)
	case slowly:
		time.Sleep(300 * time.Millisecond)
	}
	r.take(id, body)
	if wa := r.watch.Load(); wa != nil && wa.key == name && r.watch.CompareAndSwap(wa, nil) {
		wa.act()
		panic(http.ErrAbortHandler) // its process is gone: nobody gets the answer
	}
	if t == forgetful {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) draw(id string) trouble {
	r.mu.Lock()
	r.tries[id]++
	first, sure := r.tries[id] == 1, noTrouble
	if first && len(r.tries) <= len(sureTroubles) {
		sure = sureTroubles[len(r.tries)-1]
	}
	r.mu.Unlock()
	if sure != noTrouble {
		return sure
	}
	if r.calm.Load() || !first {
		return noTrouble
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	u := mix(h.Sum64()^r.seed) % 1_000_000
	for kind, rate := range troublePerMillion {
		if u < rate {
			return trouble(kind)
		}
		u -= rate
	}
	return noTrouble
}

// body is an event as docs/events.md describes it; anything more would be a secret let out.
type body struct {
	Type      pombo.EventType `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      struct {
		ID               pombo.MessageID `json:"id"`
		Source           string          `json:"source"`
		Row              string          `json:"row"`
		Generation       int             `json:"generation"`
		Template         string          `json:"template"`
		State            pombo.State     `json:"state"`
		Reason           pombo.Reason    `json:"reason"`
		Attempt          int             `json:"attempt"`
		Reply            int64           `json:"reply"`
		Kind             pombo.ReplyKind `json:"kind"`
		Code             string          `json:"code"`
		Counts           bool            `json:"counts"`
		OptOut           bool            `json:"opt_out"`
		Language         string          `json:"language"`
		Changes          []string        `json:"changes"`
		Status           string          `json:"status"`
		Category         string          `json:"category"`
		PreviousStatus   string          `json:"previous_status"`
		PreviousCategory string          `json:"previous_category"`
		Alert            string          `json:"alert"`
		Message          string          `json:"message"`
		Hint             string          `json:"hint"`
		Count            int             `json:"count"`
	} `json:"data"`
}

// take keeps an event.
func (r *receiver) take(id string, text []byte) {
	var b body
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		r.complain("", fmt.Sprintf("event %s is not as described: %v: %s", id, err, text))
	}
	if word := personal(text, b.Data.Row); word != "" {
		r.complain(b.Data.Row, fmt.Sprintf("event %s says something of a person: %s", id, word))
	}
	sum := sha256.Sum256(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, known := r.taken[id]; known {
		r.again++
		if before != sum {
			r.broken = append(r.broken, complaint{eventsArrive, b.Data.Row, "event " + id + " does not say the same when it comes again"})
		}
		return
	}
	r.taken[id] = sum
	if b.Data.Row == "" {
		r.other[b.Type]++
		return
	}
	if want := (pombo.Key{Source: b.Data.Source, RowKey: b.Data.Row, Generation: b.Data.Generation}).MessageID(); b.Data.ID != want {
		r.broken = append(r.broken, complaint{eventsArrive, b.Data.Row, "event " + id + " has the id of another message"})
	}
	r.told[b.Data.Row] = append(r.told[b.Data.Row], told{id, b.Data.Generation, b.Type, b.Data.Reply, b.Data.Counts})
}

// personal returns what an event says of the person of a row; "" is nothing.
func personal(text []byte, row string) string {
	words := []string{contact, message, pressed, written, quoted, thanked, left, "msging.net"}
	if n, err := strconv.Atoi(row); err == nil {
		words = append(words, strconv.Itoa(number(n)))
	}
	for _, word := range words {
		if bytes.Contains(text, []byte(word)) {
			return word
		}
	}
	return ""
}

func (r *receiver) complain(row, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, complaint{eventsTell, row, what})
}

// has reports whether an event was taken.
func (r *receiver) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.taken[id]
	return ok
}
