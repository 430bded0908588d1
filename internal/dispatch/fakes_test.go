package dispatch_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/internal/dispatch"
	"pombo/internal/phone"
)

// memory is a ledger in memory that refuses every move the rules refuse. It is
// here for the clock of testing/synctest; the real ledger meets the same engine
// in package app.
type memory struct {
	mu      sync.Mutex
	rows    []*pombo.Notification
	history map[int64][]pombo.State
	settle  map[int64]bool
	held    map[int64]bool
	runs    []pombo.Run
	pause   *pombo.Pause
	broken  map[string]error // by method: fails until removed
	calls   map[string]int   // by method

	noticed, alive time.Time // of a loss

	leases map[string]time.Time // by owner; nil = they never end
	lease  time.Duration

	shared   bool
	duties   map[string]held
	quota    map[string]time.Time
	last     map[phone.Number]time.Time
	streak   int // failures in a row
	streakOf pombo.Failure
	out      map[string]pombo.OptOutScope // opted out, by E.164 or identity
}

// held says who has a duty, and until when.
type held struct {
	owner string
	until time.Time
}

func newMemory() *memory {
	return &memory{history: map[int64][]pombo.State{}, settle: map[int64]bool{}, held: map[int64]bool{}, broken: map[string]error{}, calls: map[string]int{}, duties: map[string]held{},
		quota: map[string]time.Time{}, last: map[phone.Number]time.Time{}, out: map[string]pombo.OptOutScope{}}
}

func (m *memory) enter(method string) (func(), error) {
	m.mu.Lock()
	m.calls[method]++
	return m.mu.Unlock, m.broken[method]
}

func (m *memory) called(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method]
}

func (m *memory) breakMethod(method string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		delete(m.broken, method)
		return
	}
	m.broken[method] = err
}

func (m *memory) find(key pombo.Key) *pombo.Notification {
	for _, n := range m.rows {
		if n.Key == key {
			return n
		}
	}
	return nil
}

func (m *memory) insert(key pombo.Key, run int64, r pombo.Row) *pombo.Notification {
	n := &pombo.Notification{
		Seq: int64(len(m.rows) + 1), MessageID: key.MessageID(), Key: key, Recipient: r.Recipient, Phone: r.Phone, Params: r.Params,
		Template: r.Template, Run: run, State: pombo.Queued, Created: time.Now(), Updated: time.Now(),
		NotBefore: time.Now(), Expires: r.Expires, Priority: r.Priority,
	}
	if r.SendAfter.After(n.NotBefore) {
		n.NotBefore = r.SendAfter
	}
	m.rows = append(m.rows, n)
	m.history[n.Seq] = append(m.history[n.Seq], n.State)
	return n
}

func (m *memory) Enqueue(_ context.Context, source string, run int64, rows []pombo.Row) (added int, finished []pombo.Latest, err error) {
	leave, err := m.enter("Enqueue")
	defer leave()
	if err != nil {
		return 0, nil, err
	}
	for _, r := range rows {
		latest := 0
		for _, n := range m.rows {
			if n.Key.Source == source && n.Key.RowKey == r.RowKey {
				latest = max(latest, n.Key.Generation)
			}
		}
		if latest == 0 {
			m.insert(pombo.Key{Source: source, RowKey: r.RowKey, Generation: 1}, run, r)
			added++
			continue
		}
		n := m.find(pombo.Key{Source: source, RowKey: r.RowKey, Generation: latest})
		if !n.State.Open() {
			finished = append(finished, pombo.Latest{RowKey: r.RowKey, Generation: latest, Untouched: n.Settled == ""})
		}
	}
	return added, finished, nil
}

func (m *memory) EnqueueAgain(_ context.Context, source string, run int64, rows []pombo.Row, latest []pombo.Latest) (int, error) {
	leave, err := m.enter("EnqueueAgain")
	defer leave()
	for i, r := range rows {
		m.insert(pombo.Key{Source: source, RowKey: r.RowKey, Generation: latest[i].Generation + 1}, run, r)
	}
	return len(rows), err
}

func (m *memory) Add(_ context.Context, source string, r pombo.Row) (pombo.Notification, bool, error) {
	leave, err := m.enter("Add")
	defer leave()
	key := pombo.Key{Source: source, RowKey: r.RowKey, Generation: 1}
	if n := m.find(key); n != nil {
		return *n, false, err
	}
	return *m.insert(key, 0, r), true, err
}

func (m *memory) Queued(context.Context) (int, error) {
	leave, err := m.enter("Queued")
	defer leave()
	return m.in(pombo.Queued) - len(m.held), err
}

// takenIn is how many notifications there are, in whatever state. It is for tests,
// as called and count are.
func (m *memory) takenIn() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rows)
}

func (m *memory) count(s pombo.State) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.in(s)
}

func (m *memory) in(s pombo.State) (n int) {
	for _, r := range m.rows {
		if r.State == s {
			n++
		}
	}
	return n
}

func (m *memory) Claim(_ context.Context, owner string, limit int) (batch []pombo.Notification, err error) {
	leave, err := m.enter("Claim")
	defer leave()
	if err != nil {
		return nil, err
	}
	var due []*pombo.Notification
	for _, n := range m.rows {
		if n.State == pombo.Queued && !m.held[n.Seq] && !n.NotBefore.After(time.Now()) {
			due = append(due, n)
		}
	}
	slices.SortStableFunc(due, func(a, b *pombo.Notification) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Seq, b.Seq))
	})
	for _, n := range due[:min(limit, len(due))] {
		n.Owner = owner
		m.move(n, pombo.Claimed)
		batch = append(batch, *n)
	}
	return batch, nil
}

func (m *memory) move(n *pombo.Notification, to pombo.State) {
	if !n.State.CanBecome(to) {
		panic(fmt.Sprintf("move %s → %s is not allowed", n.State, to))
	}
	n.State, n.Updated = to, time.Now()
	m.history[n.Seq] = append(m.history[n.Seq], to)
}

func (m *memory) NextDue(context.Context) (next time.Time, err error) {
	leave, err := m.enter("NextDue")
	defer leave()
	for _, n := range m.rows {
		if n.State == pombo.Queued && !m.held[n.Seq] && (next.IsZero() || n.NotBefore.Before(next)) {
			next = n.NotBefore
		}
	}
	return next, err
}

func (m *memory) Begin(_ context.Context, c pombo.Notification, identity string) (int, error) {
	leave, err := m.enter("Begin")
	defer leave()
	n := m.rows[c.Seq-1]
	if err != nil {
		return 0, err
	}
	if n.State != pombo.Claimed || n.Owner != c.Owner {
		return 0, pombo.ErrLost
	}
	n.Attempt++
	n.Identity, n.Begun = identity, time.Now()
	m.move(n, pombo.Sending)
	return n.Attempt, nil
}

func (m *memory) Finish(_ context.Context, o pombo.Outcome) error {
	leave, err := m.enter("Finish")
	defer leave()
	n := m.rows[o.Seq-1]
	if err != nil {
		return err
	}
	if n.State != o.From || o.From != pombo.Uncertain && n.Owner != o.Owner || n.Attempt != o.Attempt {
		return pombo.ErrLost
	}
	m.move(n, o.To)
	n.Reason, n.Detail, n.NotBefore = o.Reason, o.Detail, o.NotBefore
	if n.NotBefore.IsZero() {
		n.NotBefore = time.Now()
	}
	if delete(m.held, n.Seq); o.Parked {
		m.held[n.Seq] = true
	}
	if o.Counted {
		n.Tries++
	}
	if o.To == pombo.Accepted && n.Key.Source != "api" {
		m.settle[n.Seq] = true
	}
	return nil
}

func (m *memory) ReleaseParked(_ context.Context, all bool) (released int, err error) {
	leave, err := m.enter("ReleaseParked")
	defer leave()
	for seq := range m.held {
		if n := m.rows[seq-1]; err == nil && (all || !n.NotBefore.After(time.Now())) {
			n.NotBefore = time.Now()
			delete(m.held, seq)
			released++
		}
	}
	return released, err
}

func (m *memory) Postpone(_ context.Context, o pombo.Outcome) error {
	leave, err := m.enter("Postpone")
	defer leave()
	n := m.rows[o.Seq-1]
	n.Reason, n.Detail, n.NotBefore = o.Reason, o.Detail, o.NotBefore
	return err
}

func (m *memory) Uncertain(_ context.Context, limit int) (batch []pombo.Notification, err error) {
	leave, err := m.enter("Uncertain")
	defer leave()
	for _, n := range m.doubts(limit) {
		batch = append(batch, *n)
	}
	return batch, err
}

func (m *memory) doubts(limit int) (list []*pombo.Notification) {
	for _, n := range m.rows {
		if n.State == pombo.Uncertain && !n.NotBefore.After(time.Now()) {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *pombo.Notification) int { return a.NotBefore.Compare(b.NotBefore) })
	return list[:min(limit, len(list))]
}

func (m *memory) TakeUncertain(_ context.Context, limit int, d time.Duration) (batch []pombo.Notification, err error) {
	leave, err := m.enter("TakeUncertain")
	defer leave()
	if err != nil {
		return nil, err
	}
	for _, n := range m.doubts(limit) {
		n.NotBefore = time.Now().Add(d)
		batch = append(batch, *n)
	}
	return batch, nil
}

func (m *memory) WentBack(context.Context) (noticed, alive time.Time, err error) {
	leave, err := m.enter("WentBack")
	defer leave()
	return m.noticed, m.alive, err
}

func (m *memory) TakenIn(context.Context, time.Time) error {
	leave, err := m.enter("TakenIn")
	defer leave()
	return err
}

func (m *memory) Newest(context.Context) (int64, error) {
	leave, err := m.enter("Newest")
	defer leave()
	return int64(len(m.rows)), err
}

func (m *memory) Recover(_ context.Context, source string, r pombo.Row, generations [][]pombo.Receipt) error {
	leave, err := m.enter("Recover")
	defer leave()
	for i, receipts := range generations {
		key := pombo.Key{Source: source, RowKey: r.RowKey, Generation: i + 1}
		if m.find(key) == nil {
			n := m.insert(key, 0, r)
			n.State = pombo.Cancelled
			if len(receipts) > 0 {
				n.State = receipts[0].State
			}
		}
	}
	return err
}

func (m *memory) EndDoubt(_ context.Context, n pombo.Notification, code string, gone bool) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, To: pombo.Cancelled, Reason: pombo.Withdrawn}
	if code == "2" && !gone {
		o.To, o.Reason = pombo.Accepted, pombo.LedgerWentBack
	}
	return o, m.end(n, o)
}

func (m *memory) Overtaken(_ context.Context, n pombo.Notification, trace pombo.Receipt) (pombo.Outcome, error) {
	o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, To: pombo.Cancelled, Reason: pombo.LedgerWentBack}
	if trace.State != "" {
		o.To, o.Reason = trace.State, pombo.TraceFound
	}
	return o, m.end(n, o)
}

func (m *memory) end(n pombo.Notification, o pombo.Outcome) error {
	leave, err := m.enter("EndDoubt")
	defer leave()
	if m.rows[n.Seq-1].Attempt != n.Attempt {
		return pombo.ErrLost
	}
	m.move(m.rows[n.Seq-1], o.To)
	m.rows[n.Seq-1].Reason = o.Reason
	return err
}

func (m *memory) Unsettled(_ context.Context, limit int) (batch []pombo.Settlement, err error) {
	leave, err := m.enter("Unsettled")
	defer leave()
	for _, seq := range slices.Sorted(maps.Keys(m.settle)) {
		if len(batch) < limit {
			n := m.rows[seq-1]
			batch = append(batch, pombo.Settlement{Seq: seq, RowKey: n.Key.RowKey, Expected: "1", Code: "2", MessageID: n.MessageID})
		}
	}
	return batch, err
}

func (m *memory) Settled(_ context.Context, results []pombo.Settled) error {
	leave, err := m.enter("Settled")
	defer leave()
	for _, r := range results {
		if r.Result != pombo.SettleLater {
			delete(m.settle, r.Seq)
			m.rows[r.Seq-1].Settled = r.Code
		}
	}
	return err
}

func (m *memory) StartRun(context.Context) (pombo.Run, bool, error) {
	leave, err := m.enter("StartRun")
	defer leave()
	if i := len(m.runs) - 1; i >= 0 && m.runs[i].Finished.IsZero() {
		return m.runs[i], true, err
	}
	m.runs = append(m.runs, pombo.Run{ID: int64(len(m.runs) + 1), Started: time.Now(), Taking: true})
	return m.runs[len(m.runs)-1], false, err
}

func (m *memory) RunTaken(_ context.Context, id int64, why string) error {
	leave, err := m.enter("RunTaken")
	defer leave()
	m.runs[id-1].Taking, m.runs[id-1].Error = false, why
	return err
}

func (m *memory) EndRun(_ context.Context, id int64) (pombo.Run, bool, error) {
	leave, err := m.enter("EndRun")
	defer leave()
	r := &m.runs[id-1]
	r.Tally = m.tally(id)
	if r.Taking || r.Waiting > 0 || err != nil {
		return *r, false, err
	}
	r.Finished = time.Now()
	return *r, true, nil
}

func (m *memory) tally(id int64) (t pombo.Tally) {
	for _, n := range m.rows {
		if n.Run != id {
			continue
		}
		t.Found++
		switch {
		case n.State.Sent():
			t.Accepted++
		case n.State == pombo.Failed:
			t.Failed++
		case n.State == pombo.Uncertain:
			t.Uncertain++
		case n.State == pombo.Cancelled || n.State == pombo.Expired || n.State == pombo.Suppressed:
			t.Cancelled++
		case n.State == pombo.Queued && (n.Attempt > 0 || n.Tries > 0 || n.Reason != pombo.NoReason || n.NotBefore.After(time.Now())):
			t.Retrying++
		default:
			t.Waiting++
		}
	}
	return t
}

func (m *memory) Run(_ context.Context, id int64) (pombo.Run, error) {
	leave, err := m.enter("Run")
	defer leave()
	if id < 1 || id > int64(len(m.runs)) {
		return pombo.Run{}, pombo.ErrNotFound
	}
	r := m.runs[id-1]
	r.Tally = m.tally(id)
	return r, err
}

func (m *memory) Runs(context.Context, int) ([]pombo.Run, error) {
	leave, err := m.enter("Runs")
	defer leave()
	if len(m.runs) == 0 {
		return nil, err
	}
	return m.runs[len(m.runs)-1:], err
}

func (m *memory) Pause(_ context.Context, p pombo.Pause) error {
	leave, err := m.enter("Pause")
	defer leave()
	m.pause = &p
	return err
}

func (m *memory) Resume(context.Context) error {
	leave, err := m.enter("Resume")
	defer leave()
	m.pause = nil
	return err
}

func (m *memory) Paused(context.Context) (pombo.Pause, bool, error) {
	leave, err := m.enter("Paused")
	defer leave()
	if m.pause == nil {
		return pombo.Pause{}, false, err
	}
	return *m.pause, m.pause.Until.IsZero() || time.Now().Before(m.pause.Until), err
}

func (m *memory) Renew(_ context.Context, owner string) error {
	leave, err := m.enter("Renew")
	defer leave()
	if err == nil && m.leases != nil {
		m.leases[owner] = time.Now().Add(m.lease)
	}
	return err
}

func (m *memory) ClaimedBy(_ context.Context, owner string) (list []pombo.Notification, err error) {
	leave, err := m.enter("InHand")
	defer leave()
	for _, n := range m.rows {
		if n.Owner == owner && (n.State == pombo.Claimed || n.State == pombo.Sending) {
			list = append(list, *n)
		}
	}
	return list, err
}

// Reclaim frees what silent owners had; without leases nobody is ever silent.
func (m *memory) Reclaim(context.Context) (requeued, uncertain int, err error) {
	leave, err := m.enter("Reclaim")
	defer leave()
	if err != nil || m.leases == nil {
		return 0, 0, err
	}
	for _, n := range m.rows {
		if time.Now().Before(m.leases[n.Owner]) {
			continue
		}
		switch n.State {
		case pombo.Claimed:
			m.move(n, pombo.Queued)
			requeued++
		case pombo.Sending:
			m.move(n, pombo.Uncertain)
			uncertain++
		default:
			continue
		}
		n.Owner, n.NotBefore = "", time.Now()
	}
	return requeued, uncertain, nil
}

func (m *memory) Shared() bool { return m.shared }

func (m *memory) AcquireLeadership(_ context.Context, duty, owner string, d time.Duration) (bool, error) {
	leave, err := m.enter("AcquireLeadership")
	defer leave()
	now := time.Now()
	if has := m.duties[duty]; err == nil && (has.owner == owner || !now.Before(has.until)) {
		m.duties[duty] = held{owner, now.Add(d)}
		return true, nil
	}
	return false, err
}

func (m *memory) ReleaseLeadership(_ context.Context, duty, owner string) error {
	leave, err := m.enter("ReleaseLeadership")
	defer leave()
	if m.duties[duty].owner == owner {
		delete(m.duties, duty)
	}
	return err
}

// Quota grants what comes within a fifth of a second.
func (m *memory) Quota(_ context.Context, name string, perSecond float64, want int) (int, time.Duration, error) {
	leave, err := m.enter("Quota")
	defer leave()
	if err != nil {
		return 0, 0, err
	}
	gap := time.Duration(float64(time.Second) / perSecond)
	now := time.Now()
	from := m.quota[name]
	if from.Before(now) {
		from = now
	}
	granted := min(want, int((200*time.Millisecond-from.Sub(now))/gap)+1)
	if granted <= 0 {
		return 0, gap, nil
	}
	m.quota[name] = from.Add(time.Duration(granted) * gap)
	return granted, from.Sub(now), nil
}

func (m *memory) Recipient(_ context.Context, n phone.Number, gap time.Duration) (time.Duration, error) {
	leave, err := m.enter("Recipient")
	defer leave()
	if wait := gap - time.Since(m.last[n]); err != nil || wait > 0 {
		return max(wait, 0), err
	}
	m.last[n] = time.Now()
	return 0, nil
}

func (m *memory) at(id pombo.MessageID) *pombo.Notification {
	for _, n := range m.rows {
		if n.MessageID == id {
			return n
		}
	}
	return nil
}

func (m *memory) Notification(_ context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error) {
	leave, err := m.enter("Notification")
	defer leave()
	n := m.at(id)
	if n == nil {
		return pombo.Notification{}, nil, pombo.ErrNotFound
	}
	return *n, nil, err
}

func (m *memory) Correct(_ context.Context, id pombo.MessageID, r pombo.Row) error {
	leave, err := m.enter("Correct")
	defer leave()
	n := m.at(id)
	n.Recipient, n.Phone, n.Params, n.Template = r.Recipient, r.Phone, r.Params, r.Template
	return err
}

func (m *memory) Retry(_ context.Context, id pombo.MessageID) error {
	leave, err := m.enter("Retry")
	defer leave()
	n := m.at(id)
	m.move(n, pombo.Queued)
	n.Tries, n.NotBefore = 0, time.Time{}
	return err
}

func (m *memory) Cancel(_ context.Context, id pombo.MessageID) error {
	leave, err := m.enter("Cancel")
	defer leave()
	m.move(m.at(id), pombo.Cancelled)
	return err
}

func (m *memory) OptedOut(n phone.Number, identity string) pombo.OptOutScope {
	leave, _ := m.enter("OptedOut")
	defer leave()
	return m.out[n.E164()].Wider(m.out[identity])
}

func (m *memory) LoadOptOuts(context.Context) error {
	leave, err := m.enter("LoadOptOuts")
	defer leave()
	return err
}

func (m *memory) LoadFailures(context.Context) error { return nil }

func (m *memory) CountFailure(_ context.Context, f pombo.Failure) (int, error) {
	leave, err := m.enter("CountFailure")
	defer leave()
	if f.MessageID = ""; f != m.streakOf {
		m.streak, m.streakOf = 0, f
	}
	m.streak++
	return m.streak, err
}

func (m *memory) EndFailures(_ context.Context, _ pombo.MessageID, accepted bool) error {
	leave, err := m.enter("EndFailures")
	defer leave()
	if !accepted || m.streakOf.Refused {
		m.streak = 0
	}
	return err
}

func (m *memory) Expire(context.Context) (expired int, err error) {
	leave, err := m.enter("Expire")
	defer leave()
	for _, n := range m.rows {
		if n.State == pombo.Queued && !n.Expires.IsZero() && !n.Expires.After(time.Now()) {
			m.move(n, pombo.Expired)
			n.Reason = pombo.ExpiredRow
			expired++
		}
	}
	return expired, err
}

func (m *memory) optOut(who string, scope pombo.OptOutScope) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out[who] = scope
}

// moves returns the states that the newest notification of a row went through.
func (m *memory) moves(t *testing.T, row string) []pombo.State {
	t.Helper()
	n := m.get(t, row)
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.history[n.Seq])
}

// atRest reports whether nothing is open and nothing to be settled.
func (m *memory) atRest() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.rows {
		if n.State.Open() {
			return false
		}
	}
	return len(m.rows) > 0 && len(m.settle) == 0
}

// get returns a copy of the newest notification of a row.
func (m *memory) get(t *testing.T, row string) pombo.Notification {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range slices.Backward(m.rows) {
		if n.Key.RowKey == row {
			return *n
		}
	}
	t.Fatalf("row %s is not in the ledger", row)
	return pombo.Notification{}
}

// engine starts an engine and stops it when the test ends.
func engine(t *testing.T, o dispatch.Options) *dispatch.Engine {
	t.Helper()
	if o.Owner == "" {
		o.Owner = "test"
	}
	if o.Source == nil {
		o.Source = newTable()
	}
	o.SourceName, o.Pending = "notificacao", "1"
	e, err := dispatch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}
