package desk

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
)

const (
	exports    = 2                // at a time: each takes the place of a page
	exported   = 1000             // rows that are read at once
	exportTime = 30 * time.Minute // for a whole file
)

// exportView is page/export.tmpl.
type exportView struct {
	Confirm page.Confirm
}

// getMessagesCSV is the list as a file for a spreadsheet, masked.
func (s *Server) getMessagesCSV(w http.ResponseWriter, r *http.Request) error {
	f := readMessageFilter(r.URL.Query())
	f.Cursor = ""
	return s.exportMessages(w, r, f, false, "")
}

// getExport asks for the purpose of a list with phones and values.
func (s *Server) getExport(w http.ResponseWriter, r *http.Request) error {
	f := readMessageFilter(r.URL.Query())
	return s.showExport(w, r, f, http.StatusOK, "")
}

func (s *Server) showExport(w http.ResponseWriter, r *http.Request, f messageFilter, status int, problem string) error {
	c := s.clerk(r)
	f.Cursor = ""
	v := exportView{Confirm: page.Confirm{
		Action: "/desk/messages.csv", Once: s.newToken(r), Problem: problem, Question: c.Text("export.question"),
		Follows: []string{c.Text("export.follows"), c.Text("export.recorded")}, Undo: c.Text("export.undo"),
		NoteLabel: c.Text("export.why"), NoteRequired: true, Submit: c.Text("button.csv"),
		Back: page.Link{Href: f.address("/desk/messages"), Text: c.Text("button.back")},
	}}
	for name, values := range f.query() {
		v.Confirm.Hidden = append(v.Confirm.Hidden, page.Hidden{Name: name, Value: values[0]})
	}
	return s.renderStatus(w, r, status, "export", v)
}

// postMessagesCSV is the list with phones and values, for a visitor who has the grant
// and states a purpose.
func (s *Server) postMessagesCSV(w http.ResponseWriter, r *http.Request) error {
	f := readMessageFilter(r.PostForm)
	f.Cursor = ""
	why := strings.TrimSpace(r.PostForm.Get("note"))
	switch {
	case why == "":
		return s.showExport(w, r, f, http.StatusUnprocessableEntity, wordsOf(r).Text("export.why_missing"))
	case hasNumber(why):
		return s.showExport(w, r, f, http.StatusUnprocessableEntity, wordsOf(r).Text("message.note_number"))
	}
	return s.exportMessages(w, r, f, true, cut(why, 200))
}

// exportMessages writes the list, page after page. Its line in the trail comes before the
// first byte. The session's context ends after half a minute, and a long list takes
// longer: only a reader that stops reading ends it.
func (s *Server) exportMessages(w http.ResponseWriter, r *http.Request, f messageFilter, open bool, why string) error {
	c := s.clerk(r)
	filter, states, wrong := f.filter(s.o.Zone)
	if wrong != "" {
		return refuse(http.StatusNotFound, "error.not_found")
	}
	select {
	case s.exporting <- struct{}{}:
		defer func() { <-s.exporting }()
	default:
		return refuse(http.StatusServiceUnavailable, "error.busy")
	}
	filter.Limit = exported
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exportTime)
	defer cancel()
	list, err := s.o.Messages.ListStates(ctx, filter, states...)
	if err != nil {
		return err
	}
	detail := "masked"
	if open {
		detail = "uncovered"
	}
	if q := f.query().Encode(); q != "" {
		detail += " " + q
	}
	if why != "" {
		detail += ": " + why
	}
	if err := s.write(r, audit.Entry{Act: audit.Export, Target: "messages", Detail: detail, Result: audit.Done}); err != nil {
		return fmt.Errorf("write audit line: %w", err)
	}
	out := newSheet(w, r, figureWords{c.Words, c.now}, c.Text("export.file")+"-"+c.now.Format("20060102-1504"))
	out.row(c.sheetHead(open)...)
	for {
		for i := range list.Notifications {
			out.row(c.sheetRow(&list.Notifications[i], open, out.machine)...)
		}
		if !out.more() || list.Next == "" {
			return nil // a visitor who has gone is not an error of ours
		}
		filter.Cursor = list.Next
		if list, err = s.o.Messages.ListStates(ctx, filter, states...); err != nil {
			return out.cut(s, err)
		}
	}
}

func (c clerk) sheetHead(open bool) []any {
	head := []any{c.Text("messages.row")}
	if c.o.NameSlot != "" {
		head = append(head, c.Text("messages.person"))
	}
	for _, key := range []string{"messages.phone", "messages.template", "messages.state", "messages.reason", "messages.taken_in", "messages.changed", "export.seconds", "messages.run", "message.id"} {
		head = append(head, c.Text(key))
	}
	if open {
		head = append(head, c.Text("message.values"))
	}
	return head
}

// sheetRow is one notification. For a machine numbers have a point.
func (c clerk) sheetRow(n *pombo.Notification, open, machine bool) []any {
	row := []any{n.Key.RowKey}
	if c.o.NameSlot != "" {
		row = append(row, initials(n, c.o.NameSlot, c.o.NameNumber))
	}
	number := strings.TrimPrefix(n.Phone.String(), "+")
	if open {
		number = openPhone(n.Phone)
	}
	took := strconv.FormatFloat(n.Updated.Sub(n.Created).Seconds(), 'f', 1, 64)
	if !machine {
		took = strings.Replace(took, ".", ",", 1)
	}
	run := ""
	if n.Run != 0 {
		run = strconv.FormatInt(n.Run, 10)
	}
	row = append(row, number, c.template(n), c.State(n.State), c.why(n), n.Created, n.Updated, took, run, string(n.MessageID))
	if open {
		row = append(row, openList(n))
	}
	return row
}
