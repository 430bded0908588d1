package desk

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
)

// UserRequest is what pombo desk user asks of a running desk.
type UserRequest struct {
	Account string     `json:"account"` // of the machine, as it says itself
	Do      string     `json:"do"`      // "add", "list", "invite", "change" or "disable"
	Name    string     `json:"name,omitempty"`
	Role    pombo.Role `json:"role,omitempty"`
	Grants  []string   `json:"grants,omitempty"`
}

// UserAnswer is what it answers.
type UserAnswer struct {
	Users  []UserInfo `json:"users,omitempty"`
	Invite string     `json:"invite,omitempty"` // path and query
	Error  string     `json:"error,omitempty"`
}

// UserInfo is an account as the command line shows it.
type UserInfo struct {
	Name        string    `json:"name"`
	Role        string    `json:"role"`
	Grants      []string  `json:"grants"`
	Created     time.Time `json:"created"`
	Seen        time.Time `json:"seen,omitzero"`
	HasPassword bool      `json:"has_password"`
	Disabled    bool      `json:"disabled"`
}

const (
	signedHeader = "Pombo-Signed"
	signedTime   = time.Minute
)

// Sign signs a request of the command line: the holder of the key may manage the
// accounts.
func Sign(key audit.Key, r *http.Request, body []byte, now time.Time) {
	parts := signedParts(r.URL.Path, body, strconv.FormatInt(now.Unix(), 36), random())
	mac := base64.RawURLEncoding.EncodeToString(key.MAC("cli", parts...))
	r.Header.Set(signedHeader, parts[2]+"."+parts[3]+"."+mac)
}

func signedParts(path string, body []byte, made, word string) []string {
	sum := sha256.Sum256(body)
	return []string{path, hex.EncodeToString(sum[:]), made, word}
}

// checkSigned lets through what the command line of this machine has signed, once.
func (s *Server) checkSigned(r *http.Request) error {
	bad := refuse(http.StatusForbidden, "error.signature")
	parts := strings.Split(r.Header.Get(signedHeader), ".")
	if len(parts) != 3 || !s.local(r) {
		return bad
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return formError(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	made, err := strconv.ParseInt(parts[0], 36, 64)
	age := s.o.Now().Sub(time.Unix(made, 0))
	if err != nil || age.Abs() > signedTime || !s.macIs(parts[2], "cli", signedParts(r.URL.Path, body, parts[0], parts[1])...) {
		return bad
	}
	first, err := s.o.Sessions.Once(r.Context(), "cli:"+parts[1], s.o.Now().Add(2*signedTime))
	if err != nil {
		return err
	}
	if !first {
		return bad
	}
	return nil
}

// cliUsers keeps the accounts for pombo desk user.
func (s *Server) cliUsers(w http.ResponseWriter, r *http.Request) error {
	var ask UserRequest
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		return formError(err)
	}
	line := audit.Entry{At: s.o.Now(), Who: ask.Account, Via: audit.ViaCLI}
	answer, err := s.keepUsers(r, ask, line)
	status := http.StatusOK
	switch {
	case err == nil:
	case userErrorKey(err) != "":
		answer, status = UserAnswer{Error: err.Error()}, http.StatusUnprocessableEntity
	case errors.Is(err, pombo.ErrNotFound):
		answer, status = UserAnswer{Error: "there is no account of that name"}, http.StatusNotFound
	default:
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(answer)
}

func (s *Server) keepUsers(r *http.Request, ask UserRequest, line audit.Entry) (UserAnswer, error) {
	ctx := r.Context()
	wish := userWish{name: ask.Name, role: ask.Role, grants: ask.Grants}
	switch ask.Do {
	case "add":
		u, err := s.addUser(ctx, wish, line)
		if err != nil {
			return UserAnswer{}, err
		}
		return UserAnswer{Users: []UserInfo{userInfo(u)}, Invite: s.newInvite(u)}, nil
	case "list":
		users, err := s.o.Users.Users(ctx)
		if err != nil {
			return UserAnswer{}, err
		}
		answer := UserAnswer{Users: []UserInfo{}}
		for _, u := range users {
			answer.Users = append(answer.Users, userInfo(u))
		}
		return answer, nil
	case "invite":
		u, err := s.o.Users.User(ctx, ask.Name)
		if err != nil {
			return UserAnswer{}, err
		}
		line.Act, line.Target, line.Result = audit.LinkMade, u.Name, audit.Done
		if err := s.o.Trail.WriteAudit(ctx, line); err != nil {
			return UserAnswer{}, err
		}
		return UserAnswer{Users: []UserInfo{userInfo(u)}, Invite: s.newInvite(u)}, nil
	case "change", "disable":
		if ask.Do == "disable" {
			u, err := s.o.Users.User(ctx, ask.Name)
			if err != nil {
				return UserAnswer{}, err
			}
			wish = userWish{name: u.Name, role: u.Role, grants: u.Grants.Names(), disabled: true}
		}
		u, err := s.changeUser(ctx, wish, line)
		if err != nil {
			return UserAnswer{}, err
		}
		return UserAnswer{Users: []UserInfo{userInfo(u)}}, nil
	}
	return UserAnswer{}, refuse(http.StatusUnprocessableEntity, "error.form")
}

func userInfo(u pombo.User) UserInfo {
	grants := u.Grants.Names()
	if grants == nil {
		grants = []string{}
	}
	return UserInfo{Name: u.Name, Role: string(u.Role), Grants: grants, Created: u.Created, Seen: u.Seen, HasPassword: u.Hash != "", Disabled: u.Disabled}
}
