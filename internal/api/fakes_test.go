package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"go.uber.org/goleak"

	"pombo"
	"pombo/internal/health"
	"pombo/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is planted as personal data and must not come out.
const (
	plantedPhone = "+5531988880042"
	plantedName  = "Maria das Dores"
	token        = "s3cret-of-the-api"
)

var today = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// testID is the id of the one notification in the ledger.
var testID = pombo.Key{Source: "table", RowKey: "42", Generation: 1}.MessageID()

func testNotification(t testing.TB) pombo.Notification {
	t.Helper()
	n, err := phone.FromE164(plantedPhone)
	if err != nil {
		t.Fatal(err)
	}
	return pombo.Notification{
		Seq: 1, MessageID: testID, Key: pombo.Key{Source: "table", RowKey: "42", Generation: 1},
		Recipient: plantedPhone, Phone: n, Params: []pombo.Param{{Slot: pombo.Body, Value: plantedName}},
		Template: "aviso", Priority: 3, Run: 7, State: pombo.Failed, Reason: pombo.NotOnWhatsApp, Detail: "code 1013",
		Attempt: 2, Identity: "5531988880042@wa.gw.msging.net", Created: today.In(time.FixedZone("", -3*3600)),
		Begun: today.Add(time.Second), Updated: today.Add(2 * time.Second), Settled: "2",
	}
}

// fakeLedger is a ledger of one notification.
type fakeLedger struct {
	mu     sync.Mutex
	err    error // every call fails with it, when set
	n      pombo.Notification
	run    pombo.Run
	pause  *pombo.Pause
	filter pombo.Filter     // of the last List
	asked  pombo.ReplyQuery // of the last Replies
	// unreadable is what the list leaves out.
	unreadable int
	out        []pombo.OptOut

	compared *pombo.Reconciliation
}

func (m *fakeLedger) Run(_ context.Context, id int64) (pombo.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil && id != m.run.ID {
		return pombo.Run{}, pombo.ErrNotFound
	}
	return m.run, m.err
}

func (m *fakeLedger) Runs(context.Context, int) ([]pombo.Run, error) {
	return []pombo.Run{m.run}, m.err
}

func (m *fakeLedger) Notification(_ context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error) {
	if m.err == nil && id != m.n.MessageID {
		return pombo.Notification{}, nil, pombo.ErrNotFound
	}
	return m.n, []pombo.Event{
		{At: today, State: pombo.Queued},
		{At: today.Add(time.Second), State: pombo.Failed, Attempt: 1, Reason: pombo.NotOnWhatsApp, Detail: "code 1013"},
	}, m.err
}

func (m *fakeLedger) List(_ context.Context, f pombo.Filter) (pombo.Page, error) {
	m.filter = f
	return pombo.Page{Notifications: []pombo.Notification{m.n}, Next: "c2", LookedTo: today, Unreadable: m.unreadable}, m.err
}

func (m *fakeLedger) Retry(_ context.Context, id pombo.MessageID) error {
	return m.move(id, pombo.Queued)
}

func (m *fakeLedger) Cancel(_ context.Context, id pombo.MessageID) error {
	return m.move(id, pombo.Cancelled)
}

func (m *fakeLedger) move(id pombo.MessageID, to pombo.State) error {
	switch {
	case m.err != nil:
		return m.err
	case id != m.n.MessageID:
		return pombo.ErrNotFound
	case !m.n.State.CanBecome(to):
		return pombo.ErrMove
	}
	m.n.State = to
	return nil
}

func (m *fakeLedger) Pause(_ context.Context, p pombo.Pause) error {
	m.pause = &p
	return m.err
}

func (m *fakeLedger) ReleaseResends(context.Context) (int, error) { return 3, m.err }
func (m *fakeLedger) SettleResends(context.Context) (int, error)  { return 4, m.err }

func (m *fakeLedger) Resume(context.Context) error {
	m.pause = nil
	return m.err
}

func (m *fakeLedger) Paused(context.Context) (pombo.Pause, bool, error) {
	if m.pause == nil {
		return pombo.Pause{}, false, m.err
	}
	return *m.pause, true, m.err
}

func (m *fakeLedger) OptOut(_ context.Context, o pombo.OptOut) error {
	if m.err == nil {
		m.out = append(m.out, o)
	}
	return m.err
}

func (m *fakeLedger) OptIn(_ context.Context, n phone.Number) (bool, error) {
	before := len(m.out)
	m.out = slices.DeleteFunc(m.out, func(o pombo.OptOut) bool { return o.Phone == n })
	return len(m.out) < before, m.err
}

func (m *fakeLedger) OptOuts(_ context.Context, after string, limit int) ([]pombo.OptOut, string, error) {
	if after != "" {
		return nil, "", m.err
	}
	return m.out[:min(limit, len(m.out))], "c2", m.err
}

func (m *fakeLedger) Health(ctx context.Context) (health.Snapshot, error) {
	p, paused, _ := m.Paused(ctx)
	return health.Snapshot{
		Now: today.Add(12 * time.Minute), Pause: p, Paused: paused,
		Backlog:  pombo.Backlog{States: map[pombo.State]int{pombo.Queued: 3}, Due: 1, Oldest: today, Ready: 2, ReadySince: today, Later: map[pombo.WaitReason]int{pombo.WaitRetry: 1}},
		Progress: health.Progress{Started: today.Add(-time.Hour), IdleLimit: time.Hour},
	}, m.err
}

func (m *fakeLedger) Forget(_ context.Context, n phone.Number, really bool) (f pombo.Forgotten, err error) {
	if n == m.n.Phone {
		f.Found = 1
		if really {
			f.Erased = 1
		}
	}
	return f, m.err
}

func (m *fakeLedger) LastReconciliation(context.Context) (pombo.Reconciliation, error) {
	if m.err == nil && m.compared == nil {
		return pombo.Reconciliation{}, pombo.ErrNotFound
	}
	if m.err != nil {
		return pombo.Reconciliation{}, m.err
	}
	return *m.compared, nil
}

// reconcile finds that the one notification has no trace at Blip.
func (m *fakeLedger) reconcile(context.Context) (pombo.Reconciliation, error) {
	m.compared = &pombo.Reconciliation{
		Started: today, Finished: today.Add(time.Second), Compared: 3, Doubtful: 2, Asked: 1, Unasked: "no more",
		Counts:        map[pombo.DiscrepancyKind]int{pombo.UnknownAtBlip: 1},
		Discrepancies: []pombo.Discrepancy{{Kind: pombo.UnknownAtBlip, MessageID: m.n.MessageID, Key: m.n.Key}},
	}
	return *m.compared, m.err
}

// passes runs the one run of the ledger.
type fakeRuns struct {
	ledger *fakeLedger
	err    error
	end    chan struct{} // closed: the run ends
	waits  chan struct{} // gets one for each wait begun
}

func (p *fakeRuns) StartRun(ctx context.Context) (pombo.Run, bool, error) {
	if ctx.Done() != nil {
		panic("the start of a run can be cancelled")
	}
	r, err := p.ledger.Run(ctx, p.ledger.run.ID)
	if p.err != nil {
		err = p.err
	}
	return r, false, err
}

func (p *fakeRuns) WaitRun(ctx context.Context, id int64) (pombo.Run, error) {
	p.waits <- struct{}{}
	select {
	case <-p.end:
		p.ledger.mu.Lock()
		defer p.ledger.mu.Unlock()
		p.ledger.run.Finished = p.ledger.run.Started.Add(1500 * time.Millisecond)
		return p.ledger.run, nil
	case <-ctx.Done():
		return pombo.Run{}, ctx.Err()
	}
}

// heldTemplates has the hold of one template.
type fakeHolds struct{ hold *pombo.TemplateHold }

func (h *fakeHolds) Hold(_ context.Context, hold pombo.TemplateHold) error {
	hold.At = today
	h.hold = &hold
	return nil
}

func (h *fakeHolds) Release(_ context.Context, name string) (bool, error) {
	held := h.hold != nil && h.hold.Template == name
	h.hold = nil
	return held, nil
}

func (h *fakeHolds) HeldTemplates(context.Context) ([]pombo.TemplateHold, error) {
	if h.hold == nil {
		return nil, nil
	}
	return []pombo.TemplateHold{*h.hold}, nil
}

func (h *fakeHolds) TemplateReach(_ context.Context, _ string, until time.Time) (pombo.TemplateReach, error) {
	r := pombo.TemplateReach{Waiting: 312, Arrived: 240, Within: 24 * time.Hour, Expiring: 40}
	if until.IsZero() {
		r.Expiring, r.Partial = 312, true
	}
	return r, nil
}

// fixture is a server with all that is round it.
type fixture struct {
	t      testing.TB
	server *Server
	ledger *fakeLedger
	runs   *fakeRuns
	log    *syncBuffer
	checks map[string]error
	added  map[string]pombo.Row
	blip   error // of Templates
	stops  atomic.Int32
	doc    *openapi3.T
}

// document is openapi.yaml, which is read once: that takes longer than most of the tests.
var document = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(openAPI) })

func newFixture(t testing.TB, change ...func(*Options)) *fixture {
	t.Helper()
	w := &fixture{t: t, log: &syncBuffer{}, checks: map[string]error{}, added: map[string]pombo.Row{}}
	w.ledger = &fakeLedger{n: testNotification(t), run: pombo.Run{ID: 7, Started: today.Add(-time.Minute), Tally: pombo.Tally{Found: 5, Waiting: 1, Accepted: 2, Failed: 1, Retrying: 1}}}
	w.runs = &fakeRuns{ledger: w.ledger, end: make(chan struct{}), waits: make(chan struct{}, 10)}
	check := func(name string) Check {
		return Check{Name: name, Run: func(context.Context) error { return w.checks[name] }}
	}
	o := Options{
		Runs: w.runs, Ledger: w.ledger, Add: w.add,
		Holds: &fakeHolds{}, Events: fakeOutbox{}, Reconcile: w.ledger.reconcile,
		Templates: func(context.Context) ([]pombo.Template, error) {
			return []pombo.Template{{Name: "aviso", Language: "pt_BR", Status: "APPROVED", Category: "UTILITY", Body: "Olá, {{1}}", Buttons: []pombo.Button{{Kind: "URL", Text: "Ver", URL: "https://x.example/{{1}}"}}, Updated: today}}, w.blip
		},
		Stop:    func() { w.stops.Add(1) },
		Checks:  []Check{check("source"), check("ledger"), check("blip")},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
		Token:   token,
		Logger:  slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:     func() time.Time { return today },
		Version: "1.2.3",
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if w.server, err = New(o); err != nil {
		t.Fatalf("new server: %v", err)
	}
	t.Cleanup(func() {
		if err := w.server.Close(context.Background()); err != nil {
			t.Errorf("close server: %v", err)
		}
		w.checkClean("log", w.log.String())
	})
	if w.doc, err = document(); err != nil {
		t.Fatalf("load openapi.yaml: %v", err)
	}
	return w
}

func (w *fixture) add(_ context.Context, row pombo.Row) (pombo.Notification, bool, error) {
	n := w.ledger.n
	old, known := w.added[row.RowKey]
	if !known {
		w.added[row.RowKey], old = row, row
	}
	n.Key.Source, n.Key.RowKey = "api", row.RowKey
	n.Phone, n.Params, n.Template = old.Phone, old.Params, old.Template
	n.Priority, n.SendAfter, n.Expires = old.Priority, kept(old.SendAfter), kept(old.Expires)
	n.State, n.Reason, n.Run = pombo.Queued, "", 0
	return n, !known, nil
}

// kept is a time as a ledger keeps it.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.UnixMilli(t.UnixMilli())
}

func (w *fixture) checkClean(what, s string) {
	w.t.Helper()
	for _, secret := range []string{plantedPhone, plantedPhone[1:], plantedPhone[5:], plantedName, "Dores", token} {
		if strings.Contains(s, secret) {
			w.t.Errorf("%s has %q in clear: %s", what, secret, s)
		}
	}
}

// ask sends a request with the token, holds the answer against openapi.yaml and
// returns it. body is JSON when it is not empty.
func (w *fixture) ask(method, target, body string, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	return w.send(r)
}

func (w *fixture) send(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	w.checkClean("answer", rec.Body.String())
	w.checkAnswer(r, rec.Result(), rec.Body.Bytes())
	return rec
}

// checkAnswer holds an answer against openapi.yaml.
func (w *fixture) checkAnswer(r *http.Request, answer *http.Response, body []byte) {
	w.t.Helper()
	_, pattern := w.server.mux.Handler(r)
	rt, ok := w.server.routes[pattern]
	if !ok {
		rt = route{method: "GET", path: "/healthz"} // for its default answer: a problem
	}
	path := strings.TrimSuffix(rt.path, "{$}")
	item := w.doc.Paths.Value(path)
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r,
			Route:   &routers.Route{Spec: w.doc, Path: path, PathItem: item, Method: rt.method, Operation: item.GetOperation(rt.method)},
		},
		Status:  answer.StatusCode,
		Header:  answer.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		w.t.Errorf("answer to %s %s is not as openapi.yaml says: %v\n%d %s", rt.method, path, err, answer.StatusCode, body)
	}
}

func decode[T any](t *testing.T, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("decode answer: %v: %s", err, rec.Body)
	}
	return v
}

func checkStatus(t *testing.T, rec *httptest.ResponseRecorder, want int) {
	t.Helper()
	if rec.Code != want {
		t.Fatalf("status = %d, want %d: %s", rec.Code, want, rec.Body)
	}
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// outbox has one event of each kind.
type fakeOutbox struct{}

func (fakeOutbox) List(context.Context, pombo.EventFilter) (pombo.EventPage, error) {
	return pombo.EventPage{Next: "2", Events: []pombo.OutboxEvent{
		{Number: 1, Type: pombo.EventRead, Stream: "row:a:1", At: today, Key: pombo.Key{Source: "a", RowKey: "1", Generation: 1}, Template: "aviso", State: pombo.Read, Tries: 3, Answer: "500", GivenUp: today},
		{Number: 2, Type: pombo.EventAlertRaised, Stream: "alert:template", At: today, Due: today, Extra: []byte("{}")},
	}}, nil
}

func (fakeOutbox) Replay(context.Context, time.Time) (int, error) { return 2, nil }
