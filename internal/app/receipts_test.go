package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/blipsim"
	"pombo/internal/ledger"
	"pombo/test/nightly"
)

// mixed is a Blip that reports messages as read, refused for good and refused for now, all at
// once and in the worst order.
func mixed() blipsim.Options {
	return blipsim.Options{
		Seed: 11, AcceptedAfter: -1, DispatchedAfter: -1, ReceivedAfter: -1, ConsumedAfter: -1, FailedAfter: -1,
		Scripts: map[string]blipsim.Behaviour{
			"01": {Reason: 131026}, "02": {Reason: 131050}, "03": {Reason: 132000}, // for good
			"04": {Reason: 131049}, "05": {Reason: 131056}, // for now
		},
		Faults: blipsim.Faults{Reorder: true, ForwardedIDs: 0.1, TunnelFrom: true, WrappedReasons: true},
	}
}

// passes reports whether the message is sent again after this failure.
func passes(code int, text string) bool {
	return code == 131049 || code == 131056 || strings.Contains(text, "131049") || strings.Contains(text, "131056")
}

func id(row int) pombo.MessageID {
	return pombo.Key{Source: "notificacao", RowKey: strconv.Itoa(row), Generation: 1}.MessageID()
}

// ends checks that every message has ended as Blip says, in the ledger and in the
// table.
func (w *fixture) ends(rows int) {
	w.t.Helper()
	want, wantCodes := map[pombo.State]int{}, map[string]int{}
	state := map[pombo.MessageID]pombo.State{}
	resent := map[pombo.MessageID]bool{}
	for row := 1; row <= rows; row++ {
		s := pombo.State("")
		for _, r := range w.blip.Receipts(string(id(row))) {
			switch r.Event {
			case blipsim.Failed:
				s, resent[id(row)] = pombo.Failed, passes(r.Code, r.Description)
			case blipsim.Consumed:
				s = pombo.Read
			case blipsim.Received:
				if s != pombo.Read {
					s = pombo.Delivered
				}
			}
		}
		state[id(row)] = s
		want[s]++
		if !resent[id(row)] { // else the next message writes to the row
			wantCodes[map[pombo.State]string{pombo.Failed: "3", pombo.Delivered: "4", pombo.Read: "5"}[s]]++
		}
	}
	for _, s := range []pombo.State{pombo.Failed, pombo.Delivered, pombo.Read} {
		if want[s] < rows/100 {
			w.t.Fatalf("Blip has %d messages end as %s: too few to show anything", want[s], s)
		}
	}
	codes := func() map[string]int {
		got := map[string]int{}
		for code := 3; code <= 5; code++ {
			got[strconv.Itoa(code)] = w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = ` + strconv.Itoa(code))
		}
		return got
	}
	w.eventually(func() bool { return maps.Equal(codes(), wantCodes) })

	db, err := ledger.Open(w.t.Context(), ledger.Options{URL: "sqlite:" + w.dir + "/pombo.db"})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	got := map[pombo.State]int{}
	for row := 1; row <= rows; row++ {
		n, _, err := db.History.Notification(w.t.Context(), id(row))
		if err != nil {
			w.t.Fatal(err)
		}
		got[n.State]++
		if n.State != state[n.MessageID] {
			w.t.Errorf("row %d is %s (%s), want %s", row, n.State, n.Reason, state[n.MessageID])
		}
		n.Key.Generation++
		if _, _, err := db.History.Notification(w.t.Context(), n.Key.MessageID()); (err == nil) != resent[id(row)] {
			w.t.Errorf("row %d is sent again: %t, want %t", row, err == nil, resent[id(row)])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("states (-want +got):\n%s", diff)
	}
}

var allCodes = []string{"STATUS_FAILED=3", "STATUS_DELIVERED=4", "STATUS_READ=5"}

func (w *fixture) sendAll(rows int) (address string) {
	w.t.Helper()
	a, client := w.start()
	run, err := client.Send(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if run.Accepted != rows {
		w.t.Fatalf("run = %+v, want %d accepted", run, rows)
	}
	return a.Addr()
}

func TestReceipts_TenThousandByPolling(t *testing.T) {
	nightly.WithoutRace(t)
	w := newFixture(t, tenThousand, mixed(), allCodes...)
	w.receipts = []time.Duration{10 * time.Millisecond, time.Hour}
	w.sendAll(tenThousand)
	w.ends(tenThousand)
	if got := w.blip.Counts().NotificationGets; got > int64(tenThousand)*11/10 {
		t.Errorf("%d questions about %d messages that had ended", got, tenThousand)
	}
}

// mailbag collects what a Blip posts instead of delivering it.
type mailbag struct {
	mu     sync.Mutex
	bodies [][]byte
}

func (m *mailbag) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bodies = append(m.bodies, body)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

func (m *mailbag) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.bodies)
}

func TestReceipts_TenThousandByWebhook(t *testing.T) {
	const secret = "a-secret-of-sixteen-or-more"
	bag := &mailbag{}
	simulator := mixed()
	simulator.Webhook, simulator.WebhookClient = "http://blip.invalid/", &http.Client{Transport: bag}
	w := newFixture(t, tenThousand, simulator, append(allCodes, "WEBHOOK_SECRET="+secret)...)
	w.receipts = []time.Duration{time.Hour} // no polls
	address := w.sendAll(tenThousand)
	all := 0
	for row := 1; row <= tenThousand; row++ {
		all += len(w.blip.Receipts(string(id(row))))
	}
	w.eventually(func() bool { return bag.len() == all })

	chance := rand.New(rand.NewPCG(1, 2))
	posts := slices.Clone(bag.bodies)
	for range all / 5 { // repeats
		posts = append(posts, bag.bodies[chance.IntN(all)])
	}
	for i := range 500 { // somebody else's, and what is not a receipt
		posts = append(posts, fmt.Appendf(nil, `{"event":"received","id":"0f8fad5b-d9cb-469f-a165-%012d"}`, i),
			[]byte(`{"id":"wamid.1","from":"5511900000001@wa.gw.msging.net","type":"text/plain","content":"Oi"}`))
	}
	chance.Shuffle(len(posts), func(i, k int) { posts[i], posts[k] = posts[k], posts[i] })
	var bodies [][]byte
	for len(posts) > 0 { // most come alone, some in batches of either kind
		n := 1
		if chance.IntN(10) == 0 {
			n = min(1+chance.IntN(50), len(posts))
		}
		body := bytes.Join(posts[:n], []byte("\n"))
		if chance.IntN(2) == 0 && n > 1 {
			body = slices.Concat([]byte("["), bytes.Join(posts[:n], []byte(",")), []byte("]"))
		}
		bodies, posts = append(bodies, body), posts[n:]
	}

	begun := time.Now()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	work := make(chan []byte)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for body := range work {
				post := func() (*http.Response, error) {
					return client.Post("http://"+address+"/blip/notifications/"+secret, "application/json", bytes.NewReader(body))
				}
				resp, err := post()
				if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
					resp, err = post() // on a busy machine it began too late: Blip posts again, too
				}
				if err != nil {
					t.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status = %d, want 200", resp.StatusCode)
				}
			}
		})
	}
	for _, body := range bodies {
		work <- body
	}
	close(work)
	wg.Wait()
	t.Logf("%d receipts in %d posts: %s", all+all/5, len(bodies), time.Since(begun).Round(time.Millisecond))
	w.ends(tenThousand)
	if got := w.blip.Counts().NotificationGets; got != 0 {
		t.Errorf("%d polls for messages whose receipts came by webhook", got)
	}
}
