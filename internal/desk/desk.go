// Package desk is the operator's desk: pages for people, in a browser, beside the API
// for programs. It answers "did Maria get hers?", says in one sentence why messages go
// or do not, and lets those who may resend, cancel and pause.
//
// The routes stand in one table (routes.go), each with the right that it needs. A
// request is let in, or not, in one place (guard.go): the host it names, where it
// comes from (no other site may post here), who has signed in (session.go), the right,
// and for every change a token that is good once. A handler reads its form, asks what
// Options gave it, and renders a page or returns an error; what an error means is
// decided in problem.go. Pages are html/template, embedded and parsed at the start
// (render.go): a new page takes page/NAME.tmpl, a view and one line of the table.
//
// Views have no pombo.Private: a page cannot show what its view does not have. No
// phone, name or text of a person appears in an address, a title or a line of the log.
// The audit trail records what people do here.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/tally"
)

// Users keeps the accounts. Every change has its line of the trail in the same
// transaction.
type Users interface {
	// User is pombo.ErrNotFound when there is no such account.
	User(ctx context.Context, name string) (pombo.User, error)
	Users(ctx context.Context) ([]pombo.User, error) // by name
	// AddUser is pombo.ErrMove when the name is taken.
	AddUser(ctx context.Context, u pombo.User, line audit.Entry) error
	// ChangeUser is pombo.ErrLost when the account is no longer as it was before.
	ChangeUser(ctx context.Context, before, after pombo.User, line audit.Entry) error
	UserSeen(ctx context.Context, name string, at time.Time) error
}

// Sessions keeps who has signed in. Tokens are hashed before they come here.
type Sessions interface {
	// Session is pombo.ErrNotFound when there is none or it is over.
	Session(ctx context.Context, token string) (pombo.DeskSession, error)
	SaveSession(ctx context.Context, s pombo.DeskSession) error
	DeleteSession(ctx context.Context, token string) error
	Sessions(ctx context.Context) ([]pombo.DeskSession, error) // that are not over
	// Once reports whether the word has not been used before. It is kept until expires.
	Once(ctx context.Context, word string, expires time.Time) (first bool, err error)
}

// Trail writes and reads the audit trail.
type Trail interface {
	audit.Trail
	// Audit returns the lines that the filter chooses, the newest first.
	Audit(ctx context.Context, f audit.Filter) ([]audit.Entry, error)
}

// Options is what a Server is made of. The fields above Checks must be set.
type Options struct {
	// Who comes in, and what they do.
	Users    Users
	Sessions Sessions
	Trail    Trail
	Key      audit.Key
	Zone     *time.Location // of the times on the pages

	// What the pages read and do, in the order of the menu.
	Facts      Facts
	Sending    Sending
	Messages   Messages
	Replies    Replies
	Recipients Recipients
	Actions    Actions
	People     People
	Figures    tally.Reader // of what failed, and of the report
	Bulks      Bulks
	Templates  Templates
	// Category returns the category of a template by its name.
	Category func(template string) (category string, known bool)
	Runs     RunLog
	Table    Table
	// Compare compares table, ledger and Blip, which takes minutes, and saves the result.
	Compare func(ctx context.Context) (pombo.Reconciliation, error)
	OptOuts OptOuts

	Checks     []Check       // of the parts, for the first page
	Rows       Rows          // nil = the table is not looked into
	Template   string        // the configured template, of rows that name none
	Language   string        // of the templates
	Pending    string        // the status code of pending rows
	Fallback   bool          // rows are handed over to another channel
	PerSecond  float64       // messages that may be sent; 0 = no limit
	Retention  time.Duration // for which phones and texts are kept; 0 = for ever
	NameSlot   pombo.Slot    // DESK_NAME: the value that is the person's name; "" = none
	NameNumber int           // of those in the slot, from 1

	Hosts       []string       // DESK_HOSTS: the names under which the desk is asked; empty = addresses, localhost and this machine's name
	ProxyHeader string         // DESK_PROXY_HEADER: has the name of the account that signed in at the proxy; "" = none
	ProxyFrom   []netip.Prefix // DESK_PROXY_FROM: the networks of proxies
	TLS         bool           // the listener speaks TLS
	PlainHTTP   bool           // DESK_PLAIN_HTTP: every page says that others can read along

	Logger  *slog.Logger     // nil = no log
	Now     func() time.Time // nil = time.Now
	Version string           // of the program
}

// Server is the desk as an http.Handler.
type Server struct {
	o      Options
	log    *slog.Logger
	mux    *http.ServeMux
	routes map[string]route // by pattern
	menu   []route          // those with a place in the menu
	origin *http.CrossOriginProtection
	hosts  map[string]bool // in lower case

	facts      facts
	queue      queue // how long it was, a point a minute
	recall     recall
	comparison comparison
	pages      pages
	static     static
	making     chan struct{} // a place for each page being made
	exporting  chan struct{} // a place for each list of messages being exported
	sessions   *scs.SessionManager
	hashing    chan struct{} // a place for each password being hashed
	delays     *delays
	paces      *paces
	standin    string // the hash that names without one are checked against
}

const (
	atOnce   = 8                // pages made at a time: the road comes first
	makeWait = 2 * time.Second  // for a place among them
	pageTime = 30 * time.Second // for a page
	maxForm  = 64 << 10
)

// New checks the options and builds the server. It starts nothing.
func New(o Options) (*Server, error) {
	missing := func(name string, is bool) error {
		if !is {
			return nil
		}
		return errors.New("desk: Options." + name + " is not set")
	}
	err := errors.Join(
		missing("Users", o.Users == nil),
		missing("Sessions", o.Sessions == nil),
		missing("Trail", o.Trail == nil),
		missing("Messages", o.Messages == nil),
		missing("Replies", o.Replies == nil),
		missing("Recipients", o.Recipients == nil),
		missing("Actions", o.Actions == nil),
		missing("People", o.People == nil),
		missing("Key", o.Key.IsZero()),
		missing("Zone", o.Zone == nil),
		missing("Facts", o.Facts == nil),
		missing("Sending", o.Sending == nil),
		missing("Runs", o.Runs == nil),
		missing("Table", o.Table == nil),
		missing("OptOuts", o.OptOuts == nil),
		missing("Templates", o.Templates == nil),
		missing("Compare", o.Compare == nil),
		missing("Figures", o.Figures == nil),
		missing("Bulks", o.Bulks == nil),
		missing("Category", o.Category == nil),
	)
	if o.ProxyHeader != "" && len(o.ProxyFrom) == 0 {
		err = errors.Join(err, errors.New("desk: Options.ProxyHeader without ProxyFrom: everybody could write the header"))
	}
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		o: o, log: o.Logger, mux: http.NewServeMux(), routes: map[string]route{}, origin: http.NewCrossOriginProtection(), hosts: map[string]bool{},
		making: make(chan struct{}, atOnce), exporting: make(chan struct{}, exports), hashing: make(chan struct{}, hashings), delays: newDelays(o.Now),
		paces: newPaces(o.Now),
	}
	for _, host := range o.Hosts {
		s.hosts[strings.ToLower(host)] = true
	}
	if len(o.Hosts) == 0 {
		if name, err := os.Hostname(); err == nil {
			s.hosts[strings.ToLower(name)] = true
		}
	}
	s.facts = s.newFacts()
	s.comparison.start = make(chan struct{}, 1)
	s.sessions = s.newSessions()
	if s.standin, err = standinHash(); err != nil {
		return nil, err
	}
	if s.static, err = newStatic(); err != nil {
		return nil, err
	}
	if s.pages, err = s.parsePages(); err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	for _, rt := range s.table() {
		s.routes[rt.pattern()] = rt
		s.mux.Handle(rt.pattern(), s.serve(rt))
		if rt.menu != "" {
			s.menu = append(s.menu, rt)
		}
	}
	return s, nil
}

// HTTPServer returns a server for h with limits that a slow or hostile browser cannot
// use up.
func HTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       pageTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}
