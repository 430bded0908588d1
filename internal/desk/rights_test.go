package desk

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pombo"
)

// whoMay has a line for each route: who gets through the wall. nobody has not signed in;
// auditor is a viewer with the grant.
var whoMay = map[string]string{
	"GET /{$}":                             "nobody viewer auditor operator admin",
	"GET /favicon.ico":                     "nobody viewer auditor operator admin",
	"GET /desk/static/{hash}/{name}":       "nobody viewer auditor operator admin",
	"GET /desk/login":                      "nobody viewer auditor operator admin",
	"POST /desk/login":                     "nobody viewer auditor operator admin",
	"GET /desk/enter":                      "nobody viewer auditor operator admin",
	"POST /desk/enter":                     "nobody viewer auditor operator admin",
	"GET /desk/invite":                     "nobody viewer auditor operator admin",
	"POST /desk/invite":                    "nobody viewer auditor operator admin",
	"POST /desk/logout":                    "viewer auditor operator admin",
	"GET /desk/{$}":                        "viewer auditor operator admin",
	"GET /desk/pause":                      "operator admin",
	"POST /desk/pause":                     "operator admin",
	"GET /desk/resume":                     "operator admin",
	"POST /desk/resume":                    "operator admin",
	"GET /desk/runs":                       "viewer auditor operator admin",
	"POST /desk/runs":                      "operator admin",
	"GET /desk/runs/new":                   "operator admin",
	"GET /desk/runs/{id}":                  "viewer auditor operator admin",
	"GET /desk/table":                      "viewer auditor operator admin",
	"GET /desk/findings":                   "viewer auditor operator admin",
	"POST /desk/findings":                  "operator admin",
	"GET /desk/findings/new":               "operator admin",
	"GET /desk/replies":                    "viewer auditor operator admin",
	"GET /desk/optouts":                    "viewer auditor operator admin",
	"POST /desk/optouts":                   "operator admin",
	"GET /desk/optouts/add":                "operator admin",
	"GET /desk/optouts/remove":             "operator admin",
	"POST /desk/optouts/remove":            "operator admin",
	"GET /desk/templates":                  "viewer auditor operator admin",
	"GET /desk/templates/{name}":           "viewer auditor operator admin",
	"POST /desk/templates/{name}/preview":  "operator admin",
	"GET /desk/templates/{name}/hold":      "operator admin",
	"POST /desk/templates/{name}/hold":     "operator admin",
	"GET /desk/templates/{name}/release":   "operator admin",
	"POST /desk/templates/{name}/release":  "operator admin",
	"GET /desk/me":                         "viewer auditor operator admin",
	"POST /desk/me":                        "viewer auditor operator admin",
	"POST /desk/me/password":               "viewer auditor operator admin",
	"POST /desk/me/sessions/end":           "viewer auditor operator admin",
	"GET /desk/messages":                   "viewer auditor operator admin",
	"GET /desk/messages.csv":               "viewer auditor operator admin",
	"POST /desk/messages.csv":              "", // who has the grant: see TestMay
	"GET /desk/export":                     "",
	"POST /desk/find":                      "viewer auditor operator admin",
	"GET /desk/find/{token}":               "viewer auditor operator admin",
	"POST /desk/find/{token}/row":          "operator admin",
	"GET /desk/messages/{id}":              "viewer auditor operator admin",
	"POST /desk/messages/{id}/uncover":     "",
	"GET /desk/messages/{id}/retry":        "operator admin",
	"POST /desk/messages/{id}/retry":       "operator admin",
	"GET /desk/messages/{id}/cancel":       "operator admin",
	"POST /desk/messages/{id}/cancel":      "operator admin",
	"POST /desk/messages/{id}/ask":         "operator admin",
	"GET /desk/replies/{number}":           "viewer auditor operator admin",
	"POST /desk/replies/{number}/uncover":  "",
	"GET /desk/failures":                   "viewer auditor operator admin",
	"GET /desk/failures.csv":               "viewer auditor operator admin",
	"GET /desk/failures/{reason}":          "viewer auditor operator admin",
	"GET /desk/bulk":                       "viewer auditor operator admin",
	"GET /desk/bulk/new":                   "operator admin",
	"POST /desk/bulk":                      "operator admin",
	"GET /desk/bulk/{number}":              "viewer auditor operator admin",
	"GET /desk/bulk/{number}/skipped.csv":  "viewer auditor operator admin",
	"GET /desk/bulk/{number}/stop":         "operator admin",
	"POST /desk/bulk/{number}/stop":        "operator admin",
	"GET /desk/report":                     "viewer auditor operator admin",
	"GET /desk/report.csv":                 "viewer auditor operator admin",
	"GET /desk/audit":                      "auditor admin",
	"POST /desk/audit":                     "auditor admin",
	"GET /desk/audit.csv":                  "auditor admin",
	"GET /desk/person":                     "auditor admin",
	"POST /desk/person":                    "auditor admin",
	"GET /desk/person/forget":              "admin",
	"POST /desk/person/forget":             "admin",
	"GET /desk/help":                       "viewer auditor operator admin",
	"GET /desk/help/{reason}":              "viewer auditor operator admin",
	"GET /desk/users":                      "admin",
	"POST /desk/users":                     "admin",
	"POST /desk/users/{name}":              "admin",
	"POST /desk/users/{name}/invite":       "admin",
	"POST /desk/users/{name}/sessions/end": "admin",
	"POST /desk/cli/users":                 "", // only with the signature of the command line
}

func TestRights(t *testing.T) {
	roles := map[string]func(*fixture){
		"viewer":   func(b *fixture) { b.account("v", pombo.RoleViewer, 0) },
		"auditor":  func(b *fixture) { b.account("v", pombo.RoleViewer, pombo.GrantAudit) },
		"operator": func(b *fixture) { b.account("v", pombo.RoleOperator, 0) },
		"admin":    func(b *fixture) { b.account("v", pombo.RoleAdmin, 0) },
		"nobody":   func(*fixture) {},
	}
	probe := newBench(t)
	for pattern := range probe.s.routes {
		if _, ok := whoMay[pattern]; !ok {
			t.Errorf("%s has no line: say who may use it", pattern)
		}
	}
	for pattern := range whoMay {
		if _, ok := probe.s.routes[pattern]; !ok {
			t.Errorf("there is no route %s", pattern)
		}
	}
	for role, prepare := range roles {
		b := newBench(t)
		prepare(b)
		visitor := b.browser()
		if role != "nobody" {
			visitor = b.signIn("v")
		}
		sessions := maps.Clone(b.ledger.sessions)
		for pattern, who := range whoMay {
			method, path, _ := strings.Cut(pattern, " ")
			path = strings.NewReplacer("{$}", "", "{name}", "x", "{hash}", "0", "{token}", "x", "{id}", "x", "{reason}", "expired").Replace(path)
			w := b.browser()
			w.jar, b.ledger.sessions = maps.Clone(visitor.jar), maps.Clone(sessions)
			var form url.Values
			if method == http.MethodPost {
				form = url.Values{} // without a token
			}
			rec := w.ask(method, path, form)
			allowed := strings.Contains(" "+who+" ", " "+role+" ")
			refused := rec.Code == http.StatusForbidden && !strings.Contains(rec.Body.String(), "Este formulário não vale mais") &&
				!strings.Contains(rec.Body.String(), "Este link") && !strings.Contains(rec.Body.String(), "Este convite") ||
				rec.Code == http.StatusSeeOther && strings.HasPrefix(rec.Header().Get("Location"), "/desk/login") && path != "/" && (path != "/desk/logout" || role == "nobody")
			if refused == allowed {
				t.Errorf("%s by %s: %d %s, allowed %v", pattern, role, rec.Code, rec.Header().Get("Location"), allowed)
			}
		}
	}
}

func TestMay(t *testing.T) {
	for _, c := range []struct {
		need right
		u    pombo.User
		want bool
	}{
		{uncover, pombo.User{Role: pombo.RoleAdmin}, false},
		{uncover, pombo.User{Role: pombo.RoleViewer, Grants: pombo.GrantUncover}, true},
		{exportClear, pombo.User{Role: pombo.RoleAdmin}, false},
		{exportClear, pombo.User{Role: pombo.RoleViewer, Grants: pombo.GrantExport}, true},
		{resendOwn, pombo.User{Role: pombo.RoleViewer}, false},
		{resendOwn, pombo.User{Role: pombo.RoleViewer, Grants: pombo.GrantResend}, true},
		{resendOwn, pombo.User{Role: pombo.RoleOperator}, true},
		{operate, pombo.User{Role: pombo.RoleViewer, Grants: 15}, false},
		{view, pombo.User{Role: "root", Grants: 15}, false},
		{view, pombo.User{}, false},
		{anyone, pombo.User{}, true},
	} {
		if got := may(c.u, c.need); got != c.want {
			t.Errorf("right %d of %+v = %v, want %v", c.need, c.u, got, c.want)
		}
	}
}

func TestServer_RefusesForeignRequests(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	w := b.signIn("ana")
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		{"another site, an old browser", []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, http.StatusForbidden},
		{"another name of this address", []string{"Host", "evil.example:5001"}, http.StatusMisdirectedRequest},
	} {
		if rec := w.ask("POST", "/desk/me", url.Values{"once": {w.once("/desk/me")}}, c.header...); rec.Code != c.status {
			t.Errorf("%s: status = %d, want %d", c.name, rec.Code, c.status)
		}
	}
	if rec := b.browser().ask("POST", "/desk/me", url.Values{"once": {w.once("/desk/me")}}); rec.Code != http.StatusSeeOther {
		t.Errorf("without a cookie: status = %d, want 303 to the sign-in", rec.Code)
	}
	if got := b.ledger.users["ana"]; got.Language != "" || got.KeysOff {
		t.Errorf("the account was changed: %+v", got)
	}
}

func TestKnownHost(t *testing.T) {
	for _, c := range []struct {
		hosts []string
		host  string
		want  bool
	}{
		{nil, "localhost:5001", true},
		{nil, "127.0.0.1", true},
		{nil, "[::1]:5001", true},
		{nil, "10.0.0.7:5001", true},
		{nil, "desk.example", false},
		{[]string{"Desk.example"}, "desk.EXAMPLE:443", true},
		{[]string{"desk.example"}, "10.0.0.7:5001", false},
		{[]string{"desk.example"}, "localhost", true},
		{[]string{"desk.example"}, "desk.example.evil.example", false},
	} {
		b := newBench(t, func(o *Options) { o.Hosts = c.hosts })
		if got := b.s.knownHost(c.host); got != c.want {
			t.Errorf("hosts %v, asked as %s: %v, want %v", c.hosts, c.host, got, c.want)
		}
	}
}

func TestToken_GoodOnce(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	b.account("bia", pombo.RoleAdmin, 0)
	w := b.signIn("ana")
	once := w.once("/desk/me")
	form := url.Values{"once": {once}, "language": {"en"}}
	if rec := w.ask("POST", "/desk/me", form); rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/desk/me" {
		t.Fatalf("first: status = %d, want 303: %s", rec.Code, rec.Body)
	}
	if rec := w.ask("POST", "/desk/me", form); rec.Code != http.StatusConflict {
		t.Errorf("the same again: status = %d, want 409", rec.Code)
	}
	if rec := b.signIn("bia").ask("POST", "/desk/me", url.Values{"once": {w.once("/desk/me")}}); rec.Code != http.StatusForbidden {
		t.Errorf("a token of somebody else: status = %d, want 403", rec.Code)
	}
	if rec := w.ask("POST", "/desk/me", url.Values{"once": {once[:len(once)-1] + "_"}}); rec.Code != http.StatusForbidden {
		t.Errorf("a token that was changed: status = %d, want 403", rec.Code)
	}
	old := w.once("/desk/me")
	b.now = b.now.Add(sessionLife + 1)
	for token, s := range b.ledger.sessions { // the session would be over: it is the token that is looked at
		s.Expires = b.now.Add(sessionIdle)
		b.ledger.sessions[token] = s
	}
	if rec := w.ask("POST", "/desk/me", url.Values{"once": {old}}); rec.Code != http.StatusForbidden {
		t.Errorf("an old token: status = %d, want 403", rec.Code)
	}
}

func TestServer_RefusesTooMuch(t *testing.T) {
	b := newBench(t)
	if rec := b.browser().ask("POST", "/desk/login", url.Values{"name": {strings.Repeat("x", maxForm)}}); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of more than 64 KB: status = %d, want 413", rec.Code)
	}
	for range atOnce {
		b.s.making <- struct{}{}
	}
	rec := b.browser().ask("GET", "/desk/login", nil)
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("a page too many: status = %d, Retry-After %q, want 503 and a time", rec.Code, rec.Header().Get("Retry-After"))
	}
}

func TestServer_Headers(t *testing.T) {
	b := newBench(t)
	w := b.browser()
	rec := w.ask("GET", "/desk/login", nil)
	for name, want := range map[string]string{
		"Content-Security-Policy":    policy,
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control":              "no-store",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	address, err := b.s.static.address("desk.css")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.ask("GET", address, nil); got.Code != http.StatusOK || !strings.Contains(got.Header().Get("Cache-Control"), "immutable") || got.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%s: %d %v", address, got.Code, got.Header())
	}
	if got := w.ask("GET", "/desk/static/0000/desk.css", nil); got.Code != http.StatusNotFound && got.Code != http.StatusSeeOther {
		t.Errorf("another hash: status = %d, want 404", got.Code)
	}
}
