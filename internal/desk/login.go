package desk

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
)

// loginView is page/login.tmpl.
type loginView struct {
	Name, Next string
	Wrong      string // one sentence for all cases
}

func (s *Server) getLogin(w http.ResponseWriter, r *http.Request) error {
	if v := visitorOf(r); v != nil {
		return redirect(w, s.home(v.User))
	}
	return s.render(w, r, "login", loginView{Next: ownPath(r.URL.Query().Get("next"))})
}

// ownPath returns an address of the desk, or "": it never redirects to another site.
func ownPath(to string) string {
	if !strings.HasPrefix(to, "/desk/") || strings.ContainsAny(to, "\\\r\n") {
		return ""
	}
	return to
}

func (s *Server) postLogin(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	name, password := strings.TrimSpace(r.PostForm.Get("name")), pombo.Private(r.PostForm.Get("password"))
	v := loginView{Name: name, Next: ownPath(r.PostForm.Get("next"))}
	if !pombo.ValidUserName(name) {
		v.Name = "" // it may be anything, a password in the wrong field for instance
	}
	u, wait, err := s.authenticate(r, name, password)
	switch {
	case err != nil:
		return err
	case wait > 0:
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		v.Wrong = wordsOf(r).Text("login.wait", seconds)
		return s.renderStatus(w, r, http.StatusTooManyRequests, "login", v)
	case u.Name == "":
		v.Wrong = wordsOf(r).Text("login.wrong")
		return s.renderStatus(w, r, http.StatusUnauthorized, "login", v)
	}
	if _, err := s.signIn(r, u, byPassword); err != nil {
		return err
	}
	if v.Next != "" {
		return redirect(w, v.Next)
	}
	return redirect(w, s.home(u))
}

// authenticate returns the account that name and password are of; without a name when
// they are of none, and with how long to wait when it was tried too often. It takes as
// long for a name that is not there.
func (s *Server) authenticate(r *http.Request, name string, password pombo.Private) (u pombo.User, wait time.Duration, err error) {
	address := s.address(r)
	if wait := s.delays.begin(name, address); wait > 0 {
		return u, wait, nil
	}
	u, err = s.o.Users.User(r.Context(), name)
	if err != nil && !errors.Is(err, pombo.ErrNotFound) {
		return u, 0, fmt.Errorf("read account: %w", err)
	}
	found := err == nil
	same, err := s.samePassword(r.Context(), u.Hash, password)
	if err != nil {
		return u, 0, fmt.Errorf("check password: %w", err)
	}
	if !same || !found || u.Disabled {
		who := pombo.User{Role: u.Role}
		if found { // what is not a name of ours may be a password in the wrong field
			who.Name = name
		}
		s.noteAs(r, who, audit.Entry{Act: audit.SignIn, Detail: byPassword, Result: audit.Refused})
		return pombo.User{}, 0, nil
	}
	s.delays.succeed(name, address)
	return u, 0, nil
}

func (s *Server) postLogout(w http.ResponseWriter, r *http.Request) error {
	s.note(r, audit.Entry{Act: audit.SignOut, Result: audit.Done})
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	return redirect(w, "/desk/login")
}

// linkTime is how long the link of pombo desk is good.
const linkTime = 5 * time.Minute

// NewLink returns the path and query of a link that is good once, for five minutes, on
// this machine. It signs in an admin, named for the account of the machine.
func NewLink(key audit.Key, account string, now time.Time) string {
	parts := []string{base64.RawURLEncoding.EncodeToString([]byte(account)), strconv.FormatInt(now.Add(linkTime).Unix(), 36), random()}
	mac := base64.RawURLEncoding.EncodeToString(key.MAC("link", parts...))
	return "/desk/enter?link=" + strings.Join(append(parts, mac), ".")
}

// checkLink returns the account that a link names.
func (s *Server) checkLink(link string) (account, word string, until time.Time, err error) {
	bad := refuse(http.StatusForbidden, "error.link")
	parts := strings.Split(link, ".")
	if len(parts) != 4 || !s.macIs(parts[3], "link", parts[:3]...) {
		return "", "", until, bad
	}
	text, errName := base64.RawURLEncoding.DecodeString(parts[0])
	end, errEnd := strconv.ParseInt(parts[1], 36, 64)
	until = time.Unix(end, 0)
	if errName != nil || errEnd != nil || !s.o.Now().Before(until) {
		return "", "", until, bad
	}
	return string(text), parts[2], until, nil
}

// enterView is page/enter.tmpl.
type enterView struct{ Link, Account string }

// getEnter asks for a click: what looks at links before people do must not use them up.
func (s *Server) getEnter(w http.ResponseWriter, r *http.Request) error {
	if !s.local(r) {
		return refuse(http.StatusForbidden, "error.link_elsewhere")
	}
	link := r.URL.Query().Get("link")
	account, _, _, err := s.checkLink(link)
	if err != nil {
		return err
	}
	return s.render(w, r, "enter", enterView{Link: link, Account: account})
}

func (s *Server) postEnter(w http.ResponseWriter, r *http.Request) error {
	if !s.local(r) {
		return refuse(http.StatusForbidden, "error.link_elsewhere")
	}
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	account, word, until, err := s.checkLink(r.PostForm.Get("link"))
	if err != nil {
		return err
	}
	first, err := s.o.Sessions.Once(r.Context(), "link:"+word, until.Add(linkTime))
	if err != nil {
		return err
	}
	if !first {
		return refuse(http.StatusForbidden, "error.link")
	}
	v, err := s.signIn(r, localUser(localPrefix+account), byLink)
	if err != nil {
		return err
	}
	return redirect(w, s.home(v.User))
}

// inviteTime is how long an invitation is good.
const inviteTime = 24 * time.Hour

// newInvite returns the path and query of a link on which an account sets its password.
// The present state of the account goes into the signature: setting a password
// invalidates every earlier invitation.
func (s *Server) newInvite(u pombo.User) string {
	parts := []string{base64.RawURLEncoding.EncodeToString([]byte(u.Name)), strconv.FormatInt(s.o.Now().Add(inviteTime).Unix(), 36)}
	return "/desk/invite?for=" + strings.Join(append(parts, s.inviteMAC(u, parts)), ".")
}

func (s *Server) inviteMAC(u pombo.User, parts []string) string {
	return s.mac("invite", parts[0], parts[1], strconv.FormatInt(u.Created.UnixMilli(), 36), u.Hash.Reveal())
}

// invited returns the account of an invitation.
func (s *Server) invited(r *http.Request, invite string) (pombo.User, error) {
	bad := refuse(http.StatusForbidden, "error.invite")
	parts := strings.Split(invite, ".")
	if len(parts) != 3 {
		return pombo.User{}, bad
	}
	name, errName := base64.RawURLEncoding.DecodeString(parts[0])
	end, errEnd := strconv.ParseInt(parts[1], 36, 64)
	if errName != nil || errEnd != nil || !pombo.ValidUserName(string(name)) || !s.o.Now().Before(time.Unix(end, 0)) {
		return pombo.User{}, bad
	}
	u, err := s.o.Users.User(r.Context(), string(name))
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		return pombo.User{}, bad
	case err != nil:
		return pombo.User{}, fmt.Errorf("read account: %w", err)
	}
	if u.Disabled || !s.macEqual(parts[2], s.inviteMAC(u, parts)) {
		return pombo.User{}, bad
	}
	return u, nil
}

// inviteView is page/invite.tmpl.
type inviteView struct {
	Invite, Name string
	Wrong        string
}

func (s *Server) getInvite(w http.ResponseWriter, r *http.Request) error {
	invite := r.URL.Query().Get("for")
	u, err := s.invited(r, invite)
	if err != nil {
		return err
	}
	return s.render(w, r, "invite", inviteView{Invite: invite, Name: u.Name})
}

func (s *Server) postInvite(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	invite := r.PostForm.Get("for")
	u, err := s.invited(r, invite)
	if err != nil {
		return err
	}
	password := pombo.Private(r.PostForm.Get("password"))
	if wrong := newPasswordWrong(password, pombo.Private(r.PostForm.Get("again")), u.Name); wrong != "" {
		return s.renderStatus(w, r, http.StatusUnprocessableEntity, "invite", inviteView{Invite: invite, Name: u.Name, Wrong: wordsOf(r).Text(wrong, minPassword)})
	}
	after, err := s.setPassword(r, u, u, password, "")
	if err != nil {
		return err
	}
	if _, err := s.signIn(r, after, byPassword); err != nil {
		return err
	}
	return redirect(w, s.home(after))
}

// newPasswordWrong returns the key of what is wrong with a password that was typed
// twice; "" = it will do.
func newPasswordWrong(password, again pombo.Private, name string) string {
	if password != again {
		return "password.differ"
	}
	return weakPassword(password, name)
}

// setPassword changes the password of an account, on behalf of who, and ends its
// sessions except the one to keep, so that the old password lets nobody in.
func (s *Server) setPassword(r *http.Request, who, u pombo.User, password pombo.Private, keep string) (pombo.User, error) {
	after := u
	var err error
	if after.Hash, err = s.hashPassword(r.Context(), password); err != nil {
		return u, err
	}
	line := s.entry(r, who, audit.Entry{Act: audit.SetPassword, Target: u.Name, Result: audit.Done})
	if err := s.o.Users.ChangeUser(r.Context(), u, after, line); err != nil {
		return u, err
	}
	return after, s.endSessions(r, u.Name, keep)
}
