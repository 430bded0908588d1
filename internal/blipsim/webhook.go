package blipsim

import (
	"bytes"
	"container/heap"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// webhookWorkers is how many receipts are posted at the same time: Blip posts in
// parallel, so receipts of one message may overtake each other.
const webhookWorkers = 8

// webhook posts receipts when their time has come. One goroutine watches the
// time, a few others post; stop ends and waits for all of them.
type webhook struct {
	opt      Options
	client   *http.Client
	header   string
	value    string
	counters *counters

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	due    chan post
	wake   chan struct{} // a receipt is earlier than all others

	mu      sync.Mutex
	waiting posts
}

// post is one receipt on its way.
type post struct {
	at   time.Time
	body []byte
	left int // tries after this one
}

func startWebhook(o Options, c *counters) *webhook {
	h := &webhook{
		opt: o, client: o.WebhookClient, counters: c,
		due: make(chan post), wake: make(chan struct{}, 1),
	}
	if h.client == nil {
		h.client = &http.Client{Timeout: 10 * time.Second}
	}
	if name, value, ok := strings.Cut(o.WebhookHeader, ":"); ok {
		h.header, h.value = strings.TrimSpace(name), strings.TrimSpace(value)
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.wg.Go(h.watch)
	for range webhookWorkers {
		h.wg.Go(h.work)
	}
	return h
}

func (h *webhook) stop() {
	h.cancel()
	h.wg.Wait()
	h.client.CloseIdleConnections()
}

// drop forgets what waits.
func (h *webhook) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = nil
}

// schedule puts the receipts of one delivery on the list. Their times are dealt
// out in the order given, so that disordered receipts also come disordered.
func (h *webhook) schedule(s *Server, bot string, list []Receipt) {
	times := make([]time.Time, len(list))
	for i, r := range list {
		times[i] = r.At
	}
	slices.SortFunc(times, time.Time.Compare)
	var sc scratch
	for i, r := range list {
		h.add(post{at: times[i], body: s.appendReceipt(nil, &sc, r, bot), left: h.opt.WebhookRetries})
	}
}

func (h *webhook) add(p post) {
	h.mu.Lock()
	heap.Push(&h.waiting, p)
	first := h.waiting[0].at.Equal(p.at)
	h.mu.Unlock()
	if first {
		select {
		case h.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// watch hands over each receipt when it is due.
func (h *webhook) watch() {
	for {
		next, wait, ok := h.pop()
		if ok {
			select {
			case h.due <- next:
				continue
			case <-h.ctx.Done():
				return
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-h.wake:
		case <-h.ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// pop takes the first receipt if it is due; else it says how long to wait.
func (h *webhook) pop() (next post, wait time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return post{}, time.Hour, false
	}
	if wait = h.waiting[0].at.Sub(h.opt.Now()); wait > 0 {
		return post{}, wait, false
	}
	return heap.Pop(&h.waiting).(post), 0, true
}

func (h *webhook) work() {
	for {
		select {
		case p := <-h.due:
			h.deliver(p)
		case <-h.ctx.Done():
			return
		}
	}
}

// deliver posts one receipt: the bare envelope, without a signature.
func (h *webhook) deliver(p post) {
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, h.opt.Webhook, bytes.NewReader(p.body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
		if h.header != "" {
			req.Header.Set(h.header, h.value)
		}
		var resp *http.Response
		if resp, err = h.client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
			_ = resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				h.counters.webhooksPosted.Add(1)
				return
			}
		}
	}
	if p.left > 0 && h.ctx.Err() == nil {
		p.left--
		p.at = h.opt.Now().Add(time.Second)
		h.add(p)
		return
	}
	h.counters.webhooksGivenUp.Add(1)
}

// posts is a heap, the earliest first.
type posts []post

func (p posts) Len() int           { return len(p) }
func (p posts) Less(i, j int) bool { return p[i].at.Before(p[j].at) }
func (p posts) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *posts) Push(x any)        { *p = append(*p, x.(post)) }
func (p *posts) Pop() any {
	old := *p
	last := old[len(old)-1]
	*p = old[:len(old)-1]
	return last
}
