package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
)

// usersView is page/users.tmpl.
type usersView struct {
	Users   []userLine
	Roles   []choice
	Grants  []choice
	Ask     bool   // the visitor has a password and has to give it again
	Invite  string // the link of an account that was just made
	Invited string // its name
	Wrong   string
	New     string // the name that was typed
}

type userLine struct {
	Name, Role    string
	Roles, Grants []choice
	GrantTexts    []string
	Created, Seen time.Time
	Disabled      bool
	HasPassword   bool
	Sessions      int
	Own           bool
}

func (s *Server) getUsers(w http.ResponseWriter, r *http.Request) error {
	return s.showUsers(w, r, http.StatusOK, usersView{})
}

func (s *Server) showUsers(w http.ResponseWriter, r *http.Request, status int, v usersView) error {
	me, say := visitorOf(r), wordsOf(r)
	v.Ask = me.Kind == byPassword
	v.Roles = roleChoices(say.Text, pombo.RoleViewer)
	v.Grants = grantChoices(say.Text, 0)
	users, err := s.o.Users.Users(r.Context())
	if err != nil {
		return err
	}
	sessions, err := s.o.Sessions.Sessions(r.Context())
	if err != nil {
		return err
	}
	open := map[string]int{}
	for _, one := range sessions {
		open[one.Name]++
	}
	for _, u := range users {
		l := userLine{
			Name: u.Name, Role: say.Text("role." + string(u.Role)), Roles: roleChoices(say.Text, u.Role), Grants: grantChoices(say.Text, u.Grants),
			Created: u.Created, Seen: u.Seen, Disabled: u.Disabled, HasPassword: u.Hash != "", Sessions: open[u.Name], Own: u.Name == me.Name,
		}
		for _, grant := range u.Grants.Names() {
			l.GrantTexts = append(l.GrantTexts, say.Text("grant."+grant))
		}
		v.Users = append(v.Users, l)
	}
	return s.renderStatus(w, r, status, "users", v)
}

func roleChoices(text func(string, ...any) string, chosen pombo.Role) []choice {
	var out []choice
	for _, role := range pombo.Roles() {
		out = append(out, choice{Value: string(role), Text: text("role." + string(role)), Chosen: role == chosen})
	}
	return out
}

func grantChoices(text func(string, ...any) string, chosen pombo.Grants) []choice {
	var out []choice
	for _, name := range pombo.GrantNames() {
		out = append(out, choice{Value: name, Text: text("grant." + name), Chosen: strings.Contains(","+chosen.String()+",", ","+name+",")})
	}
	return out
}

// userErrors are what an administrator can do wrong, with the sentence for each.
var (
	errUserName  = errors.New("the name of an account has 1 to 64 letters, digits and . _ - @ \\")
	errUserRole  = errors.New("there is no such role or grant")
	errUserTaken = errors.New("there is an account of that name")
	errUserOwn   = errors.New("nobody takes their own rights away")
)

func userErrorKey(err error) string {
	switch {
	case errors.Is(err, errUserName):
		return "users.bad_name"
	case errors.Is(err, errUserRole):
		return "users.bad_role"
	case errors.Is(err, errUserTaken):
		return "users.taken"
	case errors.Is(err, errUserOwn):
		return "users.own"
	}
	return ""
}

// userWish is an account as somebody wants it to be.
type userWish struct {
	name     string
	role     pombo.Role
	grants   []string
	disabled bool
}

// addUser makes an account without a password and returns it.
func (s *Server) addUser(ctx context.Context, wish userWish, line audit.Entry) (pombo.User, error) {
	grants, ok := pombo.ParseGrants(wish.grants...)
	switch {
	case !pombo.ValidUserName(wish.name):
		return pombo.User{}, errUserName
	case !ok || !wish.role.AtLeast(pombo.RoleViewer):
		return pombo.User{}, errUserRole
	}
	u := pombo.User{Name: wish.name, Role: wish.role, Grants: grants, Created: s.o.Now().Truncate(time.Millisecond)}
	line.Act, line.Target, line.Detail, line.Result = audit.UserAdd, u.Name, rights(u), audit.Done
	err := s.o.Users.AddUser(ctx, u, line)
	if errors.Is(err, pombo.ErrMove) {
		return u, errUserTaken
	}
	return u, err
}

// changeUser gives an account the role and the grants that are wanted. Its sessions end:
// a new right begins with a new sign-in, and so does the lack of one.
func (s *Server) changeUser(ctx context.Context, wish userWish, line audit.Entry) (pombo.User, error) {
	grants, ok := pombo.ParseGrants(wish.grants...)
	if !ok || !wish.role.AtLeast(pombo.RoleViewer) {
		return pombo.User{}, errUserRole
	}
	u, err := s.o.Users.User(ctx, wish.name)
	if err != nil {
		return u, err
	}
	after := u
	after.Role, after.Grants, after.Disabled = wish.role, grants, wish.disabled
	line.Act, line.Target, line.Detail, line.Result = audit.UserChange, u.Name, rights(u)+" → "+rights(after), audit.Done
	if err := s.o.Users.ChangeUser(ctx, u, after, line); err != nil {
		return u, err
	}
	all, err := s.o.Sessions.Sessions(ctx)
	if err != nil {
		return after, err
	}
	for _, one := range all {
		if one.Name == u.Name {
			if err := s.o.Sessions.DeleteSession(ctx, one.Token); err != nil {
				return after, err
			}
		}
	}
	return after, nil
}

// rights says in the trail what an account may do.
func rights(u pombo.User) string {
	text := string(u.Role)
	if g := u.Grants.String(); g != "" {
		text += "+" + g
	}
	if u.Disabled {
		text += " (disabled)"
	}
	return text
}

// asked checks the administrator's password before a change. It answers itself when it
// was wrong; done says so.
func (s *Server) asked(w http.ResponseWriter, r *http.Request, v usersView) (done bool, err error) {
	wrong, err := s.askPassword(r, "password")
	if err != nil || wrong == "" {
		return err != nil, err
	}
	v.Wrong = wrong
	return true, s.showUsers(w, r, http.StatusUnprocessableEntity, v)
}

// userFailed shows what is wrong with a wish, or passes the error on.
func (s *Server) userFailed(w http.ResponseWriter, r *http.Request, v usersView, err error) error {
	key := userErrorKey(err)
	if key == "" {
		return err
	}
	v.Wrong = wordsOf(r).Text(key)
	return s.showUsers(w, r, http.StatusUnprocessableEntity, v)
}

func (s *Server) postUser(w http.ResponseWriter, r *http.Request) error {
	v := usersView{New: strings.TrimSpace(r.PostForm.Get("name"))}
	if done, err := s.asked(w, r, v); done {
		return err
	}
	u, err := s.addUser(r.Context(), userWish{name: v.New, role: pombo.Role(r.PostForm.Get("role")), grants: r.PostForm["grant"]}, s.line(r, audit.Entry{}))
	if err != nil {
		return s.userFailed(w, r, v, err)
	}
	// The link is shown only in this answer: it is in no address.
	return s.showUsers(w, r, http.StatusOK, usersView{Invited: u.Name, Invite: s.outside(r) + s.newInvite(u)})
}

// outside is the scheme and host under which the visitor has reached the desk.
func (s *Server) outside(r *http.Request) string {
	if s.secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (s *Server) postUserChange(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if done, err := s.asked(w, r, usersView{}); done {
		return err
	}
	if name == visitorOf(r).Name {
		return s.userFailed(w, r, usersView{}, errUserOwn)
	}
	wish := userWish{name: name, role: pombo.Role(r.PostForm.Get("role")), grants: r.PostForm["grant"], disabled: r.PostForm.Get("disabled") != ""}
	if _, err := s.changeUser(r.Context(), wish, s.line(r, audit.Entry{})); err != nil {
		return s.userFailed(w, r, usersView{}, err)
	}
	s.say(r, Notice{Text: wordsOf(r).Text("users.changed", name)})
	return redirect(w, "/desk/users")
}

func (s *Server) postUserInvite(w http.ResponseWriter, r *http.Request) error {
	if done, err := s.asked(w, r, usersView{}); done {
		return err
	}
	u, err := s.o.Users.User(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	if err := s.write(r, audit.Entry{Act: audit.LinkMade, Target: u.Name, Result: audit.Done}); err != nil {
		return err
	}
	return s.showUsers(w, r, http.StatusOK, usersView{Invited: u.Name, Invite: s.outside(r) + s.newInvite(u)})
}

func (s *Server) postUserSessionsEnd(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	keep := ""
	if me := visitorOf(r); me.Name == name {
		keep = me.session
	}
	if done, err := s.asked(w, r, usersView{}); done {
		return err
	}
	if err := s.write(r, audit.Entry{Act: audit.EndSession, Target: name, Result: audit.Done}); err != nil {
		return err
	}
	if err := s.endSessions(r, name, keep); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	s.say(r, Notice{Text: wordsOf(r).Text("users.sessions_ended", name)})
	return redirect(w, "/desk/users")
}
