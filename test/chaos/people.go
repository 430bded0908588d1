//go:build unix

package main

import (
	"context"
	"hash/fnv"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// webhookSecret is that of the processes' addresses for what Blip posts.
const webhookSecret = "a-secret-of-sixteen-or-more"

// people have messages, and say so: once Blip has the first message of a row, its person lives
// on in a goroutine of its own. What becomes of the message and what the person sends is posted
// as Blip posts it: until one of the processes, which are killed all the time, answers with
// 2xx, and then often once more.
type people struct {
	rows    map[string]int // by the id of the first message, of those who are not silent
	all     int            // rows
	servers []*server
	book    *book
	source  *source

	ctx    context.Context
	cancel context.CancelFunc
	lives  sync.WaitGroup
	under  atomic.Int64 // lives that are not over
	posted atomic.Int64 // with a 2xx
	again  atomic.Int64 // of those, posted a second time
	slots  chan struct{}
	client *http.Client
	watch  atomic.Pointer[replyWatch]

	mu    sync.Mutex
	begun map[int]bool
	acked map[int]int       // messages of the person of a row that got their 2xx
	at    map[int]time.Time // when the answer was given that has to stand
}

// replyWatch waits until one of the processes has kept what a person sent. The answer to Blip
// is lost then.
type replyWatch struct {
	server *server
	act    func()
}

func (p *people) start(ctx context.Context, t *trial) {
	rows := t.o.rows
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.all, p.servers, p.book, p.source = rows, t.servers, t.book, t.source
	p.slots = make(chan struct{}, 64)
	p.client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: cap(p.slots)}}
	p.rows, p.begun, p.acked, p.at = map[string]int{}, map[int]bool{}, map[int]int{}, map[int]time.Time{}
	for row := 1; row <= rows; row++ {
		if who := personaOf(row, rows); who != silent && who != noPhone {
			p.rows[string(idOf(row, 1))] = row
		}
	}
}

func (p *people) stop() error {
	p.cancel()
	p.lives.Wait()
	p.client.CloseIdleConnections()
	return nil
}

// taken has the rest of a life follow once Blip has the message, and reports whether what the
// person sends is in the conversation only.
func (p *people) taken(id string) bool {
	row, ok := p.rows[id]
	if !ok || p.ctx.Err() != nil {
		return false
	}
	who := personaOf(row, p.all)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun[row] {
		return who == unheard
	}
	p.begun[row] = true
	p.under.Add(1)
	p.lives.Go(func() {
		defer p.under.Add(-1)
		// Some react before the answer to the POST is on disk, some before and most
		// after the table has been written.
		wait := time.Duration(p.chance(row, 0)%3000) * time.Millisecond
		if who == unheard {
			wait = 0
		}
		err := sleep(p.ctx, wait)
		for _, do := range lives[who] {
			if err == nil {
				err = do(p, row) // an error is that of ctx
			}
		}
	})
	return who == unheard
}

// chance is the same for the same row and moment in every run.
func (p *people) chance(row, moment int) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte{byte(row), byte(row >> 8), byte(row >> 16), byte(row >> 24), byte(moment)})
	return h.Sum32()
}

// got notes that what the person of a row sent got its 2xx.
func (p *people) got(row int, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked[row]++
	p.at[row] = at
}

// ackedOf returns how many messages of the person of a row got their 2xx.
func (p *people) ackedOf(row int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked[row]
}

// post posts until there is a 2xx, and one body in two until there is a second one.
func (p *people) post(kind, body string, done func()) error {
	h := fnv.New32a()
	_, _ = h.Write([]byte(body))
	first, got, wait := int(h.Sum32()), 0, 100*time.Millisecond
	for try := 0; ; try++ {
		if p.postTo(p.servers[(first+try)%len(p.servers)], kind, body) {
			if got++; got == 1 {
				p.posted.Add(1)
				if done != nil {
					done()
				}
			} else {
				p.again.Add(1)
			}
			if got == 2-first%2 {
				return nil
			}
			continue
		}
		if err := sleep(p.ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// postTo posts once and reports whether Blip got a 2xx.
func (p *people) postTo(s *server, kind, body string) bool {
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, "http://"+s.addr+"/blip/"+kind+"/"+webhookSecret, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return false // killed, frozen or starting
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return false
	}
	w := p.watch.Load()
	if w == nil || w.server != s || kind != "messages" || !p.watch.CompareAndSwap(w, nil) {
		return true
	}
	w.act()
	return false // the answer is lost
}

// until waits for something.
func (p *people) until(is func() bool) error {
	for !is() {
		if err := sleep(p.ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
