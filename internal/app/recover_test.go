package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/app"
	"pombo/internal/blipsim"
	"pombo/internal/config"
	"pombo/internal/reconcile"
	"pombo/test/nightly"
)

func (w *fixture) config() config.Config {
	w.t.Helper()
	c, _, err := config.Load("", w.env, config.NeedAll)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// TestRecover_LostLedger loses the ledger after Blip has accepted the messages and before
// they are settled: without recovery they would be sent twice.
func TestRecover_LostLedger(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel()                 // it waits most of the time
	const sent, unsent = 700, 60 // more than a page
	w := newFixture(t, sent, blipsim.Options{})
	first, client := w.start()
	locked, err := w.rows.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil { // nobody else can write to the table
		t.Fatal(err)
	}
	run, err := client.Send(t.Context(), 0)
	if err != nil || run.Accepted != sent {
		t.Fatalf("result = %+v, error %v, want all accepted", run, err)
	}
	if _, err := app.Recover(t.Context(), w.config(), nil); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("beside a running one: error = %v, want it to say what to do", err)
	}
	w.stop(first)
	if _, err := locked.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	locked.Close()
	if n := w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 1`); n != sent {
		t.Fatalf("%d rows are pending, want all %d: the test shows nothing", n, sent)
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "pombo.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	w.exec(`WITH RECURSIVE n(i) AS (SELECT ?1 + 1 UNION ALL SELECT i+1 FROM n WHERE i < ?1 + ?2)
		INSERT INTO NOTIFICACAO SELECT i, '319' || (80000000+i), 'Maria', 'Sua consulta foi confirmada.', 1 FROM n`, sent, unsent)

	pages := 0
	got, err := app.Recover(t.Context(), w.config(), func(reconcile.Recovery) { pages++ })
	if err != nil {
		t.Fatal(err)
	}
	want := reconcile.Recovery{Rows: sent + unsent, Recovered: sent, Untraced: unsent, Asked: 2 * (sent + unsent)}
	if got != want || pages != 2 {
		t.Errorf("%+v in %d pages, want %+v in 2", got, pages, want)
	}
	again, err := app.Recover(t.Context(), w.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want = reconcile.Recovery{Rows: sent + unsent, Known: sent, Untraced: unsent, Asked: 2 * unsent}
	if again != want {
		t.Errorf("the second time %+v, want %+v", again, want)
	}

	_, client = w.start()
	run, err = client.Send(t.Context(), 0)
	if err != nil || run.Found != unsent || run.Accepted != unsent {
		t.Errorf("result = %+v, error %v, want the %d unsent ones found and accepted", run, err, unsent)
	}
	w.eventually(func() bool { return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`) == sent+unsent })
	if got := w.blip.Counts(); got.Messages != sent+unsent || got.Doubled != 0 {
		t.Errorf("Blip took %d messages, %d ids doubled; want %d and none doubled", got.Messages, got.Doubled, sent+unsent)
	}
	story, err := client.Show(t.Context(), pombo.Key{Source: "notificacao", RowKey: "1", Generation: 1}.MessageID())
	if err != nil {
		t.Fatal(err)
	}
	if story.Events[0].Reason != pombo.Recovered || story.Attempt != 1 || story.Begun.IsZero() || time.Since(story.Begun) > time.Hour {
		t.Errorf("history = %+v, want it to say that it was recovered", story)
	}
}
