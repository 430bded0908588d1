package desk

import (
	"encoding/json"
	"net/http"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/words"
)

// meView is page/me.tmpl.
type meView struct {
	Name, Role  string
	Grants      []string
	Local       bool // came by the link: there is no account to change
	HasPassword bool
	Languages   []choice
	KeysOff     bool
	Sessions    []sessionLine
	Wrong       string // what is wrong with the new password
}

// sessionLine is one sign-in.
type sessionLine struct {
	ID             string
	Name           string
	Since, Expires time.Time
	Address, Kind  string
	Own            bool // it is this one
}

func (s *Server) getMe(w http.ResponseWriter, r *http.Request) error {
	return s.showMe(w, r, http.StatusOK, "")
}

func (s *Server) showMe(w http.ResponseWriter, r *http.Request, status int, wrong string) error {
	me, say := visitorOf(r), wordsOf(r)
	v := meView{Name: me.Name, Role: say.Text("role." + string(me.Role)), Local: me.Local(), HasPassword: me.Hash != "", KeysOff: me.KeysOff, Wrong: wrong}
	for _, grant := range me.Grants.Names() {
		v.Grants = append(v.Grants, say.Text("grant."+grant))
	}
	v.Languages = []choice{
		{Value: "", Text: say.Text("language.browser"), Chosen: me.Language == ""},
		{Value: string(words.Portuguese), Text: say.Text("language.portuguese"), Chosen: me.Language == string(words.Portuguese)},
		{Value: string(words.English), Text: say.Text("language.english"), Chosen: me.Language == string(words.English)},
	}
	var err error
	if v.Sessions, err = s.sessionsOf(r, me.Name); err != nil {
		return err
	}
	return s.renderStatus(w, r, status, "me", v)
}

// postMe changes the language and the keys.
func (s *Server) postMe(w http.ResponseWriter, r *http.Request) error {
	me := visitorOf(r)
	if me.Local() {
		return refuse(http.StatusConflict, "error.no_own_account")
	}
	after := me.User
	after.Language = ""
	if lang, err := words.Parse(r.PostForm.Get("language")); err == nil {
		after.Language = string(lang)
	}
	after.KeysOff = r.PostForm.Get("keys_off") != ""
	line := s.line(r, audit.Entry{Act: audit.UserChange, Target: me.Name, Detail: "language, keys", Result: audit.Done})
	if err := s.o.Users.ChangeUser(r.Context(), me.User, after, line); err != nil {
		return err
	}
	me.User = after
	s.say(r, Notice{Text: wordsOf(r).Text("me.saved")})
	return redirect(w, "/desk/me")
}

// postPassword changes the visitor's own password, which they have to know.
func (s *Server) postPassword(w http.ResponseWriter, r *http.Request) error {
	me, say := visitorOf(r), wordsOf(r)
	if me.Local() {
		return refuse(http.StatusConflict, "error.no_own_account")
	}
	password := pombo.Private(r.PostForm.Get("password"))
	if wrong, err := s.askPassword(r, "current"); err != nil || wrong != "" {
		if err != nil {
			return err
		}
		return s.showMe(w, r, http.StatusUnprocessableEntity, wrong)
	}
	if wrong := newPasswordWrong(password, pombo.Private(r.PostForm.Get("again")), me.Name); wrong != "" {
		return s.showMe(w, r, http.StatusUnprocessableEntity, say.Text(wrong, minPassword))
	}
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	after, err := s.setPassword(r, me.User, me.User, password, me.session)
	if err != nil {
		return err
	}
	me.User = after
	s.say(r, Notice{Text: say.Text("me.password_saved")})
	return redirect(w, "/desk/me")
}

// askPassword checks the visitor's password again, from a field of the form, and returns
// the sentence for a wrong one. Visitors without one, let in by a proxy or a link, are
// not asked.
func (s *Server) askPassword(r *http.Request, field string) (wrong string, err error) {
	me := visitorOf(r)
	if me.Kind != byPassword {
		return "", nil
	}
	u, wait, err := s.authenticate(r, me.Name, pombo.Private(r.PostForm.Get(field)))
	switch {
	case err != nil:
		return "", err
	case wait > 0:
		return wordsOf(r).Text("login.wait", int(wait.Seconds())+1), nil
	case u.Name == "":
		return wordsOf(r).Text("password.wrong"), nil
	}
	return "", nil
}

// postEndOwnSession ends one of the visitor's sessions, or all others.
func (s *Server) postEndOwnSession(w http.ResponseWriter, r *http.Request) error {
	me := visitorOf(r)
	id := r.PostForm.Get("session")
	all, err := s.sessionsOf(r, me.Name)
	if err != nil {
		return err
	}
	for _, one := range all {
		if !one.Own && (one.ID == id || id == "others") {
			if err := s.o.Sessions.DeleteSession(r.Context(), one.ID); err != nil {
				return err
			}
			s.note(r, audit.Entry{Act: audit.EndSession, Target: me.Name, Result: audit.Done})
		}
	}
	s.say(r, Notice{Text: wordsOf(r).Text("me.sessions_ended")})
	return redirect(w, "/desk/me")
}

// sessionsOf lists the sessions of an account; "" = of all.
func (s *Server) sessionsOf(r *http.Request, name string) ([]sessionLine, error) {
	all, err := s.o.Sessions.Sessions(r.Context())
	if err != nil {
		return nil, err
	}
	own := ""
	if me := visitorOf(r); me != nil {
		own = me.session
	}
	var out []sessionLine
	for _, one := range all {
		if name != "" && one.Name != name {
			continue
		}
		var data struct{ Values map[string]string }
		if err := json.Unmarshal(one.Data, &data); err != nil || data.Values[inUser] == "" {
			continue
		}
		since, _ := time.Parse(time.RFC3339, data.Values[inSince]) // zero shows as unknown
		out = append(out, sessionLine{
			ID: one.Token, Name: one.Name, Since: since, Expires: one.Expires, Address: data.Values[inAddress],
			Kind: wordsOf(r).Text("kind." + data.Values[inKind]), Own: own != "" && data.Values[inID] == own,
		})
	}
	return out, nil
}

// endSessions ends all sessions of an account but the one with the id to keep.
func (s *Server) endSessions(r *http.Request, name, keep string) error {
	all, err := s.sessionsOf(r, name)
	if err != nil {
		return err
	}
	for _, one := range all {
		if keep != "" && one.Own {
			continue
		}
		if err := s.o.Sessions.DeleteSession(r.Context(), one.ID); err != nil {
			return err
		}
	}
	return nil
}
