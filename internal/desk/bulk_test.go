package desk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pombo"
	"pombo/internal/bulk"
)

// fakeBulks plans what it is given and keeps what was started.
type fakeBulks struct {
	plan    pombo.BulkPlan // its counts
	dry     bulk.DryRun
	dryErr  error
	rows    int // asked for by the last dry run
	started []pombo.Bulk
	items   []pombo.BulkItem
	taken   map[int64]pombo.Notification
	fail    error
}

func (f *fakeBulks) Plan(_ context.Context, act pombo.BulkAct, filter pombo.BulkFilter) (pombo.BulkPlan, error) {
	p := f.plan
	p.Act, p.Filter = act, filter
	return p, f.fail
}

func (f *fakeBulks) DryRun(_ context.Context, _ pombo.BulkPlan, limit int) (bulk.DryRun, error) {
	f.rows = limit
	return f.dry, f.dryErr
}

func (f *fakeBulks) Start(_ context.Context, plan pombo.BulkPlan, who, why string) (int64, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	id := int64(len(f.started) + 1)
	f.started = append(f.started, pombo.Bulk{ID: id, Plan: plan, Who: who, Note: why, State: pombo.BulkOpen, Left: plan.Matched})
	return id, nil
}

func (f *fakeBulks) Stop(_ context.Context, id int64) (bool, error) {
	was := f.started[id-1].State == pombo.BulkOpen
	f.started[id-1].State = pombo.BulkStopped
	return was, f.fail
}

func (f *fakeBulks) Bulk(_ context.Context, id int64) (pombo.Bulk, error) {
	if id > int64(len(f.started)) {
		return pombo.Bulk{}, pombo.ErrNotFound
	}
	return f.started[id-1], nil
}

func (f *fakeBulks) Bulks(context.Context, int) ([]pombo.Bulk, error) { return f.started, nil }

func (f *fakeBulks) Items(_ context.Context, _, after int64, limit int) (out []pombo.BulkItem, err error) {
	for _, it := range f.items {
		if it.Seq > after && len(out) < limit {
			out = append(out, it)
		}
	}
	return out, f.fail
}

func (f *fakeBulks) Taken(_ context.Context, seq int64) (pombo.Notification, error) {
	n, ok := f.taken[seq]
	if !ok {
		return n, pombo.ErrNotFound
	}
	return n, nil
}

var hiddenField = regexp.MustCompile(`type="hidden" name="(once|plan|seal)" value="([^"]*)"`)

// confirm fills in the form of a plan.
func (w *browser) confirm(page, note, count string) url.Values {
	w.t.Helper()
	rec := w.ask("GET", page, nil)
	_, body, found := strings.Cut(rec.Body.String(), `<form class="confirm`)
	if !found {
		w.t.Fatalf("%s asks for no confirmation: %d %s", page, rec.Code, rec.Body)
	}
	form := url.Values{"note": {note}, "count": {count}}
	for _, m := range hiddenField.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

const planPage = "/desk/bulk/new?act=retry&reason=parameter_format&template=fatura&since=2026-11-28T07:12:00Z"

func TestBulk_Plan(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	b.bulks.plan = pombo.BulkPlan{Matched: 88, Going: 83, OptedOut: 3, Expired: 2, Drawn: b.now}
	b.bulks.dry = bulk.DryRun{Read: 20, Going: 17, Reasons: map[pombo.Reason]int{pombo.ParameterFormat: 3}, Sample: []bulk.Sample{{RowKey: "4711", Reason: pombo.ParameterFormat}}}
	body := w.ask("GET", planPage, nil).Body.String()
	for _, want := range []string{
		"modelo: fatura", "motivo: um valor tem quebra de linha", "desde 28/11/2026 07:12:00", "a pessoa pediu para não receber", "Foram lidas 20 linhas: 17 podem ir, 3 falhariam de novo", "4711",
		"&amp;rows=500", "Digite 83 para confirmar", "Reenviar 83", "cerca de 1 segundo, a 45 por segundo", "categoria UTILITY", "Não pode ser desfeito"[4:],
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the plan lacks %q", want)
		}
	}
	if b.bulks.rows != 20 {
		t.Errorf("%d rows were read, want the first 20", b.bulks.rows)
	}
	if w.ask("GET", planPage+"&rows=500", nil); b.bulks.rows != 500 {
		t.Errorf("%d rows were read, want 500", b.bulks.rows)
	}
	b.bulks.dryErr = errors.New("the table is away")
	if body := w.ask("GET", planPage, nil).Body.String(); !strings.Contains(body, "As linhas não puderam ser lidas agora") || !strings.Contains(body, "Reenviar 83") {
		t.Error("a table that is away keeps the plan from being shown")
	}
	for page, want := range map[string]string{
		"/desk/bulk/new?act=retry&state=read":       "Isso não vale",
		"/desk/bulk/new?act=dance":                  "Escolha entre",
		"/desk/bulk/new?act=retry&reason=nonsense":  "Este motivo não existe",
		"/desk/bulk/new?act=retry&since=yesterday":  "Esta data não existe",
		"/desk/bulk/new?act=cancel&state=cancelled": "Isso não vale",
	} {
		if rec := w.ask("GET", page, nil); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: status = %d, want 422 and %q", page, rec.Code, want)
		}
	}
	b.bulks.fail = pombo.ErrBulkTooMany
	if rec := w.ask("GET", planPage, nil); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "Mais de 100.000") {
		t.Errorf("too many: %d", rec.Code)
	}
}

func TestBulk_Start(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	b.account("bia", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	b.bulks.plan = pombo.BulkPlan{Matched: 1200, Going: 1000, UpTo: 77, Drawn: b.now}
	for want, form := range map[string]url.Values{
		"Diga por quê.":                       w.confirm(planPage, " ", "1000"),
		"O número não confere: digite 1.000.": w.confirm(planPage, "corrigido", "999"),
		"Há um número que parece telefone.":   w.confirm(planPage, "ligou de (31) 98888-0001", "1000"),
		"Escreva no máximo 200 caracteres.":   w.confirm(planPage, strings.Repeat("é", 501), "1000"),
	} {
		if rec := w.ask("POST", "/desk/bulk", form); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), want) || !strings.Contains(rec.Body.String(), `id="problem"`) {
			t.Errorf("status = %d, want 422 and %q", rec.Code, want)
		}
	}
	foreign := w.confirm(planPage, "corrigido", "1000")
	changed := w.confirm(planPage, "corrigido", "1000")
	changed.Set("plan", changed.Get("plan")+"A")
	if rec := w.ask("POST", "/desk/bulk", changed); rec.Code != http.StatusForbidden {
		t.Errorf("a plan that was changed: status = %d, want 403", rec.Code)
	}
	other := b.signIn("bia")
	foreign.Set("once", other.once("/desk/me"))
	if rec := other.ask("POST", "/desk/bulk", foreign); rec.Code != http.StatusForbidden {
		t.Errorf("a plan of somebody else: status = %d, want 403", rec.Code)
	}
	if len(b.bulks.started) > 0 {
		t.Fatalf("it was started: %+v", b.bulks.started)
	}
	form := w.confirm(planPage, "corrigido no ERP", "1.000")
	rec := w.ask("POST", "/desk/bulk", form)
	if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/desk/bulk/1" {
		t.Fatalf("start: %d %s", rec.Code, rec.Body)
	}
	if got := b.bulks.started[0]; got.Who != "ana" || got.Note != "corrigido no ERP" || got.Plan.UpTo != 77 || got.Plan.Filter.Template != "fatura" || !got.Plan.Drawn.Equal(b.now) {
		t.Errorf("started %+v", got)
	}
	if !strings.Contains(b.ledger.trail(), "ana bulk done fatura") || strings.Count(b.ledger.trail(), " bulk ") != 1 {
		t.Errorf("trail: %s", b.ledger.trail())
	}
	if body := w.ask("GET", "/desk/bulk/1", nil).Body.String(); !strings.Contains(body, "O grupo 1 começou.") {
		t.Error("nothing says that it has started")
		if rec := w.ask("POST", "/desk/bulk", form); rec.Code != http.StatusConflict || len(b.bulks.started) != 1 {
			t.Errorf("the same again: %d, %d started", rec.Code, len(b.bulks.started))
		}
	}
}

func TestBulk_OperatorsLimit(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	b.account("adm", pombo.RoleAdmin, 0)
	b.bulks.plan = pombo.BulkPlan{Matched: 1001, Going: 1001}
	w := b.signIn("ana")
	if body := w.ask("GET", planPage, nil).Body.String(); strings.Contains(body, `<form class="confirm`) || !strings.Contains(body, "só quem administra pode mandar") {
		t.Error("an operator may confirm 1,001")
	}
	admin := b.signIn("adm")
	form := admin.confirm(planPage, "tudo corrigido", "1001")
	if rec := admin.ask("POST", "/desk/bulk", form); rec.Code != http.StatusSeeOther {
		t.Errorf("an administrator: status = %d, want 303: %s", rec.Code, rec.Body)
	}
	if !mayMove(pombo.User{Role: pombo.RoleOperator}, 1000) || mayMove(pombo.User{Role: pombo.RoleOperator}, 1001) || mayMove(pombo.User{Role: pombo.RoleViewer}, 1) {
		t.Error("who may move how many")
	}
}

func TestBulk_Cancel(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	b.bulks.plan = pombo.BulkPlan{Matched: 1, Going: 1}
	rec := w.ask("POST", "/desk/bulk", w.confirm("/desk/bulk/new?act=cancel", "engano", "1"))
	if rec.Code != http.StatusSeeOther || b.bulks.rows != 0 || b.bulks.started[0].Plan.Act != pombo.BulkCancel || !strings.Contains(b.ledger.trail(), "ana cancel done") {
		t.Errorf("cancel: %d, %d rows read, trail %s", rec.Code, b.bulks.rows, b.ledger.trail())
	}
}

// Nothing is done that cannot be written down, and what fails is.
func TestBulk_Trail(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	w := b.signIn("ana")
	b.bulks.plan = pombo.BulkPlan{Matched: 2, Going: 2}
	form := w.confirm(planPage, "corrigido", "2")
	b.bulks.fail = errors.New("disk full")
	if rec := w.ask("POST", "/desk/bulk", form); rec.Code != http.StatusServiceUnavailable || !strings.Contains(b.ledger.trail(), "ana bulk failed fatura") {
		t.Errorf("a start that fails: %d, trail %s", rec.Code, b.ledger.trail())
	}
}

func TestBulk_Progress(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleOperator, 0)
	b.account("vera", pombo.RoleViewer, 0)
	w := b.signIn("ana")
	b.bulks.started = []pombo.Bulk{{
		ID: 1, Plan: pombo.BulkPlan{Act: pombo.BulkRetry, Matched: 83, Filter: pombo.BulkFilter{States: []pombo.State{pombo.Failed}, Reason: pombo.ParameterFormat}}, Who: "ana", Note: "<chamado 1234>",
		State: pombo.BulkOpen, Done: 58, Skipped: 2, Changed: 1, Left: 22, Outcome: map[pombo.State]int{pombo.Delivered: 40, pombo.Read: 5, pombo.Failed: 3, pombo.Accepted: 10},
	}}
	id := pombo.Key{Source: "t", RowKey: "4711", Generation: 1}.MessageID()
	b.bulks.items = []pombo.BulkItem{{Seq: 1, Result: pombo.BulkItemDone}, {Seq: 2, Result: pombo.BulkItemOptOut}, {Seq: 3, Result: pombo.BulkItemGone}, {Seq: 4}}
	b.bulks.taken = map[int64]pombo.Notification{2: {MessageID: id, Key: pombo.Key{RowKey: "4711"}}}
	body := w.ask("GET", "/desk/bulk/1", nil).Body.String()
	for _, want := range []string{
		`data-live="progress"`, `<progress max="83" value="61"`, "61 de 83 vistas", "Das 58 reenviadas, 45 chegaram até agora, 3 não chegaram e de 10 ainda não se sabe.", "&lt;chamado 1234&gt;",
		"/desk/messages/" + string(id), "a pessoa pediu para não receber", "já foi apagada", "/desk/bulk/1/stop", "/desk/bulk/1/skipped.csv",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	part := w.ask("GET", "/desk/bulk/1", nil, partHeader, "progress")
	if part.Code != http.StatusOK || strings.Contains(part.Body.String(), "<html") || !strings.Contains(part.Body.String(), "61 de 83") || part.Header().Get("ETag") == "" {
		t.Errorf("part: %d %s", part.Code, part.Body)
	}
	rec := w.ask("GET", "/desk/bulk/1/skipped.csv", nil)
	if want := "\ufeffLinha;Mensagem;Por quê\r\n4711;" + string(id) + ";a pessoa pediu para não receber\r\n;;já foi apagada\r\n"; rec.Body.String() != want {
		t.Errorf("CSV = %q, want %q", rec.Body, want)
	}
	if !strings.Contains(b.ledger.trail(), "ana export done bulk 1") {
		t.Errorf("trail: %s", b.ledger.trail())
	}
	viewer := b.signIn("vera")
	if body := viewer.ask("GET", "/desk/bulk/1", nil).Body.String(); strings.Contains(body, "/stop") {
		t.Error("a viewer is offered to stop it")
	}
	rec = w.ask("POST", "/desk/bulk/1/stop", url.Values{"once": {w.once("/desk/bulk/1/stop")}})
	if rec.Code != http.StatusSeeOther || b.bulks.started[0].State != pombo.BulkStopped || !strings.Contains(b.ledger.trail(), "ana bulk done bulk 1") {
		t.Errorf("stop: %d, %s, trail %s", rec.Code, b.bulks.started[0].State, b.ledger.trail())
	}
	if body := w.ask("GET", "/desk/bulk/1", nil).Body.String(); strings.Contains(body, `data-live="progress"`) || !strings.Contains(body, "O grupo parou.") || !strings.Contains(body, "Não foram vistas") {
		t.Error("the page of one that was stopped")
	}
	if body := w.ask("GET", "/desk/bulk", nil).Body.String(); !strings.Contains(body, "Reenvio 1") || !strings.Contains(body, "58 de 83") {
		t.Errorf("list: %s", body)
	}
	for _, path := range []string{"/desk/bulk/2", "/desk/bulk/x", "/desk/bulk/0"} {
		if rec := w.ask("GET", path, nil); rec.Code != http.StatusNotFound {
			t.Errorf("%s: status = %d, want 404", path, rec.Code)
		}
	}
}

// A long set is read in pages, in both the page and the table for a spreadsheet.
func TestBulk_ManySkipped(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleViewer, 0)
	w := b.signIn("ana")
	for seq := range int64(2500) {
		it := pombo.BulkItem{Seq: seq + 1, Result: pombo.BulkItemDone}
		if seq%25 == 24 {
			it.Result = pombo.BulkItemChanged
		}
		b.bulks.items = append(b.bulks.items, it)
	}
	b.bulks.started = []pombo.Bulk{{ID: 1, Plan: pombo.BulkPlan{Act: pombo.BulkCancel, Matched: 2500}, State: pombo.BulkDone, Done: 2400, Skipped: 100}}
	body := w.ask("GET", "/desk/bulk/1", nil).Body.String()
	if n := strings.Count(body, "mudou antes da vez dela"); n != skippedShown || !strings.Contains(body, "50 de 100: a lista") {
		t.Errorf("%d are shown, want %d", n, skippedShown)
	}
	if lines := strings.Count(w.ask("GET", "/desk/bulk/1/skipped.csv", nil).Body.String(), "\n"); lines != 101 {
		t.Errorf("CSV has %s lines, want 101", strconv.Itoa(lines))
	}
}
