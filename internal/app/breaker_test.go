package app_test

import (
	"testing"
	"time"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

// Every receipt carries an unknown code: of ten thousand messages the run spends twenty and
// what was in flight, and a restart forgets nothing.
func TestBreaker_UnknownCode(t *testing.T) {
	nightly.WithoutRace(t)
	const rows = 10_000
	w := newFixture(t, rows, blipsim.Options{Scripts: map[string]blipsim.Behaviour{"": {Reason: 139999, After: 10 * time.Millisecond}}},
		"BLIP_MESSAGES_PER_SECOND=100", "WORKERS=4", "STATUS_FAILED=3")
	a, client := w.start()
	if _, err := client.Send(t.Context(), api.NoWait); err != nil {
		t.Fatal(err)
	}
	paused := func() bool {
		p, err := client.Paused(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p.Paused && p.By == "pombo" && p.Reason == pombo.Unexplained
	}
	w.eventually(paused)
	spent := w.blip.Counts().Messages
	// The receipts are asked for a tenth of a second after each message and later.
	if spent < 20 || spent > 1000 {
		t.Errorf("%d messages were spent of %d, want 20 and what was in flight", spent, rows)
	}
	w.stop(a)
	_, client = w.start()
	if !paused() {
		t.Error("the pause was forgotten by the restart")
	}
	if left := w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 1`); left < rows-1000 {
		t.Errorf("%d rows are pending, want all but those that were spent", left)
	}
}
