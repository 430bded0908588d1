// Package api is the way into a running Pombo for scripts, people's tools and
// the job: the HTTP routes, and the client for them beside it, so that both
// sides of each answer are the same Go type.
//
// The routes stand in one table (routes.go), openapi.yaml describes them, and a
// test compares the one with the other. A handler reads its request, asks what
// Options gave it and returns an error or writes an answer; what an error means
// in HTTP is decided in one place (problem.go), as problem+json of RFC 9457 with
// a hint that says what to do. What the caller sent is not repeated in a
// problem, and the query of a URL is never logged: either may hold a phone.
//
// POST /send_notification may wait for as long as a run lasts. A caller that goes away
// ends only that wait. Every other request has a time limit, every body a size limit,
// and a handler that panics costs one answer of 500 (guard.go).
//
// Without a token the server is for this machine only: CheckAddr refuses a
// listening address that others can reach, and requests must name this machine
// in their Host header, because a web page in the operator's browser can have
// another name point here.
package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/health"
	"pombo/internal/phone"
	"pombo/internal/words"
)

// Runs starts passes over the pending rows and waits for them.
type Runs interface {
	// StartRun starts a run, or joins the one under way. The run does not end
	// with ctx.
	StartRun(ctx context.Context) (run pombo.Run, joined bool, err error)
	// WaitRun returns the run when it has ended, or an error when it cannot wait
	// on: ctx's own when ctx has ended.
	WaitRun(ctx context.Context, id int64) (pombo.Run, error)
}

// Ledger is what the routes read and change.
type Ledger interface {
	runReader
	notificationLedger
	pauseLedger
	optOutLedger
	replyLedger
	// Health explains why messages go, or why they do not.
	Health(ctx context.Context) (health.Snapshot, error)
	// Forget erases what the ledger has of a person, or only counts it.
	Forget(ctx context.Context, n phone.Number, really bool) (pombo.Forgotten, error)
	// LastReconciliation is the result saved last; pombo.ErrNotFound when none is.
	LastReconciliation(ctx context.Context) (pombo.Reconciliation, error)
}

type runReader interface {
	Run(ctx context.Context, id int64) (pombo.Run, error)
	Runs(ctx context.Context, limit int) ([]pombo.Run, error) // newest first
}

type notificationLedger interface {
	Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error)
	List(ctx context.Context, f pombo.Filter) (pombo.Page, error)
	Retry(ctx context.Context, id pombo.MessageID) error
	Cancel(ctx context.Context, id pombo.MessageID) error
}

type pauseLedger interface {
	Pause(ctx context.Context, p pombo.Pause) error
	Resume(ctx context.Context) error
	Paused(ctx context.Context) (pombo.Pause, bool, error)
	// ReleaseResends and SettleResends end the wait of rows that were set back to
	// pending together with too many others, and return how many there were.
	ReleaseResends(ctx context.Context) (int, error)
	SettleResends(ctx context.Context) (int, error)
}

type optOutLedger interface {
	OptOut(ctx context.Context, o pombo.OptOut) error
	// OptIn reports whether the phone was on the list.
	OptIn(ctx context.Context, n phone.Number) (removed bool, err error)
	OptOuts(ctx context.Context, after string, limit int) (list []pombo.OptOut, next string, err error) // latest first
}

// Options is what a Server is made of. All but CheckTemplate, Webhook, Trail,
// Key, Token, Logger, Now and Version must be set.
type Options struct {
	Runs   Runs
	Ledger Ledger
	// Add takes in one message without the table. row.Key makes it unique: the
	// same key again returns what is there, with added false.
	Add func(ctx context.Context, row pombo.Row) (n pombo.Notification, added bool, err error)
	// Templates lists the templates that Blip has.
	Templates func(ctx context.Context) ([]pombo.Template, error)
	Holds     HoldLedger
	Events    OutboxLedger
	// CheckTemplate says why the rows of the source cannot be sent with a template; nil
	// = no check.
	CheckTemplate func(pombo.Template) []pombo.TemplateIssue
	// Reconcile compares table, ledger and Blip, and saves the result.
	Reconcile func(ctx context.Context) (pombo.Reconciliation, error)
	// Stop makes the process stop in order, and returns at once. It may be called more
	// than once.
	Stop    func()
	Checks  []Check      // what GET /readyz asks
	Metrics http.Handler // serves GET /metrics
	Webhook Webhook      // takes what Blip posts; nil = the addresses below /blip do not exist

	Trail audit.Trail // gets a line for each change; nil = none is kept
	Key   audit.Key   // hashes people in it; zero = lines do not say whom they are about

	Token   string           // API_TOKEN; "" = none is required
	Words   *words.Words     // in which GET /readyz speaks; nil = English
	Logger  *slog.Logger     // nil = no log
	Now     func() time.Time // nil = time.Now
	Version string           // of the program, for GET /
}

// Server is the HTTP side of the process. It is an http.Handler, to be served
// by HTTPServer's server. Close it when the process stops.
type Server struct {
	o      Options
	log    *slog.Logger
	token  [sha256.Size]byte // hash of the token: one length for the comparison
	mux    *http.ServeMux
	routes map[string]route // by pattern
	origin http.CrossOriginProtection
	wrong  wrongTokens
	checks *checker

	webhooks  inHand
	farewells farewells

	writeTime time.Duration   // the constant, but for tests
	stopping  context.Context // ends with Close
	stop      context.CancelFunc
}

// New checks the options and builds the server. It starts nothing.
func New(o Options) (*Server, error) {
	missing := func(name string, is bool) error {
		if !is {
			return nil
		}
		return errors.New("api: Options." + name + " is not set")
	}
	err := errors.Join(
		missing("Runs", o.Runs == nil),
		missing("Ledger", o.Ledger == nil),
		missing("Add", o.Add == nil),
		missing("Templates", o.Templates == nil),
		missing("Holds", o.Holds == nil),
		missing("Events", o.Events == nil),
		missing("Reconcile", o.Reconcile == nil),
		missing("Stop", o.Stop == nil),
		missing("Checks", len(o.Checks) == 0),
		missing("Metrics", o.Metrics == nil),
	)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Words == nil {
		o.Words = words.In(words.English)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, log: o.Logger, token: sha256.Sum256([]byte(o.Token)), mux: http.NewServeMux(), routes: map[string]route{}, writeTime: writeTime, webhooks: newInHand()}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.checks = newChecker(s.stopping, o.Checks, o.Now)
	for _, rt := range s.table() {
		s.routes[rt.pattern()] = rt
		s.mux.Handle(rt.pattern(), s.serve(rt))
	}
	return s, nil
}

// Close ends the waits of POST /send_notification, answers their callers that the run
// goes on later, and waits, at most until ctx ends, for the checks under way. Call it
// before http.Server.Shutdown, which waits for the handlers.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	return s.checks.wait(ctx)
}
