package blipsim

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestServer_RateLimit(t *testing.T) {
	s, clock := newServer(t, Options{MessagesPerSecond: 3, CommandsPerSecond: 100, RetryAfter: true})
	post := func() int { return status(t, s, "/messages", message("x", maria)) }
	for i := range 3 {
		if got := post(); got != 202 {
			t.Fatalf("message %d: status = %d, want 202", i, got)
		}
	}
	clock.pass(time.Second / 3) // one token
	if got := post(); got != 202 {
		t.Fatalf("after a third of a second: status = %d, want 202", got)
	}
	w, _ := send(t, s, "/messages", message("x", maria))
	if w.Code != 429 || w.Header().Get("Retry-After") != "120" {
		t.Errorf("fifth: status %d, Retry-After %q, want 429 and 120", w.Code, w.Header().Get("Retry-After"))
	}
	if got := status(t, s, "/commands", get("get", "/ping")); got != 429 {
		t.Errorf("command during the lock-out: status = %d, want 429", got)
	}
	other := request("/messages", message("x", maria))
	other.Header.Set("Authorization", "Key another")
	if w, _ := do(t, s, other); w.Code != 202 {
		t.Errorf("another bot: status = %d, want 202", w.Code)
	}
	clock.pass(2*time.Minute - time.Millisecond)
	if got := post(); got != 429 {
		t.Errorf("just before the end: status = %d, want 429", got)
	}
	clock.pass(time.Millisecond)
	if got := post(); got != 202 {
		t.Errorf("after the lock-out: status = %d, want 202", got)
	}
	if got := s.Counts().Throttled; got != 3 {
		t.Errorf("throttled = %d, want 3", got)
	}
}

func TestServer_AllowsTheWholeRate(t *testing.T) {
	s, clock := newServer(t, Options{MessagesPerSecond: 50})
	for i := range 500 { // ten seconds at exactly the limit
		if got := status(t, s, "/messages", message(messageID(i), fmt.Sprintf("55119%08d@wa.gw.msging.net", i))); got != 202 {
			t.Fatalf("message %d: status = %d, want 202", i, got)
		}
		clock.pass(time.Second / 50)
	}
}

func TestServer_PairRate(t *testing.T) {
	s, clock := newServer(t, Options{ReadRate: -1})
	for i := range 46 {
		status(t, s, "/messages", message(messageID(i), maria))
	}
	status(t, s, "/messages", message(messageID(100), "5511900000002@wa.gw.msging.net"))
	clock.pass(6 * time.Second)
	status(t, s, "/messages", message(messageID(101), maria))
	clock.pass(time.Minute)
	for n, want := range map[int]string{
		44: "accepted, dispatched, received", 45: "accepted, failed 131056",
		100: "accepted, dispatched, received", 101: "accepted, dispatched, received",
	} {
		if got := events(s, messageID(n)); got != want {
			t.Errorf("message %d: events = %s, want %s", n, got, want)
		}
	}
}

// TestPairShard compares the two maps of the window with a plain list of times.
func TestPairShard(t *testing.T) {
	var p pairShard
	p.clear()
	times := map[uint64][]int64{}
	now := start
	for i := range 20_000 {
		roll := mix(uint64(i))
		now = now.Add(time.Duration(roll%100) * time.Millisecond)
		to := roll >> 32 % 3
		times[to] = slices.DeleteFunc(times[to], func(at int64) bool { return now.Unix()-at >= pairWindow })
		recent := len(times[to])
		want := recent < pairBurst
		if got := p.take(to, now); got != want {
			t.Fatalf("message %d to %d: taken = %v, want %v (%d in the window)", i, to, got, want, recent)
		}
		if want {
			times[to] = append(times[to], now.Unix())
		}
	}
}
