package ledger

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/pgtest"
)

// TestFailover: the server hangs while two processes work, and the standby that had
// all its commits takes over. Whether the old server stays silent or wakes, takes
// writes as before and waits with each commit for a standby that has left for good:
// nothing is lost, nothing is sent twice, nothing is left in anybody's hands, and
// sending goes on within ten seconds of the promotion.
func TestFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it starts two servers for each case")
	}
	for name, wakes := range map[string]bool{"the old primary stays frozen": false, "the old primary wakes unfenced": true} {
		t.Run(name, func(t *testing.T) {
			const rows = 800
			primary := pgtest.Start(t, pgtest.Options{})
			_, _, err := Migrate(t.Context(), primary.DSN("postgres"))
			must(t, err)
			standby := primary.Standby(t, true)
			address := strings.Replace(primary.DSN("postgres"), primary.Address(), primary.Address()+","+standby.Address(), 1) + "&target_session_attrs=read-write"
			replicas := []*DB{openPostgres(t, address, 0, nil), openPostgres(t, address, 0, nil)}
			mustEnqueue(t, replicas[0], testRows(0, rows)...)
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()

			var mu sync.Mutex
			sent := map[pombo.ID]int{}
			var promoted, again time.Time
			after := 0 // sent after the promotion
			half := make(chan struct{})
			var wg sync.WaitGroup
			for i, db := range replicas {
				wg.Go(func() {
					err := sendAll(ctx, db, "replica-"+strconv.Itoa(i), func(id pombo.ID) {
						mu.Lock()
						defer mu.Unlock()
						if sent[id]++; len(sent) == rows/2 {
							close(half)
						}
						if promoted.IsZero() {
							return
						}
						if after++; after == 100 { // more than an old primary's last answers
							again = time.Now()
						}
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			<-half
			primary.Freeze(t)
			must(t, standby.Promote(t.Context()))
			mu.Lock()
			promoted = time.Now()
			mu.Unlock()
			if wakes {
				primary.Wake()
			}
			wg.Wait()
			d := again.Sub(promoted)
			t.Logf("sent again %v after the promotion", d)
			if again.IsZero() || d > 10*time.Second {
				t.Errorf("sent again %v after the promotion, want within 10s", d)
			}
			allSentOnce(t, openPostgres(t, standby.DSN("postgres"), 0, nil), sent, rows)
		})
	}
}
