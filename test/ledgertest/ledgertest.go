// Package ledgertest is the conformance suite of the ledger: it is run against each database.
//
//	func TestLedger(t *testing.T) { ledgertest.Run(t, newURL) }
//
// It talks to a ledger through its methods only. Time is a clock that stands
// still until a test moves it.
package ledgertest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"pombo"
	"pombo/internal/ledger"
	"pombo/internal/phone"
	"pombo/test/nightly"

	"github.com/google/go-cmp/cmp"
)

// Run runs the suite, several cases at a time. empty returns the URL of a new, empty
// ledger each time.
func Run(t *testing.T, empty func(t *testing.T) string) {
	t.Helper()
	run(t, empty, true)
}

// RunInTurn runs the suite case by case, for a database that has few connections.
func RunInTurn(t *testing.T, empty func(t *testing.T) string) {
	t.Helper()
	run(t, empty, false)
}

// meetings are the cases in which goroutines or processes meet in a ledger. By day the race
// detector watches these; all run without it.
var meetings = regexp.MustCompile(`^(eight |a restart |a run is joined|many a|processes |an opt-out of another|cancel against|a context|close$|settle$|events in order)`)

func run(t *testing.T, empty func(t *testing.T) string, parallel bool) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*fixture)
	}{
		{"every move of an outcome", everyOutcome},
		{"every move of a receipt", everyReceipt},
		{"every move of an operator", everyControl},
		{"the history of a message", history},
		{"what is taken in comes back", roundTrip},
		{"a stale owner finishes late", fencing},
		{"a stale owner begins late", fencingClaims},
		{"an outcome is finished twice", finishTwice},
		{"a lease is over", leaseOver},
		{"a lease that is renewed", leaseRenewed},
		{"what an owner has claimed", claimedBy},
		{"a restart takes over at once", restart},
		{"eight enqueue the same pages", enqueueRace},
		{"eight claim", claimRace},
		{"cancel against claim", cancelRace},
		{"a resend on purpose", resend},
		{"a resend on purpose of what could not be settled", resendParked},
		{"a resend on purpose of what was not sent", resendEnded},
		{"many resends wait for an operator", resendGuard},
		{"many resends are released", resendsReleased},
		{"many resends are settled anew", resendsSettled},
		{"settle", settle},
		{"settle when the state has moved on", settleMovedOn},
		{"what is not settled", neverSettled},
		{"receipts out of order", receipts},
		{"receipts before the answer", receiptsFirst},
		{"receipts in every order", receiptsInEveryOrder},
		{"a trace while it waits to be sent again", traceWhileQueued},
		{"a failure that passes", resendByItself},
		{"a failure that passes, settled", resendSettles},
		{"a failure that passes, and its row", resendKnowsItsRow},
		{"a failure that passes, and a row whose code is not known", resendUnsure},
		{"a failed message that arrived after all", resendUndone},
		{"a failed message retried by hand", resendByHand},
		{"a failure hands the row over", fallbackFailed},
		{"a delivery that does not come hands the row over", fallbackLate},
		{"a row is handed over after the last message", fallbackResends},
		{"who opted out is reached no other way", fallbackOptOuts},
		{"what is never handed over", fallbackNever},
		{"a row handed over, and its owner", fallbackSettles},
		{"polls", polls},
		{"a row is corrected before it is retried", correct},
		{"a run", aRun},
		{"a run does not wait for what was put back", runPutBack},
		{"a run is joined and survives a restart", runRestart},
		{"a run does not wait for tomorrow", runLater},
		{"order of claims", order},
		{"expiry", expiry},
		{"expiry without a claim", expireWaiting},
		{"a row that was withdrawn", rowWithdrawn},
		{"what waits for later is not in the way", queuedNow},
		{"opt-outs", optOuts},
		{"opt-outs in pages", optOutPages},
		{"an opt-out by receipt", optOutByReceipt},
		{"opt-outs of two scopes", optOutScopes},
		{"an opt-out by BSUID", optOutByBSUID},
		{"an opt-out of another process", optOutShared},
		{"failures in a row", failuresInARow},
		{"retry", retry},
		{"postpone", postpone},
		{"processes take what is uncertain", takeUncertain},
		{"identities grow old", identities},
		{"pauses", pauses},
		{"messages from outside the table", add},
		{"parked for a template", parked},
		{"lists", lists},
		{"lists by reason and template", listsByReason},
		{"lists of several states", listOfStates},
		{"a list that finds little", listBounded},
		{"many are retried", bulks},
		{"versions of templates", templateVersions},
		{"templates that are held", templateHolds},
		{"what a hold comes to", templateReach},
		{"events in order", eventsInOrder},
		{"events that are given up", eventsGivenUp},
		{"events leave", eventsLeave},
		{"events of alerts", eventsOfAlerts},
		{"events of templates", eventsOfTemplates},
		{"events of replies", eventsOfReplies},
		{"events that nobody wants", eventsOff},
		{"backlog", backlog},
		{"what leaves when its time is over", retire},
		{"what left is not sent again", retireSendsNothing},
		{"a pass over many", retireMany},
		{"a person is forgotten", forget},
		{"tallies", tallies},
		{"latencies", latencies},
		{"tallies by the day", talliesByDay},
		{"tallies outlive their notifications", talliesOutlive},
		{"tallies of the forgotten", talliesOfTheForgotten},
		{"tallies of many", talliesOfMany},
		{"tallies of random walks", talliesOfWalks},
		{"which notification a reply answers", replyMatches},
		{"an answer by the person alone", replyByPerson},
		{"two children of one phone", replyTwins},
		{"a reply comes twice", replyTwice},
		{"the first answer stands", replyFirst},
		{"the last answer stands", replyLast},
		{"many answers at once", replyRace},
		{"an answer is written to its row", replySettles},
		{"an answer and codes that are not known", replyUnsure},
		{"an answer to what was sent again", replyToResent},
		{"an answer to a row that was set back", replyToOlder},
		{"an answer with nothing to write", replyKept},
		{"what answers does not end all messages", replyOptOut},
		{"a reminder of what was answered", replyReminds},
		{"lists of replies", replyLists},
		{"who is asked for answers", replyPolls},
		{"answers of the forgotten", replyForgotten},
		{"answers leave", replyLeaves},
		{"an answered message fails", replyThenFailure},
		{"a lost ledger and the code of an answer", replyLostLedger},
		{"a lost ledger is rebuilt", recoverRows},
		{"what a comparison reads", review},
		{"accounts of the desk", deskUsers},
		{"sessions of the desk", deskSessions},
		{"the audit trail", auditTrail},
		{"a context that ends", contexts},
		{"close", closing},
	} {
		t.Run(test.name, func(t *testing.T) {
			if parallel {
				t.Parallel()
			}
			if !meetings.MatchString(test.name) {
				nightly.WithoutRace(t)
			}
			f := &fixture{T: t, url: empty(t), clock: &clock{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}}
			f.open()
			t.Cleanup(f.close)
			test.run(f)
			f.lists()
			if !f.quietOutbox {
				f.outboxComplete()
			}
		})
	}
}

const (
	source = "NOTIFICACAO"
	me     = "worker-1"
	other  = "worker-2"
	usual  = "aviso" // the template of rows that name none
	lease  = 30 * time.Second
)

// codes are those of a table whose owner wants to know all that can be known.
var codes = map[pombo.State]string{pombo.Accepted: "2", pombo.Failed: "3", pombo.Delivered: "4", pombo.Read: "5", pombo.Cancelled: "9"}

// fixture is a ledger with a clock.
type fixture struct {
	*testing.T
	url   string
	clock *clock
	db    *ledger.DB
	rows  int
	codes map[pombo.State]string // nil = codes

	replies  ledger.ReplyOptions
	fallback ledger.Fallback
	resends  int // within a minute, before they wait for an operator; 0 = any number

	quietOutbox bool // the ledger writes no events, or has lost some on purpose
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (f *fixture) pass(d time.Duration) {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	f.clock.now = f.clock.now.Add(d)
}

func (f *fixture) open() {
	f.Helper()
	c := f.codes
	if c == nil {
		c = codes
	}
	db, err := ledger.Open(f.Context(), ledger.Options{
		URL: f.url, Exclusive: true, Source: source, Pending: "1", Codes: c, Lease: lease, Now: f.clock.Now,
		Template: usual, ResendsBeforePause: f.resends, Events: !f.quietOutbox, Replies: f.replies, Fallback: f.fallback,
	})
	if err != nil {
		f.Fatalf("open: %v", err)
	}
	f.db = db
}

func (f *fixture) close() {
	f.Helper()
	f.must(f.db.Close())
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) mustBe(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("error = %v, want %v", err, want)
	}
}

// same reports in what two things differ.
func (f *fixture) same(what string, want, got any, opts ...cmp.Option) {
	f.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// newRows makes rows that the ledger does not know.
func (f *fixture) newRows(n int) []pombo.Row {
	f.Helper()
	rows := make([]pombo.Row, n)
	for i := range rows {
		f.rows++
		number, err := phone.FromE164("+55319" + strconv.Itoa(80000000+f.rows))
		f.must(err)
		rows[i] = pombo.Row{
			RowKey: "row-" + strconv.Itoa(f.rows), Recipient: "(31) 98000-0000", Phone: number,
			Params: []pombo.Param{{Slot: pombo.Body, Value: "Maria"}},
		}
	}
	return rows
}

// queue takes in n new rows and returns their ids.
func (f *fixture) queue(n int) []pombo.MessageID {
	f.Helper()
	return f.enqueue(0, f.newRows(n)...)
}

func (f *fixture) enqueue(run int64, rows ...pombo.Row) []pombo.MessageID {
	f.Helper()
	added, finished, err := f.db.Intake.Enqueue(f.Context(), source, run, rows)
	f.must(err)
	if added != len(rows) || len(finished) != 0 {
		f.Fatalf("enqueue added %d and called %d finished, want %d and 0", added, len(finished), len(rows))
	}
	ids := make([]pombo.MessageID, len(rows))
	for i, r := range rows {
		ids[i] = pombo.Key{Source: source, RowKey: r.RowKey, Generation: 1}.MessageID()
	}
	return ids
}

// known takes in rows that the ledger has already, and returns those that it calls finished.
func (f *fixture) known(rows []pombo.Row) []pombo.Latest {
	f.Helper()
	added, finished, err := f.db.Intake.Enqueue(f.Context(), source, 0, rows)
	f.must(err)
	if added != 0 {
		f.Fatalf("added %d, want none", added)
	}
	return finished
}

// takenAgain takes in a further generation of as many of the rows.
func (f *fixture) takenAgain(want int, rows []pombo.Row, latest []pombo.Latest) {
	f.Helper()
	added, err := f.db.Intake.EnqueueAgain(f.Context(), source, 0, rows, latest)
	f.must(err)
	if added != want {
		f.Fatalf("taken in again %d, want %d", added, want)
	}
}

func (f *fixture) startRun() pombo.Run {
	f.Helper()
	run, _, err := f.db.Runs.StartRun(f.Context())
	f.must(err)
	return run
}

func (f *fixture) unsettled() []pombo.Settlement {
	f.Helper()
	due, err := f.db.Settlements.Unsettled(f.Context(), 1000)
	f.must(err)
	return due
}

func (f *fixture) claim(owner string, limit int) []pombo.Notification {
	f.Helper()
	list, err := f.db.Queue.Claim(f.Context(), owner, limit)
	f.must(err)
	return list
}

// claimOne claims the only one that is due.
func (f *fixture) claimOne(owner string) pombo.Notification {
	f.Helper()
	list := f.claim(owner, 2)
	if len(list) != 1 {
		f.Fatalf("claimed %d, want 1", len(list))
	}
	return list[0]
}

// begin begins and returns the outcome that is yet to be filled in.
func (f *fixture) begin(n pombo.Notification) pombo.Outcome {
	f.Helper()
	o, err := f.tryBegin(n)
	f.must(err)
	return o
}

// tryBegin is begin for any goroutine.
func (f *fixture) tryBegin(n pombo.Notification) (pombo.Outcome, error) {
	attempt, err := f.db.Queue.Begin(f.Context(), n, "5531988880000@wa.gw.msging.net")
	if err == nil && attempt != n.Attempt+1 {
		err = fmt.Errorf("attempt = %d, want %d", attempt, n.Attempt+1)
	}
	return pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: n.Owner, Attempt: attempt, Counted: true}, err
}

func (f *fixture) finish(o pombo.Outcome, to pombo.State, reason pombo.Reason) {
	f.Helper()
	f.must(f.tryFinish(o, to, reason))
}

// tryFinish is finish for any goroutine.
func (f *fixture) tryFinish(o pombo.Outcome, to pombo.State, reason pombo.Reason) error {
	o.To, o.Reason = to, reason
	return f.db.Queue.Finish(f.Context(), o)
}

// atOnce does something for many notifications at the same time, as workers do: the ledger
// carries it out in few transactions.
func (f *fixture) atOnce(list []pombo.Notification, do func(i int, n pombo.Notification) error) {
	f.Helper()
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, n := range list {
		wg.Go(func() { errs[i] = do(i, n) })
	}
	wg.Wait()
	f.must(errors.Join(errs...))
}

// send takes the only due one as far as an outcome.
func (f *fixture) send(to pombo.State, reason pombo.Reason) pombo.Notification {
	f.Helper()
	n := f.claimOne(me)
	f.finish(f.begin(n), to, reason)
	return n
}

func (f *fixture) receipt(id pombo.MessageID, s pombo.State) int {
	f.Helper()
	return f.apply(pombo.Receipt{MessageID: id, State: s})
}

// apply returns how many of the receipts moved something.
func (f *fixture) apply(list ...pombo.Receipt) (moved int) {
	f.Helper()
	results, err := f.db.Receipts.Apply(f.Context(), list)
	f.must(err)
	for _, r := range results {
		if r == pombo.ReceiptMoved || r == pombo.ReceiptResent {
			moved++
		}
	}
	return moved
}

func (f *fixture) get(id pombo.MessageID) pombo.Notification {
	f.Helper()
	n, _, err := f.db.History.Notification(f.Context(), id)
	f.must(err)
	return n
}

func (f *fixture) stands(id pombo.MessageID, want pombo.State, why pombo.Reason) pombo.Notification {
	f.Helper()
	n := f.get(id)
	if n.State != want || n.Reason != why {
		f.Fatalf("it is %s (%s), want %s (%s)", n.State, n.Reason, want, why)
	}
	return n
}

// events returns the states of a history.
func (f *fixture) events(id pombo.MessageID) []pombo.State {
	f.Helper()
	_, events, err := f.db.History.Notification(f.Context(), id)
	f.must(err)
	var states []pombo.State
	for _, e := range events {
		states = append(states, e.State)
	}
	return states
}

// lists checks that the list of each state has what is in that state, which the
// ledger finds in other ways than by looking at all.
func (f *fixture) lists() {
	f.Helper()
	byState := map[pombo.State]int{}
	filter := pombo.Filter{Limit: 1000}
	for more := true; more; more = filter.Cursor != "" {
		page, err := f.db.History.List(f.Context(), filter)
		f.must(err)
		for _, n := range page.Notifications {
			byState[n.State]++
		}
		filter.Cursor = page.Next
	}
	for _, s := range pombo.States() {
		got := 0
		filter := pombo.Filter{State: s, Limit: 1000}
		for more := true; more; more = filter.Cursor != "" {
			page, err := f.db.History.List(f.Context(), filter)
			f.must(err)
			got += len(page.Notifications)
			filter.Cursor = page.Next
		}
		if got != byState[s] {
			f.Errorf("the list of the %s has %d, want %d", s, got, byState[s])
		}
	}
	backlog, err := f.db.History.Backlog(f.Context())
	f.must(err)
	for s, n := range backlog.States {
		if n != byState[s] {
			f.Errorf("the backlog has %d %s, want %d", n, s, byState[s])
		}
	}
}
