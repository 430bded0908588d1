package desk

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A token of a form is a random word, the time it was made, and their MAC together with
// the session that it was made for. That it is used once is a line in the ledger, written
// in one step: in the session itself two clicks at the same time would both find it
// there, and every page with a form would write.

// newToken makes a token for a form of the visitor's session.
func (s *Server) newToken(r *http.Request) string {
	v := visitorOf(r)
	if v == nil {
		return ""
	}
	word, made := random(), strconv.FormatInt(s.o.Now().Unix(), 36)
	return word + "." + made + "." + s.mac("form", v.session, word, made)
}

// useToken refuses a form without a token, with one of another session, with one that
// has been used and with one that is older than any session.
func (s *Server) useToken(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	v := visitorOf(r)
	parts := strings.Split(r.PostForm.Get("once"), ".")
	if v == nil || len(parts) != 3 || !s.macIs(parts[2], "form", v.session, parts[0], parts[1]) {
		return refuse(http.StatusForbidden, "error.token")
	}
	made, err := strconv.ParseInt(parts[1], 36, 64)
	until := time.Unix(made, 0).Add(sessionLife)
	if err != nil || !s.o.Now().Before(until) {
		return refuse(http.StatusForbidden, "error.token")
	}
	first, err := s.o.Sessions.Once(r.Context(), "form:"+parts[0], until)
	switch {
	case err != nil:
		return err
	case !first:
		return refuse(http.StatusConflict, "error.twice")
	}
	return nil
}

func formError(err error) error {
	if ref := refusalOf(err); ref.status == http.StatusRequestEntityTooLarge {
		return ref
	}
	return refuse(http.StatusBadRequest, "error.form")
}

// mac signs the parts for a purpose, as text.
func (s *Server) mac(purpose string, parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(s.o.Key.MAC(purpose, parts...))
}

func (s *Server) macEqual(given, want string) bool { return hmac.Equal([]byte(given), []byte(want)) }

func (s *Server) macIs(given, purpose string, parts ...string) bool {
	return hmac.Equal([]byte(given), []byte(s.mac(purpose, parts...)))
}

// random returns an unguessable word.
func random() string { return rand.Text() }
