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

// webhookWorkers is how many receipts are posted concurrently: Blip posts in parallel, so
// receipts of one message may overtake each other.
const webhookWorkers = 8

// webhook posts receipts, and what people send, when they are due. One goroutine waits for the next one, others
// post; stop ends and waits for all of them.
type webhook struct {
	opts     Options
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

// post is an envelope to be posted.
type post struct {
	to   string // the address
	at   time.Time
	body []byte
	left int // tries after this one
}

func startWebhook(opts Options, c *counters) *webhook {
	h := &webhook{
		opts: opts, client: opts.WebhookClient, counters: c,
		due: make(chan post), wake: make(chan struct{}, 1),
	}
	if h.client == nil {
		h.client = &http.Client{Timeout: 10 * time.Second}
	}
	if name, value, ok := strings.Cut(opts.WebhookHeader, ":"); ok {
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

// drop drops the waiting receipts.
func (h *webhook) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = nil
}

// schedule queues what follows from one delivery.
func (h *webhook) schedule(s *Server, t taken) {
	if h.opts.Webhook != "" {
		h.scheduleReceipts(s, t.bot.node, s.disturb(s.receiptsOf(t.msg.ID, t.delivery, t.mark)))
	}
	if h.opts.MessageWebhook == "" {
		return
	}
	if h.opts.DataFeed {
		h.add(post{to: h.opts.MessageWebhook, at: t.mark.at(), body: s.appendSent(nil, t), left: h.opts.WebhookRetries})
	}
	said, ok := s.answerTo(t)
	if !ok {
		return
	}
	p := post{to: h.opts.MessageWebhook, at: said.At, body: s.appendSaid(nil, &said, t.bot.node), left: h.opts.WebhookRetries}
	h.add(p)
	if share(s.fate(said.ID, 0, "duplicate")) < h.opts.Faults.DuplicateEvents {
		h.add(p)
	}
}

// scheduleReceipts queues the receipts of one delivery. It assigns their times in the given
// order, so that disordered receipts also arrive disordered.
func (h *webhook) scheduleReceipts(s *Server, bot string, list []Receipt) {
	times := make([]time.Time, len(list))
	for i, r := range list {
		times[i] = r.At
	}
	slices.SortFunc(times, time.Time.Compare)
	var sc scratch
	for i, r := range list {
		h.add(post{to: h.opts.Webhook, at: times[i], body: s.appendReceipt(nil, &sc, r, bot), left: h.opts.WebhookRetries})
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
		default: // it is about to look anyway
		}
	}
}

// watch passes on each receipt when it is due.
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

// pop removes the first receipt if it is due; else it returns how long to wait.
func (h *webhook) pop() (next post, wait time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return post{}, time.Hour, false
	}
	if wait = h.waiting[0].at.Sub(h.opts.Now()); wait > 0 {
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

// deliver posts one envelope, bare and without a signature.
func (h *webhook) deliver(p post) {
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, p.to, bytes.NewReader(p.body))
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
		p.at = h.opts.Now().Add(time.Second)
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
