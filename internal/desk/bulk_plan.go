package desk

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/bulk"
	"pombo/internal/desk/page"
)

const (
	planTime    = 20 * time.Second // to look through all that a filter may select
	dryTime     = 2 * time.Second  // to read the first rows
	longDryTime = 20 * time.Second // to read more rows
	firstRows   = 20
	mostRows    = 500
	// operatorMost is how many an operator may move at once; an administrator, more.
	operatorMost = 1000
)

// planPath is the page that plans what is done to many notifications.
func planPath(act pombo.BulkAct, f pombo.BulkFilter) string {
	return "/desk/bulk/new?" + planQuery(act, f).Encode()
}

func planQuery(act pombo.BulkAct, f pombo.BulkFilter) url.Values {
	q := url.Values{"act": {string(act)}}
	for _, state := range f.States {
		q.Add("state", string(state))
	}
	if f.Reason != pombo.NoReason {
		q.Set("reason", string(f.Reason))
	}
	if f.Template != "" {
		q.Set("template", f.Template)
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339))
	}
	return q
}

// bulkStates has the states from which many can be moved, the usual one first.
var bulkStates = map[pombo.BulkAct][]pombo.State{
	pombo.BulkRetry:  {pombo.Failed, pombo.Uncertain, pombo.Cancelled, pombo.Suppressed},
	pombo.BulkCancel: {pombo.Queued, pombo.Uncertain},
}

// planView is page/bulk_plan.tmpl.
type planView struct {
	Title string
	Form  planForm
	Wrong string // what is wrong with the filter

	Drawn   bool // there is a plan
	Facts   []fact
	Dry     *dryView // nil = no row was read
	DryFail string   // why
	Notice  page.Notice
	Confirm page.Confirm
}

type planForm struct {
	Act      string
	States   []choice
	Reasons  []choice
	Template string
	Since    string
}

// fact is a line of a plan.
type fact struct{ Word, Text string }

// dryView is what the rows say.
type dryView struct {
	Sentence string
	Reasons  page.Table
	Sample   page.Table
	More     page.Link // reads more rows; empty = all that may be read were
}

// planOf reads act and filter of an address. key is that of a sentence when it cannot be
// planned.
func (s *Server) planOf(q url.Values) (act pombo.BulkAct, f pombo.BulkFilter, key string) {
	act = pombo.BulkAct(cmp.Or(q.Get("act"), q.Get("choose")))
	permitted := bulkStates[act]
	if permitted == nil {
		act = pombo.BulkRetry
		permitted, key = bulkStates[act], "bulk.wrong_act"
	}
	for _, name := range q["state"] {
		if state := pombo.State(name); !slices.Contains(permitted, state) {
			key = "bulk.wrong_state"
		} else {
			f.States = append(f.States, state)
		}
	}
	if len(f.States) == 0 {
		f.States = permitted[:1]
	}
	f.Reason, f.Template = pombo.Reason(q.Get("reason")), strings.TrimSpace(q.Get("template"))
	if !f.Reason.Valid() {
		f.Reason, key = "", "bulk.wrong_reason"
	}
	if since := q.Get("since"); since != "" {
		var err error
		if f.Since, err = time.Parse(time.RFC3339, since); err != nil {
			if f.Since, err = time.ParseInLocation(inputTime, since, s.o.Zone); err != nil {
				key = "bulk.wrong_since"
			}
		}
	}
	return act, f, key
}

func (s *Server) getPlan(w http.ResponseWriter, r *http.Request) error {
	q, say := r.URL.Query(), s.figureWords(r)
	act, f, wrong := s.planOf(q)
	v := s.newPlanView(say, act, f)
	switch {
	case q.Get("act") == "": // there is nothing to plan yet
		return s.render(w, r, "bulk_plan", v)
	case wrong != "":
		v.Wrong = say.Text(wrong)
		return s.renderStatus(w, r, http.StatusUnprocessableEntity, "bulk_plan", v)
	}
	ctx, cancel := context.WithTimeout(r.Context(), planTime)
	defer cancel()
	plan, err := s.o.Bulks.Plan(ctx, act, f)
	switch {
	case errors.Is(err, pombo.ErrBulkTooMany):
		v.Notice = page.Notice{Level: "warn", Title: say.Text("bulk.too_many"), Text: say.Text("bulk.too_many_hint")}
		return s.render(w, r, "bulk_plan", v)
	case err != nil:
		return err
	}
	if act == pombo.BulkRetry && plan.Going > 0 {
		s.dryRun(r, say, plan, &v)
	}
	s.showPlan(r, say, plan, &v, "", "")
	return s.render(w, r, "bulk_plan", v)
}

// newPlanView is the page with its form.
func (s *Server) newPlanView(say figureWords, act pombo.BulkAct, f pombo.BulkFilter) planView {
	v := planView{Title: say.Text("bulk.plan_retry"), Form: planForm{Act: string(act), Template: f.Template}}
	if act == pombo.BulkCancel {
		v.Title = say.Text("bulk.plan_cancel")
	}
	for _, state := range bulkStates[act] {
		v.Form.States = append(v.Form.States, choice{string(state), say.stateChoice(state), slices.Contains(f.States, state)})
	}
	for _, reason := range pombo.Reasons() {
		v.Form.Reasons = append(v.Form.Reasons, choice{string(reason), say.Reason(reason), reason == f.Reason})
	}
	slices.SortFunc(v.Form.Reasons, func(a, b choice) int { return cmp.Compare(a.Text, b.Text) })
	if !f.Since.IsZero() {
		v.Form.Since = f.Since.In(s.o.Zone).Format(inputTime)
	}
	return v
}

// dryRun reads the first rows of a plan, or more where the visitor asks for them. It
// says when the table is away, which prevents nothing.
func (s *Server) dryRun(r *http.Request, say figureWords, plan pombo.BulkPlan, v *planView) {
	rows, long := firstRows, dryTime
	if r.URL.Query().Get("rows") == strconv.Itoa(mostRows) {
		rows, long = mostRows, longDryTime
	}
	ctx, cancel := context.WithTimeout(r.Context(), long)
	defer cancel()
	dry, err := s.o.Bulks.DryRun(ctx, plan, rows)
	if err != nil {
		s.log.WarnContext(r.Context(), "the rows of a plan were not read", "error", err, "often", pombo.Often("dry run"))
		v.DryFail = say.Text("bulk.dry_failed")
		return
	}
	v.Dry = say.dry(&dry)
	if dry.Read == rows && rows < mostRows && plan.Going > rows {
		q := planQuery(plan.Act, plan.Filter)
		q.Set("rows", strconv.Itoa(mostRows))
		v.Dry.More = page.Link{Href: "/desk/bulk/new?" + q.Encode(), Text: say.Text("bulk.read_more", min(mostRows, plan.Going))}
	}
}

// dry says what the rows say.
func (w figureWords) dry(d *bulk.DryRun) *dryView {
	v := &dryView{Sentence: w.Text("bulk.dry", d.Read, d.Going, d.Read-d.Going)}
	reasons := make([]pombo.Reason, 0, len(d.Reasons))
	for reason := range d.Reasons {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b pombo.Reason) int { return cmp.Or(d.Reasons[b]-d.Reasons[a], cmp.Compare(a, b)) })
	v.Reasons = page.Table{Caption: w.Text("bulk.dry_reasons"), Columns: []page.Column{{Word: w.Text("failures.reason")}, {Word: w.Text("failures.count"), Number: true}, {Word: w.Text("failures.todo")}}}
	for _, reason := range reasons {
		v.Reasons.Rows = append(v.Reasons.Rows, []page.Cell{{Text: capitalized(w.Reason(reason))}, {Text: w.Number(d.Reasons[reason])}, {Text: capitalized(w.ReasonHint(reason))}})
	}
	v.Sample = page.Table{Caption: w.Text("bulk.sample"), Columns: []page.Column{{Word: w.Text("bulk.row")}, {Word: w.Text("bulk.sample_result")}}}
	for _, one := range d.Sample {
		badge := page.Badge{Icon: "tick", Tone: "good", Word: w.Text("bulk.sample_goes")}
		if one.Reason != pombo.NoReason {
			badge = page.Badge{Icon: "cross", Tone: "bad", Word: w.Text("bulk.sample_fails"), Detail: w.Reason(one.Reason)}
		}
		v.Sample.Rows = append(v.Sample.Rows, []page.Cell{{Href: messagePath(one.MessageID), Text: one.RowKey}, {Badge: badge}})
	}
	return v
}

// showPlan shows a plan and what has to be confirmed.
func (s *Server) showPlan(r *http.Request, say figureWords, plan pombo.BulkPlan, v *planView, note, problem string) {
	v.Drawn = true
	v.Facts = []fact{{say.Text("bulk.selects"), strings.Join(say.selection(plan.Filter), "; ")}, {say.Text("bulk.drawn"), say.DateTime(plan.Drawn.In(s.o.Zone))}, {say.Text("bulk.matched"), say.Number(plan.Matched)}}
	for _, out := range []struct {
		key string
		n   int
	}{
		{"bulk.out_delivered", plan.Delivered}, {"bulk.out_resent", plan.Resent}, {"bulk.out_opted_out", plan.OptedOut}, {"bulk.out_expired", plan.Expired},
	} {
		if out.n > 0 {
			v.Facts = append(v.Facts, fact{say.Text(out.key), say.Number(out.n)})
		}
	}
	v.Facts = append(v.Facts, fact{say.Text("bulk.going"), say.Number(plan.Going)})
	switch {
	case plan.Going == 0:
		v.Notice = page.Notice{Level: "ok", Title: say.Text("bulk.nothing"), Text: say.Text("bulk.nothing_hint")}
		return
	case !mayMove(visitorOf(r).User, plan.Going):
		v.Notice = page.Notice{Level: "warn", Title: say.Text("bulk.admin_only", operatorMost), Text: say.Text("bulk.admin_only_hint")}
		return
	}
	text, mac := s.sealPlan(r, plan)
	v.Confirm = page.Confirm{
		Action: "/desk/bulk", Once: s.newToken(r), Hidden: []page.Hidden{{Name: "plan", Value: text}, {Name: "seal", Value: mac}}, Problem: problem,
		NoteLabel: say.Text("bulk.note"), NoteRequired: true, Note: note, Count: plan.Going, CountLabel: say.Text("bulk.type_count", plan.Going),
		Back: page.Link{Href: "/desk/bulk", Text: say.Text("button.back")}, Undo: say.Text("bulk.undo"),
	}
	if plan.Act == pombo.BulkCancel {
		v.Confirm.Question, v.Confirm.Submit, v.Confirm.Danger = say.Text("bulk.ask_cancel", plan.Going), say.Text("bulk.do_cancel", plan.Going), true
		v.Confirm.Follows = []string{say.Text("bulk.follows_cancel"), say.Text("bulk.follows_changed")}
		return
	}
	v.Confirm.Question, v.Confirm.Submit = say.Text("bulk.ask_retry", plan.Going), say.Text("bulk.do_retry", plan.Going)
	v.Confirm.Follows = []string{say.Text("bulk.follows_retry"), say.Text("bulk.follows_changed")}
	if s.o.PerSecond > 0 {
		v.Confirm.Follows = append(v.Confirm.Follows, say.Text("bulk.follows_rate", time.Duration(float64(plan.Going)/s.o.PerSecond*float64(time.Second)), s.o.PerSecond))
	}
	if category, known := s.o.Category(plan.Filter.Template); known && plan.Filter.Template != "" {
		v.Confirm.Follows = append(v.Confirm.Follows, say.Text("bulk.follows_cost", category, plan.Going))
	}
}

// mayMove reports whether an account may move that many at once.
func mayMove(u pombo.User, n int) bool {
	return may(u, administer) || n <= operatorMost && may(u, operate)
}

// sealPlan writes a plan for the form, so that what is confirmed is what was shown.
func (s *Server) sealPlan(r *http.Request, plan pombo.BulkPlan) (text, mac string) {
	content, _ := json.Marshal(plan) //nolint:errchkjson // numbers, times and texts
	text = base64.RawURLEncoding.EncodeToString(content)
	return text, s.mac("plan", visitorOf(r).session, text)
}

func (s *Server) openPlan(r *http.Request) (plan pombo.BulkPlan, err error) {
	text := r.PostForm.Get("plan")
	if !s.macIs(r.PostForm.Get("seal"), "plan", visitorOf(r).session, text) {
		return plan, refuse(http.StatusForbidden, "error.token")
	}
	content, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(content, &plan)
	}
	return plan, err
}

// postBulk starts what a plan has shown.
func (s *Server) postBulk(w http.ResponseWriter, r *http.Request) error {
	plan, err := s.openPlan(r)
	if err != nil {
		return err
	}
	me, say := visitorOf(r), s.figureWords(r)
	line := planLine(plan)
	if !mayMove(me.User, plan.Going) {
		line.Result = audit.Refused
		s.note(r, line)
		return refuse(http.StatusForbidden, "error.right")
	}
	note, problem := readNote(r, say.Words)
	if problem == "" && digits(r.PostForm.Get("count")) != strconv.Itoa(plan.Going) {
		problem = say.Text("bulk.count_wrong", plan.Going)
	}
	if problem != "" {
		v := s.newPlanView(say, plan.Act, plan.Filter)
		s.showPlan(r, say, plan, &v, note, problem)
		return s.renderStatus(w, r, http.StatusUnprocessableEntity, "bulk_plan", v)
	}
	if err := s.write(r, line); err != nil {
		return err
	}
	id, err := s.o.Bulks.Start(r.Context(), plan, me.Name, note)
	if err != nil {
		line.Result = audit.Failed
		s.note(r, line)
		return err
	}
	s.say(r, Notice{Text: say.Text("bulk.was_started", strconv.FormatInt(id, 10))})
	return redirect(w, "/desk/bulk/"+strconv.FormatInt(id, 10))
}

// planLine is the line of the trail about a plan.
func planLine(plan pombo.BulkPlan) audit.Entry {
	e := audit.Entry{Act: audit.Bulk, Target: plan.Filter.Template, Result: audit.Done}
	if plan.Act == pombo.BulkCancel {
		e.Act = audit.Cancel
	}
	f := plan.Filter
	e.Detail = fmt.Sprintf("notifications=%d states=%v", plan.Going, f.States)
	if f.Reason != pombo.NoReason {
		e.Detail += " reason=" + string(f.Reason)
	}
	if !f.Since.IsZero() {
		e.Detail += " since=" + f.Since.UTC().Format(time.RFC3339)
	}
	return e
}

// digits returns those of a number as it was typed, without the marks between thousands.
func digits(text string) string {
	return strings.Map(func(letter rune) rune {
		if letter < '0' || letter > '9' {
			return -1
		}
		return letter
	}, text)
}
