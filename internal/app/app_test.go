package app_test

import (
	"context"
	"database/sql"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/app"
	"pombo/internal/blipsim"
	"pombo/internal/config"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/postgrestest"
)

// postgres is the server of all tests that do not stop it.
var postgres postgrestest.Shared

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// suite runs the tests and stops their server, before goroutines are counted.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if err := postgres.Close(); err != nil {
		panic("stop PostgreSQL: " + err.Error())
	}
	return code
}

// migrated is the address of a new ledger on that server.
func migrated(t *testing.T) string {
	t.Helper()
	return postgres.Copy(t, "migrated", migrate)
}

func migrate(ctx context.Context, url string) error {
	_, _, err := ledger.Migrate(ctx, url)
	return err
}

// fixture is everything around one app: a table of the company, a pretend Blip and a folder
// for the ledger.
type fixture struct {
	t    *testing.T
	dir  string
	rows *sql.DB
	blip *blipsim.Server
	env  []string
	// receipts are the ages at which Blip is asked about a message.
	receipts []time.Duration

	registry *prometheus.Registry // of the app opened last
}

func newFixture(t *testing.T, rows int, simulator blipsim.Options, env ...string) *fixture {
	t.Helper()
	w := &fixture{t: t, dir: t.TempDir(), blip: blipsim.New(simulator)}
	w.receipts = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}
	server := httptest.NewServer(w.blip)
	t.Cleanup(func() { server.Close(); w.blip.Close() })
	path := filepath.Join(w.dir, "rows.db")
	var err error
	if w.rows, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.rows.Close() })
	w.exec(`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER NOT NULL)`)
	w.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO NOTIFICACAO SELECT i, '319' || (80000000+i), 'Maria', 'Sua consulta foi confirmada.', 1 FROM n`, rows)
	w.env = append([]string{
		"KEYBLIP=dGVzdDpzZWNyZXQ=", "BLIP_URL=" + server.URL, "TEMPLATE_NAME=notificacao",
		"BLIP_MESSAGES_PER_SECOND=0", "BLIP_COMMANDS_PER_SECOND=0",
		"DB_URL=sqlite:" + path, "LEDGER_URL=sqlite:" + filepath.Join(w.dir, "pombo.db"), "API_ADDR=127.0.0.1:0", "DESK_ADDR=-",
	}, env...)
	return w
}

func (w *fixture) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.rows.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) count(query string) (n int) {
	w.t.Helper()
	if err := w.rows.QueryRowContext(w.t.Context(), query).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *fixture) open() (*app.App, error) {
	w.t.Helper()
	c, warnings, err := config.Load("", w.env, config.NeedAll)
	// What a test starts is not behind a proxy.
	warnings = slices.DeleteFunc(warnings, func(w config.Warning) bool { return w.Name == "WEBHOOK_SECRET" })
	if err != nil || len(warnings) > 0 {
		w.t.Fatal(err, warnings)
	}
	w.registry = prometheus.NewRegistry()
	return app.New(w.t.Context(), app.Options{Config: c, Version: "test", Registry: w.registry, ReceiptSchedule: w.receipts})
}

// start opens and starts an app; the caller or the test's end stops it.
func (w *fixture) start() (*app.App, *api.Client) {
	w.t.Helper()
	a, err := w.open()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := a.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.stop(a) })
	return a, api.NewClient("http://"+a.Addr(), "", nil)
}

func (w *fixture) stop(a *app.App) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		w.t.Error(err)
	}
}

func TestRun_EachRowOnceAndSecondCallJoins(t *testing.T) {
	rows := nightly.Or(2000, 500)
	w := newFixture(t, rows, blipsim.Options{Latency: time.Millisecond})
	_, client := w.start()

	var wg sync.WaitGroup
	results := make([]api.RunResult, 2)
	for i := range results {
		wg.Go(func() {
			var err error
			if results[i], err = client.Send(t.Context(), 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if results[0].RunID != results[1].RunID {
		t.Errorf("runs %d and %d, want one", results[0].RunID, results[1].RunID)
	}
	if got := results[0]; got.Found != rows || got.Accepted != rows {
		t.Errorf("result = %+v, want %d found and accepted", got, rows)
	}
	if got := w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`); got != rows {
		t.Errorf("%d rows at status 2, want %d", got, rows)
	}
	if got := w.blip.Counts(); got.Messages != int64(rows) || got.IDs != int64(rows) {
		t.Errorf("Blip took %d messages with %d ids, want %d of each", got.Messages, got.IDs, rows)
	}
}

func TestRun_ContinuesAfterStop(t *testing.T) {
	t.Parallel() // it waits most of the time
	rows := nightly.Or(1500, 400)
	w := newFixture(t, rows, blipsim.Options{Latency: 20 * time.Millisecond}, "WORKERS=8")
	first, client := w.start()
	run, err := client.Send(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return w.blip.Counts().Messages > 0 })
	w.stop(first)
	if got := w.blip.Counts().Messages; got == 0 || got == int64(rows) {
		t.Fatalf("Blip took %d messages before the stop, want some and not all", got)
	}
	_, client = w.start()
	again, err := client.Send(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if again.RunID != run.RunID || again.Found != rows || again.Accepted != rows {
		t.Errorf("result = %+v, want run %d with %d found and accepted", again, run.RunID, rows)
	}
	if got := w.blip.Counts(); got.Messages != int64(rows) || got.Doubled != 0 {
		t.Errorf("Blip took %d messages, %d ids doubled; want %d and none doubled", got.Messages, got.Doubled, rows)
	}
	// What the stop interrupted is written later: the run does not wait for that.
	w.eventually(func() bool { return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`) == rows })
}

// An answer that is cut after Blip has accepted the message makes it uncertain. The trace of
// its id resolves that, and no message is sent twice.
func TestRun_CutAnswersDoubleNothing(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	const rows = 200
	w := newFixture(t, rows, blipsim.Options{Seed: 7, Faults: blipsim.Faults{CutAfterAccept: 0.2}}, "WORKERS=16")
	_, client := w.start()
	run, err := client.Send(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if run.Uncertain == 0 || run.Found != rows {
		t.Fatalf("result = %+v, want %d found and some uncertain", run, rows)
	}
	w.eventually(func() bool { return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`) == rows })
	if got := w.blip.Counts(); got.Messages != int64(rows) || got.Doubled != 0 {
		t.Errorf("Blip took %d messages, %d ids doubled; want %d and none doubled", got.Messages, got.Doubled, rows)
	}
}

// Three processes share one ledger on PostgreSQL; one of them stops during a run.
func TestReplicas_ThreeOnOneLedger(t *testing.T) {
	nightly.WithoutRace(t)
	ledgerURL := postgres.Database(t)
	rows := nightly.Or(1500, 400)
	w := newFixture(t, rows, blipsim.Options{Latency: 5 * time.Millisecond}, "LEDGER_URL="+ledgerURL, "WORKERS=8")
	if a, err := w.open(); err == nil {
		w.stop(a)
		t.Fatal("a ledger that was not migrated was opened")
	} else if !strings.Contains(err.Error(), "pombo migrate") {
		t.Errorf("error = %v, want it to say what to do", err)
	}
	if err := migrate(t.Context(), ledgerURL); err != nil {
		t.Fatal(err)
	}
	first, one := w.start()
	_, two := w.start()
	_, three := w.start()
	begun, err := one.Send(t.Context(), api.NoWait)
	if err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return w.blip.Counts().Messages > int64(rows/5) })
	w.stop(first)
	for _, client := range []*api.Client{two, three} {
		run, err := client.Send(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("run %d (began as %d): %+v", run.RunID, begun.RunID, run)
	}
	w.eventually(func() bool { return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`) == rows })
	if got := w.blip.Counts(); got.Messages != int64(rows) || got.Doubled != 0 {
		t.Errorf("Blip took %d messages, %d ids doubled; want %d and none doubled", got.Messages, got.Doubled, rows)
	}
}

func TestReceipts_Followed(t *testing.T) {
	t.Parallel() // it waits most of the time
	w := newFixture(t, 20, blipsim.Options{ReadRate: 1, ReceivedAfter: 50 * time.Millisecond, ConsumedAfter: 200 * time.Millisecond},
		"STATUS_DELIVERED=3", "STATUS_READ=4")
	_, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 4`) == 20 })
	list, err := client.List(t.Context(), pombo.Filter{State: pombo.Read})
	if err != nil || len(list.Notifications) != 20 {
		t.Errorf("%d read notifications, error %v, want 20", len(list.Notifications), err)
	}
	if got := w.metrics()["pombo_no_receipts_seconds"]; got != 0 {
		t.Errorf("unheard for %v s, want 0: receipts have come", got)
	}
}

func TestOperator_Commands(t *testing.T) {
	w := newFixture(t, 0, blipsim.Options{})
	a, client := w.start()
	if _, err := client.Pause(t.Context(), time.Time{}, "the template is wrong"); err != nil {
		t.Fatal(err)
	}
	// Started in the pause, it has no claim in flight that could take what follows.
	w.stop(a)
	_, client = w.start()
	n, _, err := client.Add(t.Context(), "a", pombo.Row{Recipient: "31988880001", Params: []pombo.Param{{Slot: pombo.Body, Value: "Maria"}, {Slot: pombo.Body, Value: "oi"}}})
	if err != nil {
		t.Fatal(err)
	}
	id := n.ID
	if _, err := client.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := client.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.blip.Counts().Messages; got != 0 {
		t.Errorf("%d messages of a cancelled notification, want none", got)
	}
	if _, err := client.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool { return w.blip.Counts().Messages == 1 })
	story, err := client.Show(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, e := range story.Events {
		states = append(states, string(e.State))
	}
	if got := strings.Join(states, " "); !strings.HasPrefix(got, "queued cancelled queued claimed sending") {
		t.Errorf("history = %s", got)
	}
}

func TestOpen_Refuses(t *testing.T) {
	nightly.WithoutRace(t)
	for _, test := range []struct {
		name string
		env  func(t *testing.T, w *fixture) string
		want string
	}{
		{"port in use", func(t *testing.T, _ *fixture) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return "API_ADDR=" + l.Addr().String()
		}, "choose another port"},
		{"ledger in use", func(_ *testing.T, w *fixture) string { w.start(); return "LOG_LEVEL=info" }, "ledger"},
		{"ledger that is none", func(_ *testing.T, w *fixture) string { return "LEDGER_URL=sqlite:" + w.dir }, "ledger"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newFixture(t, 0, blipsim.Options{})
			w.env = append(w.env, test.env(t, w))
			a, err := w.open()
			if err == nil {
				w.stop(a)
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to say %q", err, test.want)
			}
		})
	}
}

func (w *fixture) eventually(ok func() bool) {
	w.t.Helper()
	w.eventuallyEvery(20*time.Millisecond, ok)
}

func (w *fixture) eventuallyEvery(d time.Duration, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(d)
	defer tick.Stop()
	limit := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			w.t.Fatalf("not so after two minutes; rows by status: 1: %d, 2: %d; Blip: %+v",
				w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 1`), w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`), w.blip.Counts())
		}
	}
}
