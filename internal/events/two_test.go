package events

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pombo"
	"pombo/internal/leader"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

var postgres postgrestest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	_ = postgres.Close()
	os.Exit(code)
}

const sharedSource = "notificacao"

var sharedRows = nightly.Or(120, 40)

// TestSender_TwoOnOneLedger: of two processes on one ledger each writes events and each sends. Every
// event arrives, under one id, and those of a row in the order in which they happened:
// while one leads and ends in the middle of it, and even when both believe that they lead, as
// after a freeze. The receiver refuses some of them at first.
func TestSender_TwoOnOneLedger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		leadership func(*ledger.DB) leader.Ledger
		kill       bool // the first one ends when a third has arrived
	}{
		"one leads and ends":          {func(db *ledger.DB) leader.Ledger { return db.Leases }, true},
		"both believe that they lead": {func(*ledger.DB) leader.Ledger { return fakeLeadership{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.kill {
				nightly.Only(t) // by day TestSender_FollowsTheLeader shows that one takes over
			}
			url := postgres.Copy(t, "migrated", func(ctx context.Context, url string) error {
				_, _, err := ledger.Migrate(ctx, url)
				return err
			})
			r := &strictReceiver{t: t, first: map[string][]string{}, ids: map[string]int{}, enough: make(chan struct{})}
			server := httptest.NewServer(r)
			t.Cleanup(server.Close)
			var both [2]*process
			for i := range both {
				both[i] = startProcess(t, url, fmt.Sprint("process-", i+1), server.URL, test.leadership)
			}
			var work sync.WaitGroup
			for i, p := range both {
				work.Go(func() { p.live(t, both[1-i], i) })
			}
			if test.kill {
				select {
				case <-r.enough:
				case <-time.After(time.Minute):
					t.Error("no third of the events arrives")
				}
				leads, other := both[0], both[1]
				if other.sent() > leads.sent() {
					leads, other = other, leads
				}
				before := other.sent()
				leads.stop()
				defer func() {
					if other.sent() == before {
						t.Error("nobody has taken over")
					}
				}()
			}
			work.Wait()
			r.complete(t, both[0].db)
			if !test.kill && (both[0].sent() == 0 || both[1].sent() == 0) {
				t.Errorf("the two have sent %d and %d events, want some of each", both[0].sent(), both[1].sent())
			}
		})
	}
}

// process is what one of them has of its own.
type process struct {
	db   *ledger.DB
	name string
	out  *countingOutbox
	stop func() // the sender: its calls are cut off
}

// countingOutbox counts what a sender has had acknowledged.
type countingOutbox struct {
	Outbox
	mu    sync.Mutex
	acked int
}

func (o *countingOutbox) Acknowledge(ctx context.Context, e pombo.OutboxEvent, answer string) error {
	o.mu.Lock()
	o.acked++
	o.mu.Unlock()
	return o.Outbox.Acknowledge(ctx, e, answer)
}

func (p *process) sent() int {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	return p.out.acked
}

func startProcess(t *testing.T, url, name, receiver string, leadership func(*ledger.DB) leader.Ledger) *process {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{URL: url, Source: sharedSource, Pending: "1", Events: true, Codes: map[pombo.State]string{pombo.Accepted: "2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	client, err := NewClient(receiver, []pombo.Private{secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	p := &process{db: db, name: name, out: &countingOutbox{Outbox: db.Outbox}}
	s, err := New(Options{
		Outbox: p.out, Client: client, Leadership: leader.Of(leadership(db), Job, name, slog.New(slog.DiscardHandler)), Logger: slog.New(slog.DiscardHandler),
		Alerts: func(context.Context) ([]pombo.ActiveAlert, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	p.stop = func() { cancel(); <-ended }
	t.Cleanup(p.stop)
	return p
}

// live takes half of the rows through their life, the receipts by the other process.
func (p *process) live(t *testing.T, other *process, half int) {
	ctx := t.Context()
	var rows []pombo.Row
	for i := half; i < sharedRows; i += 2 {
		row := pombo.Row{RowKey: strconv.Itoa(i), Recipient: pombo.Private(fmt.Sprintf("(31) 98888-%04d", i))}
		row.ParsePhone()
		rows = append(rows, row)
	}
	if _, _, err := p.db.Intake.Enqueue(ctx, sharedSource, 0, rows); err != nil {
		t.Error(err)
		return
	}
	for done := 0; done < len(rows); {
		claimed, err := p.db.Queue.Claim(ctx, p.name, min(8, len(rows)-done))
		if err != nil {
			t.Error(err)
			return
		}
		done += len(claimed)
		for _, n := range claimed {
			attempt, err := p.db.Queue.Begin(ctx, n, "")
			if err == nil {
				err = p.db.Queue.Finish(ctx, pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: p.name, Attempt: attempt, To: pombo.Accepted})
			}
			for i, s := range []pombo.State{pombo.Delivered, pombo.Read} {
				if err == nil {
					_, err = []*process{other, p}[i].db.Receipts.Apply(ctx, []pombo.Receipt{{MessageID: n.MessageID, State: s, At: time.Now()}})
				}
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// strictReceiver is slow, and refuses the second event of every tenth row at first.
type strictReceiver struct {
	t      *testing.T
	enough chan struct{} // closed when a third has arrived

	mu    sync.Mutex
	first map[string][]string // by row, in the order of their first arrival
	ids   map[string]int      // how often each was posted
	all   int
}

func (r *strictReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	text, err := io.ReadAll(req.Body)
	verifier, _ := standardwebhooks.NewWebhook(secret)
	var e struct {
		Type string
		Data struct{ Row string }
	}
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest) // the caller was cut off
		return
	}
	if err := verifier.Verify(text, req.Header); err != nil {
		r.t.Error(err)
	}
	id := req.Header.Get("Webhook-Id")
	h := fnv.New32a()
	_, _ = io.WriteString(h, id)
	chance := h.Sum32()
	slow := time.NewTimer(time.Duration(chance%20) * time.Millisecond)
	defer slow.Stop()
	select {
	case <-slow.C:
	case <-req.Context().Done(): // it never saw it through
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[id]++; r.ids[id] == 1 && chance%10 == 0 && e.Type == string(pombo.EventDelivered) {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	key := e.Data.Row
	if !slices.Contains(r.first[key], e.Type) {
		r.first[key] = append(r.first[key], e.Type)
		if r.all++; r.all == sharedRows {
			close(r.enough)
		}
	}
}

// complete waits until nothing is open, and checks what has arrived.
func (r *strictReceiver) complete(t *testing.T, db *ledger.DB) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := db.Outbox.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b == (pombo.OutboxBacklog{}) {
			break
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("open after two minutes: %+v", b)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	want := []string{"notification.accepted", "notification.delivered", "notification.read"}
	for i := range sharedRows {
		if got := r.first[strconv.Itoa(i)]; !slices.Equal(got, want) {
			t.Errorf("row %d: %v, want %v", i, got, want)
		}
	}
	posts := 0
	for _, n := range r.ids {
		posts += n
	}
	if len(r.ids) != 3*sharedRows {
		t.Errorf("%d ids for %d events", len(r.ids), 3*sharedRows)
	}
	t.Logf("%d events in %d posts", len(r.ids), posts)
}
