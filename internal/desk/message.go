package desk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/template"
)

// messageView is page/message.tmpl.
type messageView struct {
	ID, Row      string
	Badge        page.Badge
	Newer, Older page.Link
	Answer       page.Notice
	Copy         page.Copy
	Retry        page.Link // "" = not for this visitor, or not from here
	RetryBehind  string    // the question behind which sending again stands, where it rarely helps
	Cancel       page.Link
	Ask          bool
	Steps        []page.Step
	Bubble       *page.Bubble
	NoBubble     string // why there is none
	Replies      []replyView
	Facts        []page.Fact
	Technical    []page.Fact
	Events       page.Table
	Uncovered    *uncovered
	MayUncover   bool
	Purposes     []choice
	Problem      string // what was wrong with the purpose
}

// generation is a message of a row.
type generation struct {
	pombo.Notification
	events  []pombo.Event
	replies []pombo.Reply
}

const mostGenerations = 10 // before and after the one that is shown

// generations returns the messages of a row, the first one first, and which of them the
// one with the id is.
func (s *Server) generations(ctx context.Context, id pombo.MessageID) (list []generation, at int, err error) {
	n, events, err := s.o.Messages.Notification(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	replies, err := s.repliesOf(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	list = []generation{{n, events, replies}}
	other := func(number int) (generation, bool, error) {
		key := n.Key
		key.Generation = number
		n, events, err := s.o.Messages.Notification(ctx, key.MessageID())
		switch {
		case errors.Is(err, pombo.ErrNotFound):
			return generation{}, false, nil
		case err != nil:
			return generation{}, false, err
		}
		replies, err := s.repliesOf(ctx, n.MessageID)
		return generation{n, events, replies}, err == nil, err
	}
	for number := n.Key.Generation - 1; number >= 1 && at < mostGenerations; number-- {
		g, known, err := other(number)
		if err != nil {
			return nil, 0, err
		}
		if !known {
			break
		}
		list, at = append([]generation{g}, list...), at+1
	}
	for number := n.Key.Generation + 1; number <= n.Key.Generation+mostGenerations; number++ {
		g, known, err := other(number)
		if err != nil {
			return nil, 0, err
		}
		if !known {
			break
		}
		list = append(list, g)
	}
	return list, at, nil
}

// pathMessage reads the id of the address.
func pathMessage(r *http.Request) (pombo.MessageID, error) {
	id, err := pombo.ParseMessageID(r.PathValue("id"))
	if err != nil {
		return "", refuse(http.StatusNotFound, "error.no_message")
	}
	return id, nil
}

func noMessage(err error) error {
	if errors.Is(err, pombo.ErrNotFound) {
		return refuse(http.StatusNotFound, "error.no_message")
	}
	return err
}

func (s *Server) getMessage(w http.ResponseWriter, r *http.Request) error {
	id, err := pathMessage(r)
	if err != nil {
		return err
	}
	return s.showMessage(w, r, id, http.StatusOK, nil, "")
}

// postUncover shows phone and values of one message, for this answer only. The line of
// the trail comes first: without it, nothing is shown.
func (s *Server) postUncover(w http.ResponseWriter, r *http.Request) error {
	id, err := pathMessage(r)
	if err != nil {
		return err
	}
	ctx, cancel := reading(r)
	defer cancel()
	n, _, err := s.o.Messages.Notification(ctx, id)
	if err != nil {
		return noMessage(err)
	}
	purpose, problem := readPurpose(r)
	if problem != "" {
		return s.showMessage(w, r, id, http.StatusUnprocessableEntity, nil, wordsOf(r).Text(problem))
	}
	line := audit.Entry{Act: audit.Uncover, Target: string(id), Detail: purpose, Result: audit.Done}
	if !n.Phone.IsZero() {
		line.Person = s.o.Key.Person(n.Phone)
	}
	if err := s.write(r, line); err != nil {
		return err
	}
	return s.showMessage(w, r, id, http.StatusOK, uncoverMessage(&n), "")
}

// hasNumber reports whether a note has what may be a phone or another number of a
// person, which must not be in the trail.
func hasNumber(note string) bool {
	digits := 0
	for _, r := range note {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	return digits >= 8
}

// cut returns at most that many letters.
func cut(s string, most int) string {
	if letters := []rune(s); len(letters) > most {
		return string(letters[:most])
	}
	return s
}

func (s *Server) showMessage(w http.ResponseWriter, r *http.Request, id pombo.MessageID, status int, open *uncovered, problem string) error {
	ctx, cancel := reading(r)
	defer cancel()
	list, at, err := s.generations(ctx, id)
	if err != nil {
		return noMessage(err)
	}
	c, me := s.clerk(r), visitorOf(r).User
	n := &list[at].Notification
	v := messageView{
		ID: string(n.MessageID), Row: n.Key.RowKey, Badge: c.badge(n), Answer: c.answer(n), Steps: c.story(list),
		Facts: c.facts(n), Technical: c.technical(n), Events: c.events(list[at].events), Uncovered: open, Problem: problem,
	}
	v.Copy = page.Copy{ID: "explanation", Label: c.Text("message.explanation"), Text: c.explanation(n), Button: c.Text("button.copy"), Done: c.Text("message.copied")}
	if at+1 < len(list) {
		v.Newer = page.Link{Href: messagePath(list[at+1].MessageID), Text: c.Text("message.newer")}
	}
	if at > 0 {
		v.Older = page.Link{Href: messagePath(list[at-1].MessageID), Text: c.Text("message.older")}
	}
	last := at == len(list)-1
	v.Badge.Detail = "" // the answer says it
	if !last {
		v.Answer.Text = c.Text("message.later", c.State(list[len(list)-1].State))
	}
	if last && mayRetry(me, n) {
		v.Retry = page.Link{Href: messagePath(id) + "/retry", Text: c.Text("message.retry")}
		if n.Reason.Class() == pombo.ClassPerson {
			v.RetryBehind = c.Text("message.retry_behind")
		}
	}
	if may(me, operate) && (n.State == pombo.Queued || n.State == pombo.Uncertain) {
		v.Cancel = page.Link{Href: messagePath(id) + "/cancel", Text: c.Text("message.cancel")}
	}
	v.Ask = may(me, operate) && n.State == pombo.Uncertain
	v.MayUncover = may(me, uncover) && !erased(n) && open == nil
	v.Purposes = c.purposes(r)
	v.Replies = c.replyViews(list[at].replies, open != nil)
	if v.Bubble, v.NoBubble, err = s.bubble(ctx, c, list[at], open); err != nil {
		return err
	}
	return s.renderStatus(w, r, status, "message", v)
}

// bubble draws the message as its recipient has seen it, or would.
func (s *Server) bubble(ctx context.Context, c clerk, g generation, open *uncovered) (b *page.Bubble, none string, err error) {
	n := &g.Notification
	if erased(n) {
		return nil, c.Text("message.text_erased"), nil
	}
	sent := n.Begun
	if sent.IsZero() {
		sent = c.now
	}
	name := c.template(n)
	language := cmp.Or(n.Language, s.o.Language)
	t, known, err := s.o.Messages.TemplateAt(ctx, name, language, sent)
	note := ""
	if err == nil && !known {
		// It was first listed later: what it said before that nobody has recorded.
		if t, known, err = s.o.Messages.TemplateAt(ctx, name, language, c.now); known {
			note = c.Text("message.text_of_today")
		}
	}
	if err != nil || !known {
		return nil, c.Text("message.text_unknown"), err
	}
	var values template.Values
	if open != nil {
		values = open.values
	}
	drawn := bubbleOf(c.Words, t, values)
	b, drawn.Note = &drawn, note
	for _, e := range g.events {
		if e.State == pombo.Delivered || e.State == pombo.Read {
			b.At = c.Time(e.At.In(s.o.Zone), c.now)
			break
		}
	}
	return b, "", nil
}

// answer is the first line of a message: did they get theirs, and what to do.
func (c clerk) answer(n *pombo.Notification) page.Notice {
	a := page.Notice{Level: "warn", Title: c.Text("answer."+string(n.State), c.Time(n.Updated.In(c.o.Zone), c.now)), Text: c.todo(n)}
	switch n.State {
	case pombo.Delivered, pombo.Read:
		a.Level = "ok"
	case pombo.Failed:
		a.Level = "bad"
	}
	if why := c.why(n); why != "" && n.State != pombo.Uncertain {
		a.Title += " " + asSentence(why)
	}
	return a
}

// todo says what a person can do.
func (c clerk) todo(n *pombo.Notification) string {
	switch n.State {
	case pombo.Uncertain:
		return c.Text("message.todo_uncertain")
	case pombo.Failed, pombo.Cancelled, pombo.Expired, pombo.Suppressed:
		if hint := c.ReasonHint(n.Reason); hint != "" {
			return c.Text("message.todo", hint)
		}
	case pombo.Queued, pombo.Claimed, pombo.Sending:
		return c.Text("message.todo_wait")
	case pombo.Accepted, pombo.Dispatched:
		return c.Text("message.todo_sent")
	}
	return ""
}

// asSentence makes a whole sentence of words in lower case.
func asSentence(s string) string {
	if s == "" {
		return ""
	}
	letters := []rune(s)
	letters[0] = unicode.ToUpper(letters[0])
	return strings.TrimSuffix(string(letters), ".") + "."
}

// explanation is what to say on the telephone. Nothing in it is about the person.
func (c clerk) explanation(n *pombo.Notification) string {
	a := c.answer(n)
	text := c.Text("message.explain", c.Time(n.Created.In(c.o.Zone), c.now), a.Title)
	if a.Text != "" {
		text += " " + a.Text
	}
	return text
}

// facts are the data of a message that a clerk knows what to do with.
func (c clerk) facts(n *pombo.Notification) []page.Fact {
	number := page.Fact{Word: c.Text("messages.phone"), Phone: c.phone(n.Phone)}
	switch {
	case erased(n):
		number.Text = c.Text("message.erased")
	case n.Phone.IsZero():
		number.Text = c.Text("find.phone_bad")
	}
	list := []page.Fact{number}
	if name := initials(n, c.o.NameSlot, c.o.NameNumber); name != "" {
		list = append(list, page.Fact{Word: c.Text("messages.person"), Text: name})
	}
	list = append(list,
		page.Fact{Word: c.Text("messages.row"), Text: c.Text("message.row_of", n.Key.RowKey, n.Key.Source)},
		page.Fact{Word: c.Text("messages.template"), Text: c.template(n), Href: "/desk/messages?template=" + c.template(n)},
		page.Fact{Word: c.Text("messages.taken_in"), Text: c.at(n.Created).Long},
	)
	if n.Run != 0 {
		run := strconv.FormatInt(n.Run, 10)
		list = append(list, page.Fact{Word: c.Text("messages.run"), Text: run, Href: "/desk/messages?run=" + run})
	}
	if !n.SendAfter.IsZero() && !pombo.IsFar(n.SendAfter) {
		list = append(list, page.Fact{Word: c.Text("message.send_after"), Text: c.at(n.SendAfter).Long})
	}
	if !n.Expires.IsZero() && !pombo.IsFar(n.Expires) {
		list = append(list, page.Fact{Word: c.Text("message.expires"), Text: c.at(n.Expires).Long})
	}
	settled := c.Text("message.settled_none")
	if n.Settled != "" {
		settled = n.Settled
	}
	return append(list, page.Fact{Word: c.Text("message.settled"), Text: settled})
}

// technical has the words of the ledger and of the log, for searching there.
func (c clerk) technical(n *pombo.Notification) []page.Fact {
	list := []page.Fact{
		{Word: c.Text("message.id"), Text: string(n.MessageID), Code: true},
		{Word: c.Text("message.generation"), Text: strconv.Itoa(n.Key.Generation)},
		{Word: c.Text("messages.state"), Text: string(n.State), Code: true},
	}
	add := func(key, text string) {
		if text != "" {
			list = append(list, page.Fact{Word: c.Text(key), Text: text, Code: true})
		}
	}
	add("messages.reason", string(n.Reason))
	add("message.detail", n.Detail)
	add("message.attempts", strconv.Itoa(n.Attempt))
	add("message.owner", n.Owner)
	if !n.NotBefore.IsZero() && !pombo.IsFar(n.NotBefore) {
		add("message.not_before", c.at(n.NotBefore).Long)
	}
	add("message.command", "pombo show "+string(n.MessageID))
	return list
}

// events is the history as the ledger has it.
func (c clerk) events(events []pombo.Event) page.Table {
	t := page.Table{Caption: c.Text("message.events")}
	for _, key := range []string{"messages.changed", "messages.state", "message.attempts", "messages.reason", "message.detail"} {
		t.Columns = append(t.Columns, page.Column{Word: c.Text(key)})
	}
	for _, e := range events {
		t.Rows = append(t.Rows, []page.Cell{
			{Text: c.at(e.At).Long}, {Text: string(e.State)}, {Text: strconv.Itoa(e.Attempt)}, {Text: orDash(string(e.Reason))}, {Text: orDash(e.Detail)},
		})
	}
	return t
}

// messagePath is where the page of a message is.
func messagePath(id pombo.MessageID) string { return "/desk/messages/" + url.PathEscape(string(id)) }
