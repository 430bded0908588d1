package desk

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/desk/page"
)

const listed = 50 // messages on a page

// A stateWord is a state as a clerk knows it, which may be several of the ledger's.
type stateWord struct {
	word   string // in the address
	states []pombo.State
}

var stateWords = []stateWord{
	{"queued", []pombo.State{pombo.Queued, pombo.Claimed}},
	{"sending", []pombo.State{pombo.Sending}},
	{"sent", []pombo.State{pombo.Accepted, pombo.Dispatched}},
	{"delivered", []pombo.State{pombo.Delivered}},
	{"read", []pombo.State{pombo.Read}},
	{"failed", []pombo.State{pombo.Failed}},
	{"uncertain", []pombo.State{pombo.Uncertain}},
	{"unsent", []pombo.State{pombo.Cancelled, pombo.Expired, pombo.Suppressed}},
}

// handedOver is chosen like a state: the row's other channel has it, whatever became of the
// message.
const handedOver = "handed_over"

// statesOf returns the states of a word; a word of the ledger stands for itself alone
// where it is none of a clerk's.
func statesOf(word string) (states []pombo.State, known bool) {
	for _, w := range stateWords {
		if w.word == word {
			return w.states, true
		}
	}
	if s := pombo.State(word); s.Valid() {
		return []pombo.State{s}, true
	}
	return nil, word == ""
}

// messagesView is page/messages.tmpl.
type messagesView struct {
	States, Reasons []choice
	Template, Run   string
	From, Until     string
	Filtered        bool
	Wrong           string // what is wrong with the filter
	Table           page.Table
	Pager           page.Pager
	Empty           *page.Empty
	Unreadable      string
	CSV, Export     string // addresses; Export "" = it is not for this visitor
	Resend          string // the plan for all of these; "" = not for this visitor or this filter
}

// messageFilter is a filter as written in an address. Nothing in it is about a person.
type messageFilter struct {
	State, Template, Reason, Run, From, Until, Cursor string
}

func readMessageFilter(q url.Values) messageFilter {
	get := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	return messageFilter{get("state"), get("template"), get("reason"), get("run"), get("from"), get("until"), get("cursor")}
}

// query is the filter for an address.
func (f messageFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"state": f.State, "template": f.Template, "reason": f.Reason, "run": f.Run, "from": f.From, "until": f.Until, "cursor": f.Cursor,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// address is path with the filter behind it.
func (f messageFilter) address(path string) string {
	if q := f.query().Encode(); q != "" {
		return path + "?" + q
	}
	return path
}

// readMoment reads what the field of a form has for a time.
func readMoment(text string, zone *time.Location) (time.Time, bool) {
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, text == ""
}

// filter is the filter for the ledger; wrong is the key of what is wrong with it.
func (f messageFilter) filter(zone *time.Location) (filter pombo.Filter, states []pombo.State, wrong string) {
	states, known := statesOf(f.State)
	filter = pombo.Filter{Reason: pombo.Reason(f.Reason), Template: f.Template, Cursor: f.Cursor, Limit: listed}
	var fromOK, untilOK bool
	filter.Since, fromOK = readMoment(f.From, zone)
	filter.Until, untilOK = readMoment(f.Until, zone)
	runOK := true
	if f.Run != "" {
		run, err := strconv.ParseInt(f.Run, 10, 64)
		filter.Run, runOK = run, err == nil && run > 0
	}
	if f.State == handedOver {
		filter.HandedOver, known = true, true
	}
	switch {
	case !known:
		return filter, nil, "messages.wrong_state"
	case !filter.Reason.Valid():
		return filter, nil, "messages.wrong_reason"
	case f.Template != "" && !pombo.ValidTemplateName(f.Template):
		return filter, nil, "messages.wrong_template"
	case !fromOK || !untilOK:
		return filter, nil, "messages.wrong_time"
	case !runOK:
		return filter, nil, "messages.wrong_run"
	}
	return filter, states, ""
}

// getMessages lists messages, the newest first.
func (s *Server) getMessages(w http.ResponseWriter, r *http.Request) error {
	c := s.clerk(r)
	f := readMessageFilter(r.URL.Query())
	v := messagesView{Template: f.Template, Run: f.Run, From: f.From, Until: f.Until}
	plain := f
	plain.Cursor = ""
	v.Filtered = plain != messageFilter{}
	for _, field := range []*string{&v.From, &v.Until} { // a day alone is none that a field shows
		if t, ok := readMoment(*field, s.o.Zone); ok && !t.IsZero() {
			*field = t.Format("2006-01-02T15:04")
		}
	}
	v.States = c.stateChoices(f.State)
	v.Reasons = c.reasonChoices(pombo.Reason(f.Reason))
	filter, states, wrong := f.filter(s.o.Zone)
	if wrong != "" {
		v.Wrong = c.Text(wrong)
		return s.renderStatus(w, r, http.StatusUnprocessableEntity, "messages", v)
	}
	ctx, cancel := reading(r)
	defer cancel()
	list, err := s.o.Messages.ListStates(ctx, filter, states...)
	if err != nil {
		return err
	}
	v.CSV = plain.address("/desk/messages.csv")
	if may(visitorOf(r).User, exportClear) {
		v.Export = plain.address("/desk/export")
	}
	// A plan goes by when a message last changed, so one with a time is not the same set.
	if may(visitorOf(r).User, operate) && f.From == "" && f.Until == "" && f.Run == "" && (f.State == "failed" || f.State == "uncertain") {
		v.Resend = planPath(pombo.BulkRetry, pombo.BulkFilter{States: states, Reason: filter.Reason, Template: f.Template})
	}
	if list.Unreadable > 0 {
		v.Unreadable = c.Text("messages.unreadable", list.Unreadable)
	}
	v.Table = c.table(list.Notifications, c.Text("messages.caption"))
	v.Pager = c.pager(list, f.Cursor != "", func(cursor string) string {
		next := plain
		next.Cursor = cursor
		return next.address("/desk/messages")
	})
	if len(list.Notifications) == 0 && list.Next == "" {
		v.Empty = c.emptyList(v.Filtered, f.Cursor != "")
	}
	return s.render(w, r, "messages", v)
}

func (c clerk) stateChoices(chosen string) []choice {
	out := []choice{{Value: "", Text: c.Text("messages.all_states"), Chosen: chosen == ""}}
	found := chosen == ""
	for _, w := range stateWords {
		out = append(out, choice{Value: w.word, Text: c.State(w.states[0]), Chosen: chosen == w.word})
		found = found || chosen == w.word
	}
	if c.o.Fallback || chosen == handedOver {
		out = append(out, choice{Value: handedOver, Text: c.Text("messages.handed_over"), Chosen: chosen == handedOver})
		found = found || chosen == handedOver
	}
	if s := pombo.State(chosen); !found && s.Valid() { // one of several that a clerk knows by one word
		out = append(out, choice{Value: chosen, Text: c.State(s) + ": " + c.StateMeaning(s), Chosen: true})
	}
	return out
}

func (c clerk) reasonChoices(chosen pombo.Reason) []choice {
	out := []choice{{Value: "", Text: c.Text("messages.all_reasons"), Chosen: chosen == ""}}
	for _, reason := range pombo.Reasons() {
		out = append(out, choice{Value: string(reason), Text: c.Reason(reason), Chosen: chosen == reason})
	}
	return out
}

// table shows notifications: phones masked, and the part of a name that a list may
// show.
func (c clerk) table(list []pombo.Notification, caption string) page.Table {
	t := page.Table{Caption: caption, Columns: []page.Column{{Word: c.Text("messages.row")}}}
	names := c.o.NameSlot != ""
	if names {
		t.Columns = append(t.Columns, page.Column{Word: c.Text("messages.person")})
	}
	for _, key := range []string{"messages.phone", "messages.template", "messages.state", "messages.taken_in", "messages.changed"} {
		t.Columns = append(t.Columns, page.Column{Word: c.Text(key)})
	}
	for i := range list {
		n := &list[i]
		row := []page.Cell{{Href: messagePath(n.MessageID), Text: n.Key.RowKey}}
		if names {
			row = append(row, page.Cell{Text: orDash(initials(n, c.o.NameSlot, c.o.NameNumber))})
		}
		number := page.Cell{Phone: c.phone(n.Phone)}
		if n.Phone.IsZero() {
			number.Text = "–"
		}
		row = append(row, number, page.Cell{Text: c.template(n)}, page.Cell{Badge: c.badge(n)}, page.Cell{Time: c.at(n.Created)}, page.Cell{Time: c.at(n.Updated)})
		t.Rows = append(t.Rows, row)
	}
	return t
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// pager leads to the older ones, and back to the newest.
func (c clerk) pager(list pombo.Page, paged bool, address func(cursor string) string) page.Pager {
	p := page.Pager{Label: c.Text("messages.pages")}
	if paged {
		p.Newer = page.Link{Href: address(""), Text: c.Text("messages.newest")}
	}
	if list.Next == "" {
		return p
	}
	p.Older = page.Link{Href: address(list.Next), Text: c.Text("messages.older")}
	if len(list.Notifications) < listed { // it has stopped before the page was full
		p.Older.Text = c.Text("messages.continue")
		if !list.LookedTo.IsZero() {
			p.Note = c.Text("messages.looked", c.Time(list.LookedTo.In(c.o.Zone), c.now))
		}
	}
	return p
}

// emptyList says why a list is empty.
func (c clerk) emptyList(filtered, paged bool) *page.Empty {
	e := &page.Empty{Title: c.Text("messages.none_yet"), Text: c.Text("messages.none_yet_text")}
	if filtered || paged {
		e.Title, e.Text = c.Text("messages.none"), c.kept()
		e.Links = []page.Link{{Href: "/desk/messages", Text: c.Text("messages.show_all")}}
	}
	return e
}

// kept says how far back there is anything to be found.
func (c clerk) kept() string {
	if c.o.Retention <= 0 {
		return ""
	}
	return c.Text("messages.kept", c.Span(c.o.Retention))
}
