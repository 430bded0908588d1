//go:build unix

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pombo"
)

// webhookSecret is that of the processes' addresses for receipts.
const webhookSecret = "a-secret-of-sixteen-or-more"

// refusals posts receipts that say that WhatsApp has refused a message, for the first
// message of each row that refusedPhone names. It posts until one of the processes, which
// are killed all the time, answers that the receipt is on disk, and then once more: repeats
// are normal.
type refusals struct {
	rows    map[string]bool // ids of first messages
	servers []*server
	ctx     context.Context
	cancel  context.CancelFunc
	posts   sync.WaitGroup
	under   atomic.Int64 // posts not yet answered with 200

	mu   sync.Mutex
	done map[string]bool
}

func (r *refusals) start(ctx context.Context, rows int, servers []*server) {
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.servers, r.done, r.rows = servers, map[string]bool{}, map[string]bool{}
	for row := 1; row <= rows; row++ {
		if refusedPhone(row) {
			r.rows[string(idOf(row, 1))] = true
		}
	}
}

func (r *refusals) stop() error {
	r.cancel()
	r.posts.Wait()
	return nil
}

func idOf(row, generation int) pombo.MessageID {
	return pombo.Key{Source: "notificacao", RowKey: strconv.Itoa(row), Generation: generation}.MessageID()
}

// taken has the refusal of a message follow once Blip has the message.
func (r *refusals) taken(id string) {
	if !r.rows[id] || r.ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done[id] {
		return
	}
	r.done[id] = true
	r.under.Add(1)
	r.posts.Go(func() {
		// Some come before the answer to the POST is on disk, some before and most
		// after the table has been written.
		h := fnv.New32a()
		_, _ = h.Write([]byte(id))
		err := sleep(r.ctx, time.Duration(h.Sum32()%5000)*time.Millisecond)
		for posted := 0; err == nil && posted < 2; err = sleep(r.ctx, 200*time.Millisecond) {
			for _, s := range r.servers {
				if posted < 2 && r.post(s, id) {
					posted++
				}
			}
		}
		r.under.Add(-1)
	})
}

// ago is how long ago the receipt says that it was refused. The resend is due five minutes
// after that: soon, and late enough for the row to be read again before.
const ago = 5*time.Minute - 25*time.Second

func (r *refusals) post(s *server, id string) bool {
	body := fmt.Sprintf(`{"event":"failed","id":%q,"from":"postmaster@wa.gw.msging.net/#gw1","reason":{"code":131016,"description":"Service unavailable"},`+
		`"metadata":{"#envelope.timestamp":"%d"}}`, id, time.Now().Add(-ago).UnixMilli())
	ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/blip/notifications/"+webhookSecret, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false // killed, frozen or starting
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
