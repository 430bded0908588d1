package desk

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/audit"
)

const goodPassword = "cavalo bateria grampo certo"

// goodHash costs next to nothing to check: hashing is slow on purpose, and nearly every test
// signs in. What the desk itself makes of a password, TestInvite has.
var goodHash = hashAt(goodPassword, 64, 1)

// fixture is a desk with what it is made of.
type fixture struct {
	t         *testing.T
	s         *Server
	ledger    *fakeLedger
	facts     fakeFacts
	work      fakeWork
	templates fakeTemplates
	log       *bytes.Buffer
	now       time.Time
	messages  *fakeMessages
	figures   *fakeFigures
	bulks     *fakeBulks
	replies   fakeReplies
}

func newBench(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	b := &fixture{t: t, log: &bytes.Buffer{}, now: time.Now(), messages: &fakeMessages{}, figures: &fakeFigures{}, bulks: &fakeBulks{}}
	b.ledger = newFakeLedger(func() time.Time { return b.now })
	key, err := audit.NewKey(strings.Repeat("k", audit.MinSecret))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Users: b.ledger, Sessions: b.ledger, Trail: b.ledger, Key: key, Zone: time.UTC, Version: "test",
		Facts: &b.facts, Sending: &b.work, Runs: &b.work, Table: &b.work, OptOuts: &b.work, Templates: &b.templates, Compare: b.work.compare,
		Messages: b.messages, Recipients: b.messages, Actions: b.messages, Rows: b.messages,
		Logger: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: func() time.Time { return b.now },
	}
	o.Figures, o.Template = b.figures, "lembrete"
	o.Bulks, o.PerSecond, o.Category = b.bulks, 45, func(string) (string, bool) { return "UTILITY", true }
	o.People, o.Replies = &fakePeople{}, &b.replies
	for _, c := range change {
		c(&o)
	}
	if b.s, err = New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

// account makes an account with goodPassword.
func (b *fixture) account(name string, role pombo.Role, grants pombo.Grants) {
	b.ledger.users[name] = pombo.User{Name: name, Hash: goodHash, Role: role, Grants: grants, Created: b.now}
}

// browser is somebody with cookies.
type browser struct {
	*fixture
	jar    map[string]string
	header http.Header // of every request
	from   string
}

func (b *fixture) browser() *browser {
	return &browser{fixture: b, jar: map[string]string{}, header: http.Header{}, from: "127.0.0.1:40000"}
}

func (w *browser) ask(method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	body := ""
	if form != nil {
		body = form.Encode()
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:5001"
	r.RemoteAddr = w.from
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	maps.Copy(r.Header, w.header)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	for name, value := range w.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	w.s.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if w.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(w.jar, c.Name)
		}
	}
	return rec
}

// signIn signs in with goodPassword.
func (b *fixture) signIn(name string) *browser {
	b.t.Helper()
	w := b.browser()
	rec := w.ask("POST", "/desk/login", url.Values{"name": {name}, "password": {goodPassword}})
	if rec.Code != http.StatusSeeOther {
		b.t.Fatalf("sign-in of %s: status = %d, want 303: %s", name, rec.Code, rec.Body)
	}
	return w
}

var onceField = regexp.MustCompile(`name="once" value="([^"]+)"`)

// once returns a token from a form of a page.
func (w *browser) once(page string) string {
	w.t.Helper()
	m := onceField.FindStringSubmatch(w.ask("GET", page, nil).Body.String())
	if m == nil {
		w.t.Fatalf("%s has no form with a token", page)
	}
	return m[1]
}

func TestPages(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	b.account("bia", pombo.RoleViewer, pombo.GrantUncover)
	w := b.signIn("ana")
	for _, page := range []string{"/desk/", "/desk/me", "/desk/users", "/desk/audit"} {
		for _, lang := range []string{"pt-BR", "en"} {
			rec := w.ask("GET", page, nil, "Accept-Language", lang)
			if rec.Code != http.StatusOK {
				t.Errorf("%s: status = %d: %s", page, rec.Code, rec.Body)
			}
			for _, bad := range []string{"style=", "<script>", "onclick", "[private]", "%!"} {
				if strings.Contains(rec.Body.String(), bad) {
					t.Errorf("%s has %q in it", page, bad)
				}
			}
			if !strings.Contains(rec.Body.String(), `<html lang="`+lang+`"`) {
				t.Errorf("%s is not in %s", page, lang)
			}
		}
	}
}
