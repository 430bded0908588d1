package app

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/dispatch"
	"pombo/internal/ledger"
	"pombo/internal/phone"
	"pombo/internal/reconcile"
	"pombo/internal/setup"
	"pombo/internal/source"
	"pombo/test/nightly"
)

// harness is one Pombo with the real table, ledger and engine, whose Blip takes
// everything, in virtual time.
type harness struct {
	*testing.T
	rows   *sql.DB
	table  *source.Table
	ledger *ledger.DB
	engine *dispatch.Engine
	name   string

	answered int // so many answers came

	mu   sync.Mutex
	sent []pombo.MessageID
}

// inBubble runs a test in a synctest bubble of its own.
func inBubble(t *testing.T, rows int, codes map[pombo.State]string, test func(*harness)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &harness{T: t, name: "notificacao"}
		path := filepath.Join(folder, "rows.db")
		var err error
		s.rows, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
		s.must(err)
		s.exec(`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, CD_STATUS INTEGER NOT NULL,
			ID_LEMBRADA INTEGER, DS_RESPOSTA TEXT, DT_RESPOSTA TEXT)`)
		s.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
			INSERT INTO NOTIFICACAO (ID, NR_TELEFONE, NM_CONTATO, CD_STATUS) SELECT i, '319' || (80000000+i), 'Maria', 1 FROM n`, rows)
		written := []string{"2", "7", "8"}
		for _, code := range codes {
			written = append(written, code)
		}
		s.table, err = source.Open(t.Context(), source.Options{Drivers: setup.Drivers, URL: "sqlite:" + path, Mapping: source.Mapping{
			Table: "NOTIFICACAO", RowKey: "ID", Phone: "NR_TELEFONE", Status: "CD_STATUS", Params: []source.Param{{Slot: pombo.Body, Name: "NM_CONTATO"}},
			Reminds: "ID_LEMBRADA", Reply: "DS_RESPOSTA", ReplyAt: "DT_RESPOSTA", Pending: "1", Codes: written, Zone: time.UTC,
		}})
		s.must(err)
		all := map[pombo.State]string{pombo.Accepted: "2"}
		maps.Copy(all, codes)
		s.ledger, err = ledger.Open(t.Context(), ledger.Options{
			URL: "sqlite:" + filepath.Join(folder, "pombo.db"), Exclusive: true, Source: s.name, Pending: "1", Codes: all, Now: time.Now, FirstPoll: -1,
			Replies: ledger.ReplyOptions{Codes: map[string]string{"Confirmar": "7", "Não vou": "8"}, Columns: true, Last: true, Reminders: true},
		})
		s.must(err)
		controls, err := dispatch.NewControls(dispatch.Options{
			SourceName: s.name, Source: s.table, Pending: "1", Ledger: rooms(s.ledger), Blip: s, Owner: "me", Workers: 4,
		})
		s.must(err)
		s.engine = dispatch.New(controls, func(ctx context.Context, list []pombo.Receipt) error {
			_, err := s.ledger.Receipts.Apply(ctx, list)
			return err
		})
		s.must(s.engine.Start(t.Context()))
		t.Cleanup(func() { // after a failure too, else the bubble does not end
			if err := errors.Join(s.engine.Stop(context.Background()), s.ledger.Close(), s.table.Close(), s.rows.Close()); err != nil {
				t.Error(err)
			}
		})
		test(s)
	})
}

func (*harness) UploadAddress(context.Context) (string, error) { return "", nil }
func (*harness) Upload(context.Context, string, string, []byte) (string, error) {
	return "", nil
}

func (s *harness) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *harness) exec(query string, args ...any) {
	s.Helper()
	_, err := s.rows.ExecContext(s.Context(), query, args...)
	s.must(err)
}

// codes are the statuses in the table, in the order of its rows.
func (s *harness) codes() (list []int) {
	s.Helper()
	rows, err := s.rows.QueryContext(s.Context(), `SELECT CD_STATUS FROM NOTIFICACAO ORDER BY ID`)
	s.must(err)
	defer func() { s.must(rows.Close()) }()
	for rows.Next() {
		var code int
		s.must(rows.Scan(&code))
		list = append(list, code)
	}
	s.must(rows.Err())
	return list
}

func (s *harness) wantCodes(want ...int) {
	s.Helper()
	if diff := cmp.Diff(want, s.codes()); diff != "" {
		s.Errorf("codes in the table (-want +got):\n%s", diff)
	}
}

// pass lets virtual time go by.
func (s *harness) pass(d time.Duration) { time.Sleep(d) }

// takeIn is one pass over the table; all that it brings is sent and settled then.
func (s *harness) takeIn(want int) {
	s.Helper()
	got, err := s.engine.Intake.TakeIn(s.Context())
	s.must(err)
	if got != want {
		s.Fatalf("taken in %d, want %d", got, want)
	}
	time.Sleep(10 * time.Second)
}

func (s *harness) id(row, generation int) pombo.MessageID {
	return pombo.Key{Source: s.name, RowKey: strconv.Itoa(row), Generation: generation}.MessageID()
}

func (s *harness) fails(remedy pombo.ResendPolicy, ids ...pombo.MessageID) {
	s.Helper()
	for _, id := range ids {
		_, err := s.ledger.Receipts.Apply(s.Context(), []pombo.Receipt{{MessageID: id, State: pombo.Failed, Reason: pombo.ChannelError, Policy: remedy, At: time.Now()}})
		s.must(err)
	}
	s.engine.Signals.Moved()
	time.Sleep(5 * time.Second)
}

func (s *harness) stands(id pombo.MessageID, want pombo.State, why pombo.Reason) {
	s.Helper()
	n, _, err := s.ledger.History.Notification(s.Context(), id)
	s.must(err)
	if n.State != want || n.Reason != why {
		s.Errorf("it is %s (%s, %s), want %s (%s)", n.State, n.Reason, n.Detail, want, why)
	}
}

// times is how often Blip was given the message.
func (s *harness) times(id pombo.MessageID) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sent := range s.sent {
		if sent == id {
			n++
		}
	}
	return n
}

// findings compares table and ledger.
func (s *harness) findings() (kinds []pombo.DiscrepancyKind) {
	s.Helper()
	r, err := reconcile.New(reconcile.Options{
		SourceName: s.name, Source: s.table, Pending: "1", Ledger: s.ledger.Reconciliation,
		Ask:     func(context.Context, pombo.MessageID) ([]pombo.Receipt, error) { return nil, errors.New("not asked") },
		Acquire: func(context.Context) error { return errors.New("not asked") },
		Record:  func(context.Context, []pombo.Receipt) error { return nil },
	})
	s.must(err)
	result, err := r.Run(s.Context())
	s.must(err)
	for _, f := range result.Discrepancies {
		kinds = append(kinds, f.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func (s *harness) Identity(_ context.Context, n phone.Number) (string, error) {
	return n.E164()[1:] + "@wa.gw.msging.net", nil
}
func (s *harness) Redirects() int                                      { return 0 }
func (s *harness) RedirectReply(context.Context, string, int) error    { return nil }
func (s *harness) Templates(context.Context) ([]pombo.Template, error) { return nil, nil }
func (s *harness) Receipts(context.Context, pombo.MessageID) ([]pombo.Receipt, error) {
	return nil, nil
}

func (s *harness) Send(_ context.Context, m pombo.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m.MessageID)
	return nil
}

// WhatsApp refuses messages that Blip has accepted. They are sent again although their rows
// have the code of the first message, except for the one that its owner has changed.
func TestResend_RefusedMessage(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	inBubble(t, 3, map[pombo.State]string{pombo.Failed: "3"}, func(s *harness) {
		s.takeIn(3)
		s.wantCodes(2, 2, 2)
		s.fails(pombo.ResendBackoff, s.id(1, 1), s.id(2, 1), s.id(3, 1))
		s.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 9 WHERE ID = 3`)
		if got := s.findings(); !slices.Equal(got, []pombo.DiscrepancyKind{pombo.RowNotPending}) {
			t.Errorf("findings = %v, want one: that of the row that its owner changed", got)
		}
		time.Sleep(10 * time.Minute)
		s.stands(s.id(1, 2), pombo.Accepted, pombo.NoReason)
		s.stands(s.id(2, 2), pombo.Accepted, pombo.NoReason)
		s.stands(s.id(3, 2), pombo.Cancelled, pombo.Withdrawn)

		// The second fails for good; an operator retries it, in a pause.
		s.fails(pombo.ResendBackoff, s.id(1, 2))
		s.fails(pombo.ResendNever, s.id(2, 2))
		s.wantCodes(2, 3, 9)
		s.must(s.engine.Throttle.Pauser.Pause(s.Context(), pombo.Pause{By: "operator"}))
		s.must(s.engine.Retry(s.Context(), s.id(2, 2)))
		time.Sleep(2 * time.Minute)
		if got := s.findings(); len(got) != 0 {
			t.Errorf("findings = %v, want none", got)
		}
		s.must(s.engine.Throttle.Pauser.Resume(s.Context()))
		time.Sleep(time.Hour)
		s.stands(s.id(1, 3), pombo.Accepted, pombo.NoReason)
		s.stands(s.id(2, 3), pombo.Accepted, pombo.NoReason)
		s.wantCodes(2, 2, 9)
		s.takeIn(0)
		if got := len(s.sent); got != 7 {
			t.Errorf("%d messages, want 7", got)
		}
	})
}

// The owner changes rows while they are in flight, and sets them back later: each is sent once
// more. A row that is pending only because no code is written stays as it is.
func TestResend_RowChangedAndSetBack(t *testing.T) {
	inBubble(t, 3, nil, func(s *harness) {
		s.exec(`UPDATE NOTIFICACAO SET NR_TELEFONE = 'none' WHERE ID = 3`)
		s.must(s.engine.Throttle.Pauser.Pause(s.Context(), pombo.Pause{By: "operator"}))
		s.takeIn(3)
		s.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 9 WHERE ID < 3`)
		s.must(s.engine.Throttle.Pauser.Resume(s.Context()))
		time.Sleep(10 * time.Second)
		s.stands(s.id(1, 1), pombo.Accepted, pombo.NoReason)
		s.wantCodes(9, 9, 1)
		s.takeIn(0)
		s.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 1 WHERE ID = 1`)
		s.takeIn(1)
		s.wantCodes(2, 9, 1)
		s.takeIn(0)
		if first, second := s.times(s.id(1, 1)), s.times(s.id(1, 2)); first != 1 || second != 1 || len(s.sent) != 3 {
			t.Errorf("generations 1 and 2 of the first row were sent %d and %d times, %d messages in all; want 1, 1 and 3", first, second, len(s.sent))
		}
		if got := s.engine.Progress().Finished; got != 1 {
			t.Errorf("%d rows pending and finished here, want 1", got)
		}
		s.exec(`DELETE FROM NOTIFICACAO WHERE ID = 3`)
		s.takeIn(0)
		if got := s.engine.Progress().Finished; got != 0 {
			t.Errorf("%d rows pending and finished here, want none", got)
		}
	})
}

func TestSettle_CodesOfUnsent(t *testing.T) {
	for _, test := range []struct {
		name string
		c    config.Source
		want map[pombo.State]string
	}{
		{"none", config.Source{Sent: "2"}, map[pombo.State]string{pombo.Accepted: "2"}},
		{"as a failure", config.Source{Sent: "2", Failed: "3"},
			map[pombo.State]string{pombo.Accepted: "2", pombo.Failed: "3", pombo.Expired: "3", pombo.Suppressed: "3"}},
		{"their own", config.Source{Sent: "2", Failed: "3", Expired: "6", Suppressed: "7"},
			map[pombo.State]string{pombo.Accepted: "2", pombo.Failed: "3", pombo.Expired: "6", pombo.Suppressed: "7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, setup.Codes(test.c)); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
			if list := setup.Source(test.c).Mapping.Codes; len(list) != len(slices.Compact(slices.Clone(list))) {
				t.Errorf("codes to be written = %q, want each once", list)
			}
		})
	}
}
