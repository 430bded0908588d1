package desk

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/bulk"
	"pombo/internal/desk/page"
)

// Bulks plans what is done to many notifications, starts it, and knows how far it is.
type Bulks interface {
	// Plan is pombo.ErrBulkTooMany when more are selected than one bulk may have.
	Plan(ctx context.Context, act pombo.BulkAct, f pombo.BulkFilter) (pombo.BulkPlan, error)
	// DryRun reads the first rows of a plan and says which would fail again.
	DryRun(ctx context.Context, plan pombo.BulkPlan, limit int) (bulk.DryRun, error)
	Start(ctx context.Context, plan pombo.BulkPlan, who, why string) (id int64, err error)
	// Stop ends one before its end and reports whether it was open. What it has done stays done.
	Stop(ctx context.Context, id int64) (stopped bool, err error)
	// Bulk returns one with its progress and what became of its messages; pombo.ErrNotFound.
	Bulk(ctx context.Context, id int64) (pombo.Bulk, error)
	Bulks(ctx context.Context, limit int) ([]pombo.Bulk, error) // the newest first
	// Items returns those after a number, in their order.
	Items(ctx context.Context, id, after int64, limit int) ([]pombo.BulkItem, error)
	// Taken returns the notification with a number; pombo.ErrNotFound.
	Taken(ctx context.Context, seq int64) (pombo.Notification, error)
}

const (
	bulkTime   = 2 * time.Second // to read how far bulks are
	bulksShown = 50
	// skippedShown and itemsRead bound the list of a page; the whole one is for a
	// spreadsheet.
	skippedShown = 50
	itemsRead    = 1000
	mostItems    = 10 * itemsRead
	// sheetTime is how long a table may be written for a spreadsheet.
	sheetTime = 10 * time.Minute
)

func bulkPath(id int64) string { return "/desk/bulk/" + strconv.FormatInt(id, 10) }

// bulkTitle names a bulk.
func (w figureWords) bulkTitle(b *pombo.Bulk) string {
	number := strconv.FormatInt(b.ID, 10)
	if b.Plan.Act == pombo.BulkCancel {
		return w.Text("bulk.cancel_number", number)
	}
	return w.Text("bulk.retry_number", number)
}

// selection says which notifications a filter selects.
func (w figureWords) selection(f pombo.BulkFilter) []string {
	var parts []string
	for _, state := range f.States {
		parts = append(parts, w.Text("bulk.of_state", w.stateChoice(state)))
	}
	if f.Reason != pombo.NoReason {
		parts = append(parts, w.Text("bulk.of_reason", f.Reason))
	}
	if f.Template != "" {
		parts = append(parts, w.Text("bulk.of_template", f.Template))
	}
	if !f.Since.IsZero() {
		parts = append(parts, w.Text("bulk.of_since", w.DateTime(f.Since.In(w.now.Location()))))
	}
	return parts
}

// stateChoice distinguishes states that share a word.
func (w figureWords) stateChoice(s pombo.State) string {
	return w.State(s) + " (" + w.StateMeaning(s) + ")"
}

// bulkState says how far a bulk is.
func (w figureWords) bulkState(b *pombo.Bulk) page.Badge {
	switch b.State {
	case pombo.BulkStopped:
		return page.Badge{Icon: "stop", Tone: "quiet", Word: w.Text("bulk.stopped")}
	case pombo.BulkDone:
		return page.Badge{Icon: "tick", Tone: "good", Word: w.Text("bulk.done")}
	default:
		return page.Badge{Icon: "clock", Tone: "warn", Word: w.Text("bulk.open")}
	}
}

// bulksView is page/bulks.tmpl.
type bulksView struct {
	Table       page.Table
	Empty       page.Empty
	New, Cancel page.Link // empty = the visitor may not
}

func (s *Server) getBulks(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), bulkTime)
	defer cancel()
	list, err := s.o.Bulks.Bulks(ctx, bulksShown)
	if err != nil {
		return err
	}
	say := s.figureWords(r)
	v := bulksView{Empty: page.Empty{Title: say.Text("bulk.none"), Text: say.Text("bulk.none_hint"), Links: []page.Link{{Href: "/desk/failures", Text: say.Text("failures.all")}}}}
	if may(visitorOf(r).User, operate) {
		v.New = page.Link{Href: "/desk/bulk/new?choose=retry", Text: say.Text("bulk.new_retry")}
		v.Cancel = page.Link{Href: "/desk/bulk/new?choose=cancel", Text: say.Text("bulk.new_cancel")}
	}
	v.Table = page.Table{Caption: say.Text("bulk.caption"), Columns: []page.Column{
		{Word: say.Text("bulk.what")}, {Word: say.Text("bulk.state")}, {Word: say.Text("bulk.messages"), Number: true}, {Word: say.Text("bulk.skipped"), Number: true},
		{Word: say.Text("bulk.who")}, {Word: say.Text("bulk.why")}, {Word: say.Text("bulk.started")},
	}}
	for i := range list {
		b := &list[i]
		v.Table.Rows = append(v.Table.Rows, []page.Cell{
			{Href: bulkPath(b.ID), Text: say.bulkTitle(b)},
			{Badge: say.bulkState(b)},
			{Text: say.Text("bulk.done_of", b.Done, b.Plan.Matched)},
			{Text: say.Number(b.Skipped + b.Changed)},
			{Text: b.Who},
			{Text: b.Note},
			{Time: s.moment(say.Words, b.Created)},
		})
	}
	return s.render(w, r, "bulks", v)
}

// bulkView is page/bulk.tmpl.
type bulkView struct {
	Title     string
	Selection []string
	State     page.Badge
	Figures   []page.Figure
	Looked    int // notifications that need nothing more, of Total
	Total     int
	Progress  string // the same as a sentence
	Live      bool
	Stop      page.Link // empty = the visitor may not, or it is over
	Outcome   page.Table
	Helped    string // did it help?
	Who, Why  string
	Started   page.Time
	Finished  page.Time
	Skipped   page.Table
	More      string // not all skipped ones are shown
	CSV       string
}

func (s *Server) bulkOf(r *http.Request) (pombo.Bulk, error) {
	id, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil || id < 1 {
		return pombo.Bulk{}, pombo.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(r.Context(), bulkTime)
	defer cancel()
	return s.o.Bulks.Bulk(ctx, id)
}

func (s *Server) getBulk(w http.ResponseWriter, r *http.Request) error {
	b, err := s.bulkOf(r)
	if err != nil {
		return err
	}
	say := s.figureWords(r)
	v := bulkView{
		Title: say.bulkTitle(&b), Selection: say.selection(b.Plan.Filter), State: say.bulkState(&b), Live: b.State == pombo.BulkOpen,
		Looked: b.Plan.Matched - b.Left, Total: b.Plan.Matched, Progress: say.Text("bulk.progress", b.Plan.Matched-b.Left, b.Plan.Matched),
		Who: b.Who, Why: b.Note, Started: s.moment(say.Words, b.Created), Finished: s.moment(say.Words, b.Finished), CSV: bulkPath(b.ID) + "/skipped.csv",
	}
	v.Figures = []page.Figure{
		{Word: say.Text("bulk.done_retry"), Number: say.Number(b.Done)},
		{Word: say.Text("bulk.skipped"), Number: say.Number(b.Skipped), Href: "#skipped"},
		{Word: say.Text("bulk.changed"), Number: say.Number(b.Changed)},
		{Word: say.Text("bulk.left"), Number: say.Number(b.Left)},
	}
	if b.Plan.Act == pombo.BulkCancel {
		v.Figures[0].Word = say.Text("bulk.done_cancel")
	}
	if b.Skipped == 0 {
		v.Figures[1].Href = ""
	}
	if b.State == pombo.BulkStopped {
		v.Figures[3].Word = say.Text("bulk.left_stopped")
	}
	if v.Live && may(visitorOf(r).User, operate) {
		v.Stop = page.Link{Href: bulkPath(b.ID) + "/stop", Text: say.Text("button.stop") + "…"}
	}
	if b.Plan.Act == pombo.BulkRetry && b.Done > 0 {
		v.Helped, v.Outcome = say.outcome(&b)
	}
	if !isScript(r) && b.Skipped > 0 {
		if err := s.showSkipped(r, say, &b, &v); err != nil {
			return err
		}
	}
	return s.render(w, r, "bulk", v)
}

// outcome says which states the messages that were sent again are in now.
func (w figureWords) outcome(b *pombo.Bulk) (helped string, table page.Table) {
	arrived, failed, open := 0, 0, 0
	table = page.Table{Caption: w.Text("bulk.outcome"), Columns: []page.Column{{Word: w.Text("bulk.state")}, {Word: w.Text("bulk.messages"), Number: true}, {Word: w.Text("bulk.share"), Number: true}}}
	for _, state := range pombo.States() {
		n := b.Outcome[state]
		switch {
		case n == 0:
			continue
		case state == pombo.Delivered, state == pombo.Read:
			arrived += n
		case state.Open(), state.Sent():
			open += n
		default:
			failed += n
		}
		table.Rows = append(table.Rows, []page.Cell{
			{Badge: page.StateBadge(state, w.State(state), w.StateMeaning(state))}, {Text: w.Number(n)}, {Text: w.Percent(float64(n) / float64(b.Done))},
		})
	}
	return w.Text("bulk.helped", b.Done, arrived, failed, open), table
}

// showSkipped puts the first skipped notifications into the view.
func (s *Server) showSkipped(r *http.Request, say figureWords, b *pombo.Bulk, v *bulkView) error {
	ctx, cancel := context.WithTimeout(r.Context(), bulkTime)
	defer cancel()
	v.Skipped = page.Table{Caption: say.Text("bulk.skipped_caption"), Columns: []page.Column{{Word: say.Text("bulk.row")}, {Word: say.Text("bulk.skipped_why")}}}
	read := 0
	for after := int64(0); read < mostItems && len(v.Skipped.Rows) < skippedShown; {
		items, err := s.o.Bulks.Items(ctx, b.ID, after, itemsRead)
		if err != nil {
			return err
		}
		read += len(items)
		for _, it := range items {
			if after = it.Seq; !skipped(it) || len(v.Skipped.Rows) == skippedShown {
				continue
			}
			cell := page.Cell{Text: say.Text("bulk.gone")}
			n, err := s.o.Bulks.Taken(ctx, it.Seq)
			switch {
			case err == nil:
				cell = page.Cell{Href: messagePath(n.MessageID), Text: n.Key.RowKey}
			case refusalOf(err).status != http.StatusNotFound:
				return err
			}
			v.Skipped.Rows = append(v.Skipped.Rows, []page.Cell{cell, {Text: say.bulkResult(it.Result)}})
		}
		if len(items) < itemsRead {
			break
		}
	}
	if len(v.Skipped.Rows) < b.Skipped {
		v.More = say.Text("bulk.more_skipped", len(v.Skipped.Rows), b.Skipped)
	}
	return nil
}

// skipped reports whether nothing was done about an item on purpose.
func skipped(it pombo.BulkItem) bool { return it.Result != "" && it.Result != pombo.BulkItemDone }

// bulkResult says why nothing was done about one.
func (w figureWords) bulkResult(result pombo.BulkResult) string {
	switch result {
	case pombo.BulkItemChanged:
		return w.Text("bulk.result_changed")
	case pombo.BulkItemResent:
		return w.Text("bulk.result_sent_again")
	case pombo.BulkItemOptOut:
		return w.Text("bulk.result_opted_out")
	case pombo.BulkItemExpired:
		return w.Text("bulk.result_expired")
	case pombo.BulkItemGone:
		return w.Text("bulk.gone")
	}
	return string(result)
}

// getSkippedCSV lists all skipped notifications for a spreadsheet. It has row keys and
// ids, and neither phones nor texts.
func (s *Server) getSkippedCSV(w http.ResponseWriter, r *http.Request) error {
	b, err := s.bulkOf(r)
	if err != nil {
		return err
	}
	number := strconv.FormatInt(b.ID, 10)
	if err := s.write(r, audit.Entry{Act: audit.Export, Target: "bulk " + number, Detail: fmt.Sprintf("skipped=%d masked", b.Skipped), Result: audit.Done}); err != nil {
		return err
	}
	// It may take longer than a page may.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), sheetTime)
	defer cancel()
	say := s.figureWords(r)
	out := newSheet(w, r, say, "pombo-bulk-"+number+"-skipped")
	out.row(say.Text("bulk.row"), say.Text("bulk.message"), say.Text("bulk.skipped_why"))
	for after := int64(0); ; {
		items, err := s.o.Bulks.Items(ctx, b.ID, after, itemsRead)
		if err != nil {
			return out.cut(s, err)
		}
		for _, it := range items {
			if after = it.Seq; !skipped(it) {
				continue
			}
			n, err := s.o.Bulks.Taken(ctx, it.Seq)
			switch {
			case err == nil:
				out.row(n.Key.RowKey, string(n.MessageID), say.bulkResult(it.Result))
			case refusalOf(err).status == http.StatusNotFound:
				out.row("", "", say.bulkResult(it.Result))
			default:
				return out.cut(s, err)
			}
		}
		if len(items) < itemsRead {
			return out.end()
		}
		if !out.more() {
			return nil // nobody reads on
		}
	}
}

// stopView is page/bulk_stop.tmpl.
type stopView struct {
	Title   string
	Confirm page.Confirm
}

func (s *Server) getBulkStop(w http.ResponseWriter, r *http.Request) error {
	b, err := s.bulkOf(r)
	if err != nil {
		return err
	}
	if b.State != pombo.BulkOpen {
		return redirect(w, "/desk/bulk/"+strconv.FormatInt(b.ID, 10))
	}
	say := s.figureWords(r)
	return s.render(w, r, "bulk_stop", stopView{say.bulkTitle(&b), page.Confirm{
		Action: bulkPath(b.ID) + "/stop", Once: s.newToken(r), Question: say.Text("bulk.stop_question", b.Left),
		Follows: []string{say.Text("bulk.stop_follows", b.Done)}, Undo: say.Text("bulk.stop_undo"),
		Submit: say.Text("button.stop"), Danger: true, Back: page.Link{Href: bulkPath(b.ID), Text: say.Text("button.back")},
	}})
}

func (s *Server) postBulkStop(w http.ResponseWriter, r *http.Request) error {
	b, err := s.bulkOf(r)
	if err != nil {
		return err
	}
	line := audit.Entry{Act: audit.Bulk, Target: "bulk " + strconv.FormatInt(b.ID, 10), Detail: "stop", Result: audit.Done}
	if b.Plan.Act == pombo.BulkCancel {
		line.Act = audit.Cancel
	}
	if err := s.write(r, line); err != nil {
		return err
	}
	stopped, err := s.o.Bulks.Stop(r.Context(), b.ID)
	if err != nil {
		line.Result = audit.Failed
		s.note(r, line)
		return err
	}
	text := "bulk.was_over"
	if stopped {
		text = "bulk.was_stopped"
	}
	s.say(r, Notice{Bad: !stopped, Text: wordsOf(r).Text(text)})
	return redirect(w, "/desk/bulk/"+strconv.FormatInt(b.ID, 10))
}
