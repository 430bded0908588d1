package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/words"
)

const (
	sessionIdle = 30 * time.Minute
	sessionLife = 10 * time.Hour
	// A request moves the end of a session on only by so much at a time: pages that
	// refresh themselves must not write to the ledger every five seconds.
	sessionStep = time.Minute
)

// What a session holds. All values are strings.
const (
	inUser    = "user"    // name of the account, or localPrefix and the account of the machine
	inKind    = "kind"    // how they signed in
	inID      = "id"      // stays the same when the token is renewed
	inSince   = "since"   // RFC 3339
	inAddress = "address" // from where
	inNotice  = "notice"  // what the next page says
)

// How somebody can have signed in.
const (
	byPassword = "password"
	byLink     = "link"  // of pombo desk
	byProxy    = "proxy" // which vouches for the name with every request
)

// localPrefix stands before the account of the machine that a link was made by. No
// name of an account has a colon.
const localPrefix = "local:"

// Visitor is a person who has signed in.
type Visitor struct {
	pombo.User

	Kind string // byPassword, byLink or byProxy

	session string // inID
}

// Local reports whether the visitor came by the link of pombo desk: there is no account
// to change.
func (v *Visitor) Local() bool { return v.Kind == byLink }

// request is what is known of the request under way.
type request struct {
	visitor  *Visitor
	recalled bool // from memory: there is no session
	loaded   stored
	sent     string // the token in the cookie
}

type requestKey struct{}

func requestOf(r *http.Request) *request {
	q, _ := r.Context().Value(requestKey{}).(*request)
	if q == nil {
		return &request{}
	}
	return q
}

// visitorOf returns the visitor who has signed in, or nil.
func visitorOf(r *http.Request) *Visitor { return requestOf(r).visitor }

// languageOf is the visitor's choice, or what the browser asks for.
func languageOf(r *http.Request) words.Language {
	if q := requestOf(r); q.visitor != nil && q.visitor.Language != "" {
		if lang, err := words.Parse(q.visitor.Language); err == nil {
			return lang
		}
	}
	return words.Accept(r.Header.Get("Accept-Language"))
}

// wordsOf returns the words in the visitor's language.
func wordsOf(r *http.Request) *words.Words { return words.In(languageOf(r)) }

// newSessions prepares scs. Only Load, Commit and what is between them is used of it:
// which cookie it is depends on the request, and when it is saved on what has changed.
func (s *Server) newSessions() *scs.SessionManager {
	// Not by scs.New, which starts a goroutine for a store in memory that nobody can stop.
	return &scs.SessionManager{IdleTimeout: sessionIdle, Lifetime: sessionLife, Store: store{s.o.Sessions}, Codec: codec{}, HashTokenInStore: true}
}

// loadSession finds out who asks. What changes of the session is saved with the first
// byte of the answer.
func (s *Server) loadSession(a *answer, r *http.Request) (*http.Request, error) {
	q := requestOf(r)
	if c, err := r.Cookie(s.cookieName(r)); err == nil {
		q.sent = c.Value
	}
	ctx, err := s.sessions.Load(r.Context(), q.sent)
	if err != nil {
		return r, fmt.Errorf("read session: %w", err)
	}
	r = r.WithContext(ctx)
	a.before = func() { s.saveSession(a, r) }
	q.visitor, err = s.findVisitor(r)
	if err == nil {
		s.recall.note(q.sent, q.visitor, s.o.Now())
	}
	return r, err
}

func (s *Server) findVisitor(r *http.Request) (*Visitor, error) {
	ctx := r.Context()
	name, kind := s.sessions.GetString(ctx, inUser), s.sessions.GetString(ctx, inKind)
	vouched := ""
	if s.o.ProxyHeader != "" && s.fromProxy(r) {
		vouched = r.Header.Get(s.o.ProxyHeader)
	}
	if kind == byProxy && vouched != name { // they have signed out there, or are somebody else
		if err := s.sessions.Destroy(ctx); err != nil {
			return nil, err
		}
		name, kind = "", ""
	}
	if name == "" && vouched != "" {
		return s.enterByProxy(r, vouched)
	}
	if name == "" {
		return nil, nil //nolint:nilnil // nobody has signed in, which is not an error
	}
	v := &Visitor{Kind: kind, session: s.sessions.GetString(ctx, inID)}
	if kind == byLink {
		v.User = localUser(name)
		return v, nil
	}
	u, err := s.o.Users.User(ctx, name)
	switch {
	case errors.Is(err, pombo.ErrNotFound), err == nil && u.Disabled:
		return nil, s.sessions.Destroy(ctx)
	case err != nil:
		return nil, fmt.Errorf("read account: %w", err)
	}
	v.User = u
	return v, nil
}

// localUser is the visitor who came by the link: read access to the data folder already
// gives access to everything that the desk shows.
func localUser(name string) pombo.User {
	all, _ := pombo.ParseGrants(pombo.GrantNames()...)
	return pombo.User{Name: name, Role: pombo.RoleAdmin, Grants: all}
}

// enterByProxy signs in the account that the proxy vouches for, if it exists.
func (s *Server) enterByProxy(r *http.Request, name string) (*Visitor, error) {
	if !pombo.ValidUserName(name) {
		return nil, refuse(http.StatusForbidden, "error.no_account")
	}
	u, err := s.o.Users.User(r.Context(), name)
	if errors.Is(err, pombo.ErrNotFound) || err == nil && u.Disabled {
		s.noteAs(r, pombo.User{Name: name}, audit.Entry{Act: audit.SignIn, Detail: byProxy, Result: audit.Refused})
		return nil, refuse(http.StatusForbidden, "error.no_account")
	}
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	return s.signIn(r, u, byProxy)
}

// signIn begins a session under a new token and writes the line about it. Without the
// line, the sign-in fails.
func (s *Server) signIn(r *http.Request, u pombo.User, kind string) (*Visitor, error) {
	ctx := r.Context()
	if err := s.o.Trail.WriteAudit(ctx, s.entry(r, u, audit.Entry{Act: audit.SignIn, Detail: kind, Result: audit.Done})); err != nil {
		return nil, fmt.Errorf("write audit line: %w", err)
	}
	if err := s.sessions.Clear(ctx); err != nil {
		return nil, err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return nil, err
	}
	now := s.o.Now()
	v := &Visitor{User: u, Kind: kind, session: random()}
	for key, value := range map[string]string{
		inUser: u.Name, inKind: kind, inID: v.session, inSince: now.UTC().Format(time.RFC3339), inAddress: s.address(r),
	} {
		s.sessions.Put(ctx, key, value)
	}
	requestOf(r).visitor = v
	if kind != byLink {
		if err := s.o.Users.UserSeen(ctx, u.Name, now); err != nil {
			return nil, fmt.Errorf("note sign-in: %w", err)
		}
	}
	return v, nil
}

// cookieName is the name of the cookie. The prefix makes the browser refuse a cookie
// that was set by another host, by another path or without TLS; without TLS it would
// refuse ours.
func (s *Server) cookieName(r *http.Request) string {
	if s.secure(r) {
		return "__Host-pombo"
	}
	return "pombo"
}

// saveSession saves what has changed and sets the cookie when the token is new.
func (s *Server) saveSession(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	c := &http.Cookie{Name: s.cookieName(r), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.secure(r)} //nolint:gosec // without TLS a browser would not send one that is Secure
	switch s.sessions.Status(ctx) {
	case scs.Unmodified:
		return
	case scs.Destroyed:
		c.MaxAge = -1
	case scs.Modified:
		token, _, err := s.sessions.Commit(ctx)
		if err != nil {
			s.log.ErrorContext(ctx, "desk session not saved", "error", err, "often", pombo.Often("desk session"))
			return
		}
		if token == requestOf(r).sent {
			return
		}
		c.Value = token // without an end: it goes with the browser, or with the session
	}
	http.SetCookie(w, c)
}

// say makes the next page begin with a sentence: after a change the browser is
// redirected.
func (s *Server) say(r *http.Request, n Notice) {
	prefix := "+"
	if n.Bad {
		prefix = "-"
	}
	s.sessions.Put(r.Context(), inNotice, prefix+n.Text)
}

// takeNotices returns the notices to show, once.
func (s *Server) takeNotices(r *http.Request) []Notice {
	if isScript(r) || requestOf(r).recalled || !s.sessions.Exists(r.Context(), inNotice) {
		return nil
	}
	text := s.sessions.PopString(r.Context(), inNotice)
	return []Notice{{Bad: text[0] == '-', Text: text[1:]}}
}

// store keeps the sessions of scs in the ledger.
type store struct{ sessions Sessions }

var _ scs.CtxStore = store{}

// stored is a session as it was read for a request.
type stored struct {
	data    []byte
	expires time.Time
}

func (s store) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	found, err := s.sessions.Session(ctx, token)
	if errors.Is(err, pombo.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if q, ok := ctx.Value(requestKey{}).(*request); ok {
		q.loaded = stored{found.Data, found.Expires}
	}
	return found.Data, true, nil
}

func (s store) CommitCtx(ctx context.Context, token string, data []byte, expires time.Time) error {
	if q, ok := ctx.Value(requestKey{}).(*request); ok && bytes.Equal(q.loaded.data, data) && expires.Sub(q.loaded.expires) < sessionStep {
		return nil
	}
	var values struct{ Values map[string]string }
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	return s.sessions.SaveSession(ctx, pombo.DeskSession{Token: token, Name: values.Values[inUser], Data: data, Expires: expires})
}

func (s store) DeleteCtx(ctx context.Context, token string) error {
	return s.sessions.DeleteSession(ctx, token)
}

// scs asks for the methods without a context and does not call them.
func (s store) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s store) Commit(token string, data []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expires)
}

func (s store) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// codec writes a session as JSON: the same session is always the same bytes, so that
// one in which nothing has changed is seen to be so.
type codec struct{}

func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(struct {
		Deadline time.Time
		Values   map[string]any
	}{deadline, values})
}

func (codec) Decode(data []byte) (time.Time, map[string]any, error) {
	var v struct {
		Deadline time.Time
		Values   map[string]string
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return time.Time{}, nil, err
	}
	values := make(map[string]any, len(v.Values))
	for key, value := range v.Values {
		values[key] = value
	}
	return v.Deadline, values, nil
}
