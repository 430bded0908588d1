package desk

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
	"pombo/internal/template"
	"pombo/internal/words"
)

// Templates is what Blip, the ledger and the table know of templates.
type Templates interface {
	// Templates asks Blip for its list.
	Templates(ctx context.Context) ([]pombo.Template, error)
	// Issues says why the rows of the table cannot be sent with a template.
	Issues(t pombo.Template) []pombo.TemplateIssue
	HeldTemplates(ctx context.Context) ([]pombo.TemplateHold, error)
	// TemplateReach counts what a hold until a time affects; zero = without end.
	TemplateReach(ctx context.Context, template string, until time.Time) (pombo.TemplateReach, error)
	TemplateVersions(ctx context.Context, name, language string) ([]pombo.TemplateVersion, error) // newest first
	Hold(ctx context.Context, h pombo.TemplateHold) error
	// Release reports whether there was a hold.
	Release(ctx context.Context, template string) (released bool, err error)
	// Row reads a row as it is now, with the template that it is sent with;
	// pombo.ErrNotFound when there is none.
	Row(ctx context.Context, rowKey string) (pombo.Row, error)
}

// templateList is Blip's list, and when it was requested. While Blip does not answer, it
// is the last one.
type templateList struct {
	at   time.Time
	list []pombo.Template
	err  error // of the last try
}

const (
	keepTemplates = time.Minute
	askTemplates  = 10 * time.Second
	mostReaches   = 10 // templates in trouble of which a list says how many messages wait
)

// newTemplateList keeps Blip's list.
func (s *Server) newTemplateList() *kept[templateList] {
	var last templateList
	k := keep(s.o.Now, keepTemplates, func(ctx context.Context) (templateList, error) {
		list, err := s.o.Templates.Templates(ctx)
		if err == nil {
			last = templateList{at: s.o.Now(), list: list}
		}
		last.err = err
		return last, nil
	})
	k.within = askTemplates
	return k
}

// templatesView is page/templates.tmpl.
type templatesView struct {
	Listed page.Time
	Away   bool // Blip did not answer
	List   page.Table
	Empty  *page.Empty
}

func (s *Server) getTemplates(w http.ResponseWriter, r *http.Request) error {
	say, ctx := wordsOf(r), r.Context()
	all, err := s.facts.templates.get(ctx)
	if err != nil {
		return err
	}
	held, err := s.held(ctx)
	if err != nil {
		return err
	}
	v := templatesView{Listed: s.moment(say, all.at), Away: all.err != nil}
	v.List = page.Table{Caption: say.Text("templates_page.caption"), Columns: []page.Column{
		{Word: say.Text("templates_page.name")}, {Word: say.Text("templates_page.language")}, {Word: say.Text("templates_page.category")},
		{Word: say.Text("templates_page.status")}, {Word: say.Text("templates_page.waiting"), Number: true}, {Word: say.Text("templates_page.updated")},
	}}
	reaches := 0
	for _, t := range all.list {
		_, isHeld := held[t.Name]
		waiting := page.Cell{Text: "–"}
		if (isHeld || !t.Approved()) && reaches < mostReaches {
			reaches++
			if reach, err := s.reach(ctx, t.Name, time.Time{}); err == nil {
				waiting.Text = reachNumber(say, reach)
			}
		}
		v.List.Rows = append(v.List.Rows, []page.Cell{
			{Href: templatePath(t.Name, t.Language), Text: t.Name}, {Text: t.Language}, {Text: category(say, t)}, {Badge: templateBadge(say, t, isHeld)}, waiting, {Time: s.moment(say, t.Updated)},
		})
	}
	if len(all.list) == 0 {
		v.Empty = &page.Empty{Title: say.Text("templates_page.none"), Text: say.Text("templates_page.none_text")}
	}
	return s.render(w, r, "templates", v)
}

func templatePath(name, language string) string {
	return "/desk/templates/" + name + "?language=" + language
}

// held returns the templates that an operator holds, by name.
func (s *Server) held(ctx context.Context) (map[string]pombo.TemplateHold, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	list, err := s.o.Templates.HeldTemplates(ctx)
	if err != nil {
		return nil, err
	}
	held := make(map[string]pombo.TemplateHold, len(list))
	for _, h := range list {
		held[h.Template] = h
	}
	return held, nil
}

func (s *Server) reach(ctx context.Context, name string, until time.Time) (pombo.TemplateReach, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	return s.o.Templates.TemplateReach(ctx, name, until)
}

func reachNumber(say *words.Words, reach pombo.TemplateReach) string {
	if reach.Partial {
		return say.Text("templates_page.at_least", reach.Waiting)
	}
	return say.Number(reach.Waiting)
}

// category names the category, and the one before when WhatsApp has moved the template.
func category(say *words.Words, t pombo.Template) string {
	if t.Recategorized() {
		return say.Text("templates_page.moved", t.Category, t.PreviousCategory)
	}
	return t.Category
}

// templateLooks has icon and tone of WhatsApp's statuses. Any other is shown as it is.
var templateLooks = map[string]struct{ icon, tone, key string }{
	"APPROVED":  {"tick", "good", "template_status.approved"},
	"PAUSED":    {"pause", "warn", "template_status.paused"},
	"PENDING":   {"clock", "warn", "template_status.pending"},
	"IN_APPEAL": {"clock", "warn", "template_status.pending"},
	"REJECTED":  {"cross", "bad", "template_status.rejected"},
	"DISABLED":  {"stop", "bad", "template_status.disabled"},
	"DELETED":   {"stop", "bad", "template_status.deleted"},
}

func templateBadge(say *words.Words, t pombo.Template, held bool) page.Badge {
	badge := page.Badge{Icon: "alert", Tone: "warn", Word: t.Status}
	if look, ok := templateLooks[t.Status]; ok {
		badge = page.Badge{Icon: look.icon, Tone: look.tone, Word: say.Text(look.key)}
	}
	if held {
		badge.Icon, badge.Tone, badge.Detail = "pause", "warn", say.Text("templates_page.held")
	}
	return badge
}

// templateView is page/template.tmpl.
type templateView struct {
	Name     string
	Badge    page.Badge
	Facts    []page.Fact
	Held     *page.Notice
	Issues   []issueView
	Bubble   page.Bubble
	Versions []versionView
	HoldPath string // "" = it is held, or the visitor may not
	FreePath string // to the page that releases it
	Row      string // whose preview it is
	Preview  *previewView
	Problem  string
}

type issueView struct {
	Notice page.Notice
	Detail string
}

type versionView struct {
	First, Last page.Time
	Changes     string
	Body        string
}

type previewView struct {
	Title  string
	Bubble page.Bubble
	Issues []issueView
}

func (s *Server) getTemplate(w http.ResponseWriter, r *http.Request) error {
	v, err := s.templateView(r)
	if err != nil {
		return err
	}
	return s.render(w, r, "template", v)
}

// pathTemplate reads the name in the address.
func pathTemplate(r *http.Request) (string, error) {
	name := r.PathValue("name")
	if !pombo.ValidTemplateName(name) {
		return "", pombo.ErrNotFound
	}
	return name, nil
}

// findTemplate returns a template as Blip lists it, in the language that is asked for if
// there is one.
func findTemplate(list []pombo.Template, name, language string) (found pombo.Template, ok bool) {
	for _, t := range list {
		if t.Name == name && (!ok || t.Language == language) {
			found, ok = t, true
		}
	}
	return found, ok
}

func (s *Server) templateView(r *http.Request) (v templateView, err error) {
	say, ctx := wordsOf(r), r.Context()
	name, err := pathTemplate(r)
	if err != nil {
		return v, err
	}
	all, err := s.facts.templates.get(ctx)
	if err != nil {
		return v, err
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	t, listed := findTemplate(all.list, name, r.URL.Query().Get("language"))
	versions, err := s.o.Templates.TemplateVersions(reading, name, t.Language)
	switch {
	case err != nil:
		return v, err
	case !listed && len(versions) == 0:
		return v, pombo.ErrNotFound
	case !listed:
		t = versions[0].Template
	}
	held, err := s.held(ctx)
	if err != nil {
		return v, err
	}
	hold, isHeld := held[name]
	v = templateView{Name: name, Badge: templateBadge(say, t, isHeld), Bubble: bubbleOf(say, t, nil)}
	v.Facts = []page.Fact{
		{Word: say.Text("templates_page.language"), Text: t.Language},
		{Word: say.Text("templates_page.category"), Text: category(say, t)},
		{Word: say.Text("templates_page.updated"), Time: s.moment(say, t.Updated)},
		{Word: say.Text("templates_page.listed"), Time: s.moment(say, all.at)},
	}
	if reach, err := s.reach(ctx, name, hold.Until); err == nil {
		v.Facts = append(v.Facts, page.Fact{Word: say.Text("templates_page.waiting"), Text: reachNumber(say, reach), Href: s.link(r, "/desk/messages", "template", name)})
	}
	if !listed {
		v.Issues = append(v.Issues, issueOf(say, pombo.TemplateIssue{Reason: pombo.TemplateMissing}))
	} else {
		for _, issue := range s.o.Templates.Issues(t) {
			v.Issues = append(v.Issues, issueOf(say, issue))
		}
	}
	v.Versions = s.versions(say, versions)
	if may(visitorOf(r).User, operate) {
		v.HoldPath, v.FreePath = "/desk/templates/"+name+"/hold", ""
	}
	if isHeld {
		v.Held = &page.Notice{Level: "warn", Title: s.holdSentence(say, hold), Text: hold.Note}
		if v.HoldPath != "" {
			v.HoldPath, v.FreePath = "", "/desk/templates/"+name+"/release"
		}
	}
	return v, nil
}

func (s *Server) holdSentence(say *words.Words, h pombo.TemplateHold) string {
	now := s.o.Now().In(s.o.Zone)
	who := h.Who
	if who == "" {
		who = say.Text("pause.operator")
	} else {
		who = say.Text("pause.person", who)
	}
	until := say.Text("templates_page.no_end")
	if !h.Until.IsZero() {
		until = say.Text("templates_page.held_until", words.Clock{At: h.Until, Now: now})
	}
	return say.Text("templates_page.held_by", who, words.Clock{At: h.At, Now: now}) + " " + until
}

// issueOf says what is wrong in the words of its reason; what it says itself is English
// and stands behind it.
func issueOf(say *words.Words, issue pombo.TemplateIssue) issueView {
	return issueView{page.Notice{Level: "warn", Title: asSentence(say.Reason(issue.Reason)), Text: asSentence(say.ReasonHint(issue.Reason))}, issue.Message}
}

// bubbleOf draws a template; nil values are masked.
func bubbleOf(say *words.Words, t pombo.Template, values template.Values) page.Bubble {
	b := template.Draw(t, values)
	out := page.Bubble{Message: b}
	if b.Media != "" {
		out.Media = say.Text("media." + strings.ToLower(b.Media))
	}
	return out
}

// versions says what each one changed from the one before.
func (s *Server) versions(say *words.Words, list []pombo.TemplateVersion) []versionView {
	out := make([]versionView, len(list))
	for i, v := range list {
		out[i] = versionView{First: s.moment(say, v.FirstSeen), Last: s.moment(say, v.LastSeen), Body: v.Body}
		if i+1 == len(list) {
			out[i].Changes = say.Text("version.first")
			continue
		}
		var changed []string
		for _, key := range changes(v.Template, list[i+1].Template) {
			changed = append(changed, say.Text(key))
		}
		out[i].Changes = strings.Join(changed, ", ")
	}
	return out
}

// changes names what of a template is not as it was.
func changes(now, before pombo.Template) (keys []string) {
	differ := func(key string, yes bool) {
		if yes {
			keys = append(keys, key)
		}
	}
	differ("version.body", now.Body != before.Body)
	differ("version.header", now.Header != before.Header || now.HeaderText != before.HeaderText)
	differ("version.footer", now.Footer != before.Footer)
	buttons := len(now.Buttons) != len(before.Buttons)
	for i := 0; !buttons && i < len(now.Buttons); i++ {
		buttons = now.Buttons[i] != before.Buttons[i]
	}
	differ("version.buttons", buttons)
	differ("version.category", now.Category != before.Category)
	differ("version.status", now.Status != before.Status)
	differ("version.validity", now.Validity != before.Validity)
	return keys
}

// postPreview shows how a row would look, its values masked, and what would keep it from
// going.
func (s *Server) postPreview(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	v, err := s.templateView(r)
	if err != nil {
		return err
	}
	v.Row = strings.TrimSpace(r.PostForm.Get("row"))
	ctx, cancel := context.WithTimeout(r.Context(), operateTime)
	defer cancel()
	row, err := s.o.Templates.Row(ctx, v.Row)
	if isNotFound(err) || v.Row == "" {
		v.Problem = say.Text("preview_page.no_row")
		return s.renderStatus(w, r, http.StatusNotFound, "template", v)
	}
	if err != nil {
		return err
	}
	if err := s.write(r, audit.Entry{Act: audit.Preview, Target: row.RowKey, Detail: "masked", Result: audit.Done}); err != nil {
		return err
	}
	all, err := s.facts.templates.get(r.Context())
	if err != nil {
		return err
	}
	v.Preview = &previewView{Title: say.Text("preview_page.title", row.RowKey, row.Template)}
	t, listed := findTemplate(all.list, row.Template, cmp.Or(row.Language, r.URL.Query().Get("language")))
	if !listed {
		v.Preview.Issues = []issueView{issueOf(say, pombo.TemplateIssue{Reason: pombo.TemplateMissing})}
		return s.render(w, r, "template", v)
	}
	v.Preview.Bubble = bubbleOf(say, t, nil)
	for _, issue := range t.Check(t.Language, pombo.Slots(row.Params)) {
		v.Preview.Issues = append(v.Preview.Issues, issueOf(say, issue))
	}
	for i, p := range row.Params {
		if reason, detail := pombo.CheckParam(p); reason != pombo.NoReason {
			v.Preview.Issues = append(v.Preview.Issues, issueOf(say, pombo.TemplateIssue{Reason: reason, Message: say.Text("preview_page.value", i+1, string(p.Slot), detail)}))
		}
	}
	return s.render(w, r, "template", v)
}
