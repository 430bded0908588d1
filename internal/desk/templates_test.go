package desk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pombo"
)

// fakeTemplates are those of a bot.
type fakeTemplates struct {
	list     []pombo.Template
	fail     error
	issues   []pombo.TemplateIssue
	held     map[string]pombo.TemplateHold
	versions []pombo.TemplateVersion
	row      pombo.Row
	asked    time.Time // until when the reach was
}

func (f *fakeTemplates) Templates(context.Context) ([]pombo.Template, error) { return f.list, f.fail }
func (f *fakeTemplates) Issues(pombo.Template) []pombo.TemplateIssue         { return f.issues }
func (f *fakeTemplates) HeldTemplates(context.Context) (list []pombo.TemplateHold, err error) {
	for _, h := range f.held {
		list = append(list, h)
	}
	return list, nil
}

func (f *fakeTemplates) TemplateReach(_ context.Context, _ string, until time.Time) (pombo.TemplateReach, error) {
	f.asked = until
	reach := pombo.TemplateReach{Waiting: 312, Expiring: 300, Arrived: 580, Within: 2 * time.Hour}
	if !until.IsZero() {
		reach.Expiring = 40
	}
	return reach, nil
}

func (f *fakeTemplates) TemplateVersions(context.Context, string, string) ([]pombo.TemplateVersion, error) {
	return f.versions, nil
}

func (f *fakeTemplates) Hold(_ context.Context, h pombo.TemplateHold) error {
	f.held = map[string]pombo.TemplateHold{h.Template: h}
	return nil
}

func (f *fakeTemplates) Release(_ context.Context, name string) (bool, error) {
	_, held := f.held[name]
	delete(f.held, name)
	return held, nil
}

func (f *fakeTemplates) Row(_ context.Context, key string) (pombo.Row, error) {
	if key != f.row.RowKey {
		return pombo.Row{}, pombo.ErrNotFound
	}
	return f.row, nil
}

var fatura = pombo.Template{
	Name: "fatura_nova", Language: "pt_BR", Status: "PAUSED", Category: "MARKETING", PreviousCategory: "UTILITY", Body: "Olá, {{1}}! Sua fatura de {{2}} chegou.", Footer: "Responda SAIR",
}

func TestTemplates(t *testing.T) {
	b := newBench(t)
	b.now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	get := func(page string) string { return w.ask("GET", page, nil, "Accept-Language", "en").Body.String() }
	b.templates.list = []pombo.Template{fatura}
	lacks := func(page string, wants ...string) {
		t.Helper()
		text := get(page)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", page, want)
			}
		}
	}
	lacks("/desk/templates", "fatura_nova", "paused by WhatsApp", "MARKETING (was UTILITY)", "312")
	before := fatura
	before.Body, before.Category = "Olá!", "UTILITY"
	b.templates.versions = []pombo.TemplateVersion{{Template: fatura, FirstSeen: b.now, LastSeen: b.now}, {Template: before, FirstSeen: b.now.AddDate(0, -1, 0), LastSeen: b.now}}
	b.templates.issues = []pombo.TemplateIssue{{Reason: pombo.TemplatePaused, Message: "is paused by WhatsApp"}}
	lacks("/desk/templates/fatura_nova", "*****", "Responda SAIR", "text, category", "the first that is known", asSentence(pombo.TemplatePaused.Message()), "/desk/templates/fatura_nova/hold")
	b.now = b.now.Add(keepTemplates)
	b.templates.fail = errors.New("no route to Blip")
	lacks("/desk/templates", "fatura_nova", "this is the last list that is known")
	for _, page := range []string{"/desk/templates/not_there", "/desk/templates/Not%20A%20Name"} {
		b.templates.versions = nil
		if rec := w.ask("GET", page, nil); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", page, rec.Code)
		}
	}
}

func TestHold(t *testing.T) {
	b := newBench(t)
	b.now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	b.templates.list = []pombo.Template{fatura}
	const page = "/desk/templates/fatura_nova/hold"
	text := w.ask("GET", page, nil, "Accept-Language", "en").Body.String()
	for _, want := range []string{"312 queued messages stop.", "About 290 an hour", "300 have an end"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if text := w.ask("GET", page+"?until=2026-11-28T18:00", nil, "Accept-Language", "en").Body.String(); !strings.Contains(text, "40 would expire unsent by 18:00") || b.templates.asked.IsZero() {
		t.Error("the reach until a time is not shown")
	}
	if status, text := w.act(page, page, url.Values{"note": {""}}); status != http.StatusUnprocessableEntity || !strings.Contains(text, "Say why.") {
		t.Errorf("without a reason: %d", status)
	}
	until := time.Date(2026, 11, 28, 18, 0, 0, 0, time.UTC)
	status, text := w.act(page+"?until=2026-11-28T18:00", page, url.Values{"note": {"wrong price"}, "until": {"2026-11-28T18:00"}})
	if want := (pombo.TemplateHold{Template: "fatura_nova", Who: "ana", Note: "wrong price", Until: until}); status != http.StatusSeeOther || b.templates.held["fatura_nova"] != want {
		t.Errorf("held: %d %+v, want %+v", status, b.templates.held, want)
	}
	for _, want := range []string{"Template fatura_nova is held.", "Held by ana", "Until 18:00.", "wrong price", "/release"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, want := range []string{"Template fatura_nova is released.", "Nobody held template fatura_nova."} {
		if _, text := w.act("/desk/templates/fatura_nova/release", "/desk/templates/fatura_nova/release", url.Values{}); !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := b.trail(); !slices.Equal(got, []string{"hold done fatura_nova until 2026-11-28T18:00:00Z: wrong price", "release done fatura_nova", "release done fatura_nova"}) {
		t.Errorf("trail = %q", got)
	}
}

func TestPreview(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	b.templates.list = []pombo.Template{fatura}
	b.templates.row = pombo.Row{RowKey: "471102", Template: "fatura_nova", Recipient: "31988880001", Params: []pombo.Param{{Slot: pombo.Body, Value: "Zulmira"}, {Slot: pombo.Body, Value: "a\nb"}}}
	preview := func(row string) (int, string) {
		rec := w.ask("POST", "/desk/templates/fatura_nova/preview", url.Values{"once": {w.once("/desk/templates/fatura_nova")}, "row": {row}}, "Accept-Language", "en")
		return rec.Code, rec.Body.String()
	}
	if status, text := preview("1"); status != http.StatusNotFound || !strings.Contains(text, "The table has no row with this key.") {
		t.Errorf("a row that is not there: %d", status)
	}
	status, text := preview("471102")
	for _, want := range []string{"Row 471102, template fatura_nova", "value 2 (body)", asSentence(pombo.ParameterFormat.Message())} {
		if status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%d, the page lacks %q", status, want)
		}
	}
	for _, secret := range []string{"Zulmira", "88880001"} {
		if strings.Contains(text, secret) || strings.Contains(b.log.String(), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	if got := b.trail(); !slices.Equal(got, []string{"preview done 471102 masked"}) {
		t.Errorf("trail = %q", got)
	}
}
