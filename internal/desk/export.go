package desk

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
)

const (
	exported   = 1000             // rows that are read at once
	exportTime = 30 * time.Minute // for a whole file
	exportStep = time.Minute      // for the rows that are read at once
)

// exportView is page/export.tmpl.
type exportView struct {
	Confirm page.Confirm
}

// getMessagesCSV is the list as a file for a spreadsheet, masked.
func (s *Server) getMessagesCSV(w http.ResponseWriter, r *http.Request) error {
	f := readMessageFilter(r.URL.Query())
	f.Cursor = ""
	return s.exportMessages(w, r, f, r.URL.Query().Get("sep"), false, "")
}

// getExport asks why somebody wants the list with phones and values.
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

// postMessagesCSV is the list with phones and values, for whoever has the grant and says
// why.
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
	return s.exportMessages(w, r, f, r.PostForm.Get("sep"), true, cut(why, 200))
}

// exportMessages writes the list, page after page. Its line in the trail comes before the
// first byte. The session's context ends after half a minute, and a long list takes
// longer: only a reader that stops reading ends it.
func (s *Server) exportMessages(w http.ResponseWriter, r *http.Request, f messageFilter, separator string, open bool, why string) error {
	c := s.clerk(r)
	filter, states, wrong := f.filter(s.o.Zone)
	if wrong != "" {
		return refuse(http.StatusNotFound, "error.not_found")
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
	out := messageSheet{Writer: w, separator: ";"}
	if separator == "," {
		out.separator = ","
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+c.Text("export.file")+"-"+c.now.Format("20060102-1504")+`.csv"`)
	out.text("\ufeff")
	out.row(c.sheetHead(open))
	control := http.NewResponseController(w)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(exportStep)) // a writer without deadlines is that of a test
		for i := range list.Notifications {
			out.row(c.sheetRow(&list.Notifications[i], open, out.separator == ";"))
		}
		_ = control.Flush()
		if out.err != nil || list.Next == "" {
			return nil // who is no longer there is not an error of ours
		}
		filter.Cursor = list.Next
		if list, err = s.o.Messages.ListStates(ctx, filter, states...); err != nil {
			s.log.ErrorContext(ctx, "a list was exported only in part", "error", err)
			panic(http.ErrAbortHandler) // a file that ends too early must not look whole
		}
	}
}

func (c clerk) sheetHead(open bool) []string {
	head := []string{c.Text("messages.row")}
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

// sheetRow is one notification. Where commas separate, it is for machines, and numbers
// have a point.
func (c clerk) sheetRow(n *pombo.Notification, open, comma bool) []string {
	row := []string{n.Key.RowKey}
	if c.o.NameSlot != "" {
		row = append(row, initials(n, c.o.NameSlot, c.o.NameNumber))
	}
	number := strings.TrimPrefix(n.Phone.String(), "+")
	if open {
		number = openPhone(n.Phone)
	}
	took := strconv.FormatFloat(n.Updated.Sub(n.Created).Seconds(), 'f', 1, 64)
	if comma {
		took = strings.Replace(took, ".", ",", 1)
	}
	run := ""
	if n.Run != 0 {
		run = strconv.FormatInt(n.Run, 10)
	}
	row = append(row, number, c.template(n), c.State(n.State), c.why(n), c.sheetTime(n.Created), c.sheetTime(n.Updated), took, run, string(n.MessageID))
	if open {
		row = append(row, openList(n))
	}
	return row
}

// sheetTime is a time as a spreadsheet in Brazil reads it, in the table's zone.
func (c clerk) sheetTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(c.o.Zone).Format("02/01/2006 15:04:05")
}

// messageSheet writes lines of CSV. After an error it writes nothing more.
type messageSheet struct {
	io.Writer
	separator string
	err       error
}

func (s *messageSheet) text(t string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.Writer, t)
	}
}

func (s *messageSheet) row(cells []string) {
	for i, cell := range cells {
		cells[i] = s.cell(cell)
	}
	s.text(strings.Join(cells, s.separator) + "\r\n")
}

// cell quotes what has to be, and keeps a spreadsheet from taking a text for a formula.
func (s *messageSheet) cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		text = "\t" + text
	}
	if strings.ContainsAny(text, s.separator+"\"\r\n\t") {
		return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return text
}
