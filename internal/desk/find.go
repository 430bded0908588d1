package desk

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/phone"
)

// A search may be for the phone of a person, so its words are in no address. They are
// kept in the session, encrypted, under a random token, and the token is in the address.

const (
	inFound    = "found" // the searches of a session, the newest last
	mostFound  = 8       // searches remembered
	mostSearch = 200     // bytes
)

// found is one search of a session.
type found struct {
	Token, Sealed string
	Recorded      bool // it is about a person, and in the trail
}

// rememberSearch keeps the words of a search and returns the token for its address.
func (s *Server) rememberSearch(r *http.Request, what pombo.Private) (string, error) {
	block, err := s.sealer()
	if err != nil {
		return "", err
	}
	token, nonce := random(), make([]byte, block.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	sealed := block.Seal(nonce, nonce, []byte(openWords(what)), []byte(token))
	list := append(s.searches(r), found{Token: token, Sealed: base64.RawStdEncoding.EncodeToString(sealed)})
	return token, s.keepSearches(r, list[max(0, len(list)-mostFound):])
}

// search returns the words of an earlier search; pombo.ErrNotFound when the session does
// not have them, as when somebody else has sent the address.
func (s *Server) search(r *http.Request) (string, error) {
	token := r.PathValue("token")
	for _, f := range s.searches(r) {
		if f.Token != token {
			continue
		}
		block, err := s.sealer()
		if err != nil {
			return "", err
		}
		sealed, err := base64.RawStdEncoding.DecodeString(f.Sealed)
		if err != nil || len(sealed) < block.NonceSize() {
			break
		}
		text, err := block.Open(nil, sealed[:block.NonceSize()], sealed[block.NonceSize():], []byte(token))
		if err != nil { // of another key
			break
		}
		return string(text), nil
	}
	return "", refuse(http.StatusNotFound, "error.search")
}

func (s *Server) keepSearches(r *http.Request, list []found) error {
	text, err := json.Marshal(list)
	if err == nil {
		s.sessions.Put(r.Context(), inFound, string(text))
	}
	return err
}

// recordSearch writes the line about a search for a person, once: further pages of its
// list, and a reload, belong to the same search.
func (s *Server) recordSearch(r *http.Request, n phone.Number) error {
	list := s.searches(r)
	at := slices.IndexFunc(list, func(f found) bool { return f.Token == r.PathValue("token") })
	switch {
	case at < 0:
		return pombo.ErrNotFound
	case list[at].Recorded:
		return nil
	}
	if err := s.write(r, audit.Entry{Act: audit.Search, Target: "messages", Person: s.o.Key.Person(n), Result: audit.Done}); err != nil {
		return fmt.Errorf("write audit line: %w", err)
	}
	list[at].Recorded = true
	return s.keepSearches(r, list)
}

func (s *Server) searches(r *http.Request) []found {
	var list []found
	if text := s.sessions.GetString(r.Context(), inFound); text != "" && json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	return list
}

func (s *Server) sealer() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.o.Key.MAC("search"))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// postFind keeps what was typed and sends the browser to its answer.
func (s *Server) postFind(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	what := strings.TrimSpace(r.PostForm.Get("q"))
	if what == "" {
		return redirect(w, "/desk/messages")
	}
	token, err := s.rememberSearch(r, pombo.Private(what[:min(len(what), mostSearch)]))
	if err != nil {
		return err
	}
	return redirect(w, "/desk/find/"+token)
}

// A hit is the result of a search: one message, a person, or a list.
type hit struct {
	id     pombo.MessageID // the only one
	person phone.Number    // all messages to a person
	list   pombo.Page
}

// find tries the words in turn: as the key of a row, an id, a phone, and then the
// beginning of ids and keys.
func (s *Server) find(ctx context.Context, what string) (hit, error) {
	list, err := s.o.Messages.ListStates(ctx, pombo.Filter{Text: what, Limit: listed})
	if err != nil {
		return hit{}, err
	}
	if of := slices.DeleteFunc(slices.Clone(list.Notifications), func(n pombo.Notification) bool { return n.Key.RowKey != what }); len(of) > 0 {
		if oneRow(of) {
			return hit{id: of[0].MessageID}, nil // the newest of its generations
		}
		return hit{list: pombo.Page{Notifications: of}}, nil
	}
	if id, err := pombo.ParseMessageID(what); err == nil {
		_, _, err := s.o.Messages.Notification(ctx, id)
		if errors.Is(err, pombo.ErrNotFound) {
			return hit{}, nil
		}
		return hit{id: id}, err
	}
	if n, err := phone.Parse(what); err == nil {
		return hit{person: n}, nil
	}
	if len(list.Notifications) > 0 && list.Next == "" && oneRow(list.Notifications) {
		return hit{id: list.Notifications[0].MessageID}, nil
	}
	return hit{list: list}, nil
}

// oneRow reports whether all are generations of one row.
func oneRow(list []pombo.Notification) bool {
	for i := range list {
		if list[i].Key.Source != list[0].Key.Source || list[i].Key.RowKey != list[0].Key.RowKey {
			return false
		}
	}
	return true
}

// findView is page/find.tmpl.
type findView struct {
	Title    string
	Person   *recipientView
	Table    page.Table
	Pager    page.Pager
	Empty    *page.Empty
	LookFor  string // where the row is looked for in the table; "" = it is not
	LookedAt *rowView
}

// recipientView is what is known of a person beside their messages.
type recipientView struct {
	Phone  page.Phone
	OptOut string // "" = none
	Quiet  string // "" = not now
}

// rowView is a row of the table as it is now.
type rowView struct {
	Sentence string
	Facts    []page.Fact
}

// getFind shows what a search has found. The trail records a search for a phone before
// anything is shown.
func (s *Server) getFind(w http.ResponseWriter, r *http.Request) error {
	what, err := s.search(r)
	if err != nil {
		return err
	}
	ctx, cancel := reading(r)
	defer cancel()
	found, err := s.find(ctx, what)
	switch {
	case err != nil:
		return err
	case found.id != "":
		return redirect(w, messagePath(found.id))
	case !found.person.IsZero():
		return s.showPerson(ctx, w, r, found.person)
	}
	c := s.clerk(r)
	v := findView{Title: c.Text("find.title"), Table: c.table(found.list.Notifications, c.Text("find.caption"))}
	if found.list.Next != "" {
		v.Pager.Note = c.Text("find.more")
	}
	if len(found.list.Notifications) == 0 {
		v.Empty = &page.Empty{Title: c.Text("find.none"), Text: c.kept(), Steps: []string{c.Text("find.step_phone"), c.Text("find.step_row"), c.Text("find.step_id")}}
		if s.o.Rows != nil && may(visitorOf(r).User, operate) {
			v.LookFor = "/desk/find/" + r.PathValue("token") + "/row"
		}
	}
	return s.render(w, r, "find", v)
}

// showPerson lists all messages to a person, once the search is in the trail.
func (s *Server) showPerson(ctx context.Context, w http.ResponseWriter, r *http.Request, n phone.Number) error {
	if err := s.recordSearch(r, n); err != nil {
		return err
	}
	c := s.clerk(r)
	cursor := r.URL.Query().Get("cursor")
	list, err := s.o.Messages.ListStates(ctx, pombo.Filter{Phone: n.E164(), Cursor: cursor, Limit: listed})
	if err != nil {
		return err
	}
	path := "/desk/find/" + r.PathValue("token")
	v := findView{
		Title:  c.Text("find.person"),
		Person: &recipientView{Phone: c.phone(n)},
		Table:  c.table(list.Notifications, c.Text("find.person_caption")),
		Pager: c.pager(list, cursor != "", func(cursor string) string {
			if cursor == "" {
				return path
			}
			return path + "?" + url.Values{"cursor": {cursor}}.Encode()
		}),
	}
	v.Person.OptOut, v.Person.Quiet = c.optOut(s.o.Recipients.OptedOut(n, "")), c.quiet(n)
	if len(list.Notifications) == 0 && list.Next == "" {
		v.Empty = &page.Empty{Title: c.Text("find.person_none"), Text: c.kept()}
	}
	return s.render(w, r, "find", v)
}

func (c clerk) optOut(scope pombo.OptOutScope) string {
	switch scope {
	case pombo.OptOutAll:
		return c.Text("find.opted_out")
	case pombo.OptOutMarketing:
		return c.Text("find.opted_out_marketing")
	}
	return ""
}

// quiet says until when a person must not be disturbed; "" = they may be now.
func (c clerk) quiet(n phone.Number) string {
	free, zone := c.o.Recipients.Free(n, "")
	if free.IsZero() {
		return ""
	}
	free = free.In(zone)
	return c.Text("find.quiet", c.Time(free, c.now.In(zone)), zone.String())
}

// postFindRow looks for a row in the company's table that was not taken in.
func (s *Server) postFindRow(w http.ResponseWriter, r *http.Request) error {
	what, err := s.search(r)
	if err != nil {
		return err
	}
	if s.o.Rows == nil {
		return pombo.ErrNotFound
	}
	ctx, cancel := reading(r)
	defer cancel()
	c := s.clerk(r)
	v := findView{Title: c.Text("find.table_title"), LookedAt: &rowView{}}
	row, err := s.o.Rows.Row(ctx, what)
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		v.LookedAt.Sentence = c.Text("find.row_none")
		return s.render(w, r, "find", v)
	case err != nil:
		return err
	}
	statuses, err := s.o.Rows.Statuses(ctx, []string{what})
	if err != nil {
		return err
	}
	row.ParsePhone()
	status := statuses[what]
	v.LookedAt.Sentence = c.Text("find.row_other")
	if status == s.o.Pending {
		v.LookedAt.Sentence = c.Text("find.row_pending")
	}
	template := row.Template
	if template == "" {
		template = s.o.Template
	}
	number := page.Fact{Word: c.Text("messages.phone"), Phone: c.phone(row.Phone)}
	if row.Phone.IsZero() {
		number.Text = c.Text("find.phone_bad")
	}
	v.LookedAt.Facts = []page.Fact{
		{Word: c.Text("messages.row"), Text: row.RowKey},
		{Word: c.Text("find.status"), Text: orDash(status), Code: true},
		number,
		{Word: c.Text("messages.template"), Text: template},
	}
	return s.render(w, r, "find", v)
}
