package events

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pombo"
	"pombo/internal/leader"
	"pombo/test/nightly"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newer  = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

// fakeOutbox is an outbox in memory.
type fakeOutbox struct {
	mu     sync.Mutex
	events []*pombo.OutboxEvent
	alerts []pombo.ActiveAlert

	retired       [][2]time.Duration // with which ages
	onAcknowledge func(context.Context) error
	onRead        func() // after an answer was read out, before it is given
}

func (o *fakeOutbox) add(stream int, t pombo.EventType) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := pombo.Key{Source: "notificacao", RowKey: strconv.Itoa(stream), Generation: 1}
	o.events = append(o.events, &pombo.OutboxEvent{
		Number: int64(len(o.events) + 1), Type: t, Stream: "row:" + key.RowKey, At: time.Now(), Due: time.Now(), Key: key, Template: "aviso", State: pombo.Accepted, Attempt: 1,
	})
}

func (o *fakeOutbox) DueEvents(_ context.Context, limit int) (list []pombo.OutboxEvent, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	blocked := map[string]bool{}
	for _, e := range o.events {
		if e.Acknowledged.IsZero() && !blocked[e.Stream] {
			blocked[e.Stream] = true
			if e.GivenUp.IsZero() && !e.Due.After(time.Now()) && len(list) < limit {
				list = append(list, *e)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b pombo.OutboxEvent) int { return a.Due.Compare(b.Due) })
	if o.onRead != nil {
		o.mu.Unlock()
		o.onRead()
		o.mu.Lock()
	}
	return list, nil
}

func (o *fakeOutbox) change(number int64, change func(*pombo.OutboxEvent)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.events[number-1]
	e.Tries++
	if e.Tried.IsZero() {
		e.Tried = time.Now()
	}
	change(e)
	return nil
}

func (o *fakeOutbox) Acknowledge(ctx context.Context, e pombo.OutboxEvent, _ string) error {
	if o.onAcknowledge != nil {
		if err := o.onAcknowledge(ctx); err != nil {
			return err
		}
	}
	return o.change(e.Number, func(e *pombo.OutboxEvent) { e.Acknowledged = time.Now() })
}

func (o *fakeOutbox) Postpone(_ context.Context, e pombo.OutboxEvent, answer string, again time.Time) error {
	return o.change(e.Number, func(e *pombo.OutboxEvent) { e.Due, e.Answer = again, answer })
}

func (o *fakeOutbox) GiveUp(_ context.Context, e pombo.OutboxEvent, answer string) error {
	return o.change(e.Number, func(e *pombo.OutboxEvent) { e.GivenUp, e.Answer = time.Now(), answer })
}

func (o *fakeOutbox) CompareAlerts(_ context.Context, active []pombo.ActiveAlert) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.alerts = active
	return nil
}

func (o *fakeOutbox) Retire(_ context.Context, age, givenUp time.Duration) (int, error) {
	o.retired = append(o.retired, [2]time.Duration{age, givenUp})
	return 0, nil
}

func (o *fakeOutbox) open() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e.Acknowledged.IsZero() {
			n++
		}
	}
	return n
}

type fakeLeadership struct{}

func (fakeLeadership) AcquireLeadership(context.Context, string, string, time.Duration) (bool, error) {
	return true, nil
}
func (fakeLeadership) ReleaseLeadership(context.Context, string, string) error { return nil }

// receiver plays the company's system and keeps what it has acknowledged.
type fakeReceiver struct {
	t      *testing.T
	answer func(call int, row string) (status int, header string) // status 0 = it hangs

	mu       sync.Mutex
	calls    int
	taken    map[string][]string // types by row
	ids      map[string]int
	attempts []time.Time
}

func (r *fakeReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	text, err := io.ReadAll(req.Body)
	verifier, _ := standardwebhooks.NewWebhook(secret)
	if err == nil {
		err = verifier.Verify(text, req.Header)
	}
	var e struct {
		Type string
		Data struct{ Row string }
	}
	if err := errors.Join(err, json.Unmarshal(text, &e)); err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	r.calls++
	r.attempts = append(r.attempts, time.Now())
	status, header := r.answer(r.calls, e.Data.Row)
	if status >= 200 && status < 300 {
		id := req.Header.Get("Webhook-Id")
		if r.ids[id]++; r.ids[id] == 1 {
			r.taken[e.Data.Row] = append(r.taken[e.Data.Row], e.Type)
		}
	}
	r.mu.Unlock()
	if status == 0 {
		<-req.Context().Done()
		return
	}
	if header != "" {
		w.Header().Set("Retry-After", header)
	}
	w.WriteHeader(status)
}

// pipes connects the client to the receiver in memory, so that time can be virtual.
func pipes(t *testing.T, c *Client, r *fakeReceiver, isAway func() bool) {
	t.Helper()
	r.t, r.taken, r.ids = t, map[string][]string{}, map[string]int{}
	line := &listener{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: r}
	go func() { _ = server.Serve(line) }()
	c.line.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if isAway != nil && isAway() {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		a, b := net.Pipe()
		select {
		case line.conns <- b:
			return a, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	t.Cleanup(func() { c.Close(); _ = server.Close() })
}

type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *listener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// retention is that of the tests' senders.
const retention = 90 * 24 * time.Hour

// run sends what is in the outbox for a while of virtual time.
func run(t *testing.T, o *fakeOutbox, r *fakeReceiver, isAway func() bool, d time.Duration) {
	t.Helper()
	runAs(t, fakeLeadership{}, o, r, isAway, d)
}

// runAs is run for one process of several.
func runAs(t *testing.T, l leader.Ledger, o *fakeOutbox, r *fakeReceiver, isAway func() bool, d time.Duration) {
	t.Helper()
	c, err := NewClient("http://127.0.0.1/events", []pombo.Private{newer, secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pipes(t, c, r, isAway)
	s, err := New(Options{
		Outbox: o, Client: c, Leadership: leader.Of(l, Job, "me", slog.New(slog.DiscardHandler)), Logger: slog.New(slog.DiscardHandler), Retention: retention,
		Alerts: func(context.Context) ([]pombo.ActiveAlert, error) {
			return []pombo.ActiveAlert{{Name: "template"}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	time.Sleep(d)
	stop()
	<-ended
	r.mu.Lock() // a handler whose call was cut off may not have ended
	defer r.mu.Unlock()
}

var steps = []pombo.EventType{pombo.EventAccepted, pombo.EventDelivered, pombo.EventRead}

func fill(o *fakeOutbox, rows int) {
	for _, step := range steps {
		for row := range rows {
			o.add(row, step)
		}
	}
}

func (r *fakeReceiver) complete(rows int) {
	r.t.Helper()
	want := []string{"notification.accepted", "notification.delivered", "notification.read"}
	for row := range rows {
		if got := r.taken[strconv.Itoa(row)]; !slices.Equal(got, want) {
			r.t.Errorf("row %d: %v, want %v", row, got, want)
		}
	}
}

func TestSender_ReceiverInTrouble(t *testing.T) {
	t.Parallel()
	const rows = 40
	ok := func(int, string) (int, string) { return 204, "" }
	for name, test := range map[string]struct {
		answer  func(call int, row string) (int, string)
		awayFor time.Duration
		within  time.Duration
		calls   int // at most
	}{
		"well":               {answer: ok, within: 10 * time.Second, calls: 3 * rows},
		"every third is 500": {answer: func(call int, _ string) (int, string) { return map[bool]int{true: 500, false: 200}[call%3 == 0], "" }, within: time.Hour, calls: 6 * rows},
		"the first ten hang": {answer: func(call int, _ string) (int, string) { return map[bool]int{true: 0, false: 200}[call <= 10], "" }, within: time.Hour, calls: 4 * rows},
		"away for an hour":   {answer: ok, awayFor: time.Hour, within: 2 * time.Hour, calls: 3 * rows},
		"away for a moment":  {answer: ok, awayFor: 2 * time.Second, within: 20 * time.Second, calls: 3 * rows},
		"redirects at first": {answer: func(call int, _ string) (int, string) { return map[bool]int{true: 302, false: 202}[call <= 4], "" }, within: time.Hour, calls: 4 * rows},
		"busy, and says so":  {answer: func(call int, _ string) (int, string) { return map[bool]int{true: 429, false: 202}[call <= 3], "600" }, within: time.Hour, calls: 4 * rows},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, r := &fakeOutbox{}, &fakeReceiver{answer: test.answer}
				fill(o, rows)
				begun := time.Now()
				run(t, o, r, func() bool { return time.Since(begun) < test.awayFor }, test.within)
				r.complete(rows)
				if n := o.open(); n != 0 || r.calls > test.calls {
					t.Errorf("%d events are open after %d calls, want none after at most %d", n, r.calls, test.calls)
				}
				if len(o.alerts) != 1 {
					t.Errorf("alerts compared: %v", o.alerts)
				}
			})
		})
	}
}

// One row that the receiver never takes holds up itself alone, and is given up after three days.
func TestSender_GivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, r := &fakeOutbox{}, &fakeReceiver{answer: func(_ int, row string) (int, string) { return map[bool]int{true: 400, false: 200}[row == "0"], "" }}
		fill(o, 3)
		ago := nightly.Or(0, 60*time.Hour) // by day it has been tried for so long
		if ago > 0 {
			o.events[0].Tried = time.Now().Add(-ago)
		}
		run(t, o, r, nil, 80*time.Hour-ago)
		e := *o.events[0]
		if e.GivenUp.IsZero() || e.Answer != "400" || e.Tries < 10 || e.Tries > 30 {
			t.Errorf("the event that is never taken: %+v", e)
		}
		if took := e.GivenUp.Sub(e.Tried); took < 72*time.Hour || took > 73*time.Hour {
			t.Errorf("given up after %v, want three days", took)
		}
		if o.open() != 3 || len(r.taken["1"]) != 3 || len(r.taken["2"]) != 3 || len(r.taken["0"]) != 0 {
			t.Errorf("%d open, taken %v", o.open(), r.taken)
		}
	})
}

// A receiver that wants no more is asked once an hour; one that is away, by one call at a time.
func TestSender_SparesTheReceiver(t *testing.T) {
	t.Parallel()
	hours := nightly.Or(24, 8)
	for name, test := range map[string]struct{ status, least, most int }{
		"gone":  {410, hours, 16 + hours},
		"error": {503, hours, 16 + hours*20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, r := &fakeOutbox{}, &fakeReceiver{answer: func(int, string) (int, string) { return test.status, "" }}
				fill(o, nightly.Or(500, 100))
				run(t, o, r, nil, time.Duration(hours)*time.Hour)
				if r.calls < test.least || r.calls > test.most {
					t.Errorf("%d calls in %d hours, want %d to %d", r.calls, hours, test.least, test.most)
				}
			})
		})
	}
}

// What was taken and could not be recorded is sent again under the same id.
func TestSender_Repeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, r := &fakeOutbox{}, &fakeReceiver{answer: func(int, string) (int, string) { return 200, "" }}
		fill(o, 2)
		run(t, o, r, nil, time.Minute)
		first := maps.Clone(r.ids)
		for _, e := range o.events {
			e.Acknowledged = time.Time{}
		}
		again := &fakeReceiver{answer: r.answer}
		run(t, o, again, nil, time.Minute)
		if len(first) != 6 || !maps.Equal(first, again.ids) {
			t.Errorf("ids %v, then %v", first, again.ids)
		}
		again.complete(2)
	})
}

func TestNewClient_Refuses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"http://erp.example.com/x": "https", "ftp://x": "URL", "::": "URL"} {
		if _, err := NewClient(address, []pombo.Private{secret}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %s", address, err, want)
		}
	}
	if _, err := NewClient("https://x", nil, nil); err == nil {
		t.Error("a client without a secret")
	}
	if _, err := NewClient("https://x", []pombo.Private{"whsec_*"}, nil); err == nil || strings.Contains(err.Error(), "*") {
		t.Errorf("a secret that is not base64: %v", err)
	}
}

func TestClient_Test(t *testing.T) {
	t.Parallel()
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		for _, s := range []string{secret, newer} {
			verifier, _ := standardwebhooks.NewWebhook(s)
			if err := verifier.Verify(text, r.Header); err != nil {
				t.Error(err)
			}
		}
		if !strings.Contains(string(text), "pombo.test") || r.Header.Get("User-Agent") != "pombo" {
			t.Errorf("body %s, headers %v", text, r.Header)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	c, err := NewClient(server.URL, []pombo.Private{secret, newer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Test(t.Context(), "evt_test", time.Now()); err != nil {
		t.Error(err)
	}
	status = http.StatusForbidden
	if err := c.Test(t.Context(), "evt_test", time.Now()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a test that is refused: %v", err)
	}
}
