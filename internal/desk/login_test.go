package desk

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
	"pombo/internal/audit"
)

func TestSignIn(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleViewer, 0)
	b.ledger.users["new"] = pombo.User{Name: "new", Role: pombo.RoleViewer}
	b.ledger.users["off"] = pombo.User{Name: "off", Hash: goodHash, Role: pombo.RoleViewer, Disabled: true}
	bodies := map[string]bool{}
	for i, c := range []struct{ name, password string }{{"ana", "wrong"}, {"nobody", goodPassword}, {"new", ""}, {"off", goodPassword}, {"Zulmira Quaresma", "x"}} {
		w := b.browser()
		w.from = "10.0.0." + string(rune('1'+i)) + ":1"
		rec := w.ask("POST", "/desk/login", url.Values{"name": {c.name}, "password": {c.password}})
		if rec.Code != http.StatusUnauthorized || len(w.jar) > 0 {
			t.Errorf("%s: status = %d, cookies %v, want 401 and none", c.name, rec.Code, w.jar)
		}
		bodies[regexp.MustCompile(`value="[^"]*"`).ReplaceAllString(rec.Body.String(), "")] = true
	}
	if len(bodies) != 1 {
		t.Errorf("%d different answers, want one sentence for all cases", len(bodies))
	}
	b.now = b.now.Add(2 * time.Second)
	w := b.browser()
	rec := w.ask("POST", "/desk/login", url.Values{"name": {"ana"}, "password": {goodPassword}, "next": {"/desk/messages?state=failed"}})
	c := rec.Result().Cookies()
	if rec.Header().Get("Location") != "/desk/messages?state=failed" || len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" {
		t.Errorf("signed in: %d to %q, cookies %v", rec.Code, rec.Header().Get("Location"), c)
	}
	for _, next := range []string{"//evil.example/", "https://evil.example/", `/desk/\evil`, "/other"} {
		if got := ownPath(next); got != "" {
			t.Errorf("sent on to %q", got)
		}
	}
	for token := range b.ledger.sessions {
		if strings.Contains(token, w.jar["pombo"]) {
			t.Error("the ledger has the word of the cookie")
		}
	}
	w.ask("POST", "/desk/logout", url.Values{})
	if len(w.jar) > 0 || len(b.ledger.sessions) > 0 {
		t.Errorf("signed out: cookies %v, %d sessions, want none", w.jar, len(b.ledger.sessions))
	}
	trail := b.ledger.trail()
	for _, want := range []string{"ana sign_in refused", "ana sign_in done", "ana sign_out done"} {
		if !strings.Contains(trail, want) {
			t.Errorf("trail lacks %q:\n%s", want, trail)
		}
	}
	if strings.Contains(trail+b.log.String(), "Zulmira") {
		t.Error("what was typed as a name stands in the trail or the log")
	}
}

func TestSession_Ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Now = time.Now })
		b.ledger.now = time.Now
		b.account("ana", pombo.RoleViewer, 0)
		w := b.signIn("ana")
		in := func() bool { return w.ask("GET", "/desk/me", nil).Code == http.StatusOK }
		saves := b.ledger.saves
		for range 10 {
			time.Sleep(5 * time.Second)
			if !in() {
				t.Fatal("signed out while at work")
			}
		}
		if got := b.ledger.saves - saves; got > 1 {
			t.Errorf("%d saves in 50 s, want at most 1", got)
		}
		time.Sleep(sessionIdle + sessionStep)
		if in() {
			t.Error("signed in after half an hour of nothing")
		}
		w = b.signIn("ana")
		for begun := time.Now(); time.Since(begun) < sessionLife-time.Minute; time.Sleep(10 * time.Minute) {
			if !in() {
				t.Fatalf("signed out after %v of work", time.Since(begun))
			}
		}
		time.Sleep(2 * time.Minute)
		if in() {
			t.Error("signed in after ten hours")
		}
	})
}

func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDelays(time.Now)
		want := time.Second
		for range 12 {
			if wait := d.begin("ana", "10.0.0.1"); wait != 0 {
				t.Fatalf("has to wait %v, want none", wait)
			}
			if got := d.begin("ANA", "10.0.0.2"); got != want {
				t.Fatalf("the same name from elsewhere waits %v, want %v", got, want)
			}
			if got := d.begin("bia", "10.0.0.1"); got != want {
				t.Fatalf("another name from the same address waits %v, want %v", got, want)
			}
			if got := d.begin("bia", "10.0.0.3"); got != 0 {
				t.Fatalf("somebody else waits %v, want none", got)
			}
			d.succeed("bia", "10.0.0.3")
			time.Sleep(want)
			want = min(2*want, mostDelay)
		}
		d.succeed("ana", "10.0.0.1")
		if d.begin("ana", "10.0.0.1") != 0 {
			t.Error("waits after a right password")
		}
		for range mostTries/2 + 20 { // each is remembered twice
			d.begin(random(), random())
		}
		if len(d.tries) > mostTries+2 {
			t.Errorf("%d names and addresses remembered, want at most %d", len(d.tries), mostTries+2)
		}
	})
}

func TestRights_EndAtOnce(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	b.account("bia", pombo.RoleAdmin, 0)
	ana, bia := b.signIn("ana"), b.signIn("bia")
	form := url.Values{"once": {ana.once("/desk/users")}, "password": {"wrong"}, "role": {"viewer"}}
	if rec := ana.ask("POST", "/desk/users/bia", form); rec.Code != http.StatusUnprocessableEntity || b.ledger.users["bia"].Role != pombo.RoleAdmin {
		t.Errorf("with a wrong password: status = %d, want 422 and no change", rec.Code)
	}
	b.now = b.now.Add(time.Hour / 4)
	form = url.Values{"once": {ana.once("/desk/users")}, "password": {goodPassword}, "role": {"viewer"}, "grant": {"uncover"}}
	if rec := ana.ask("POST", "/desk/users/bia", form); rec.Code != http.StatusSeeOther {
		t.Fatalf("status = %d: %s", rec.Code, rec.Body)
	}
	if rec := bia.ask("GET", "/desk/users", nil); rec.Code != http.StatusSeeOther {
		t.Errorf("the session goes on: %d", rec.Code)
	}
	if !strings.Contains(b.ledger.trail(), "ana user_change done bia") {
		t.Errorf("trail:\n%s", b.ledger.trail())
	}
}

func TestInvite(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	ana := b.signIn("ana")
	rec := ana.ask("POST", "/desk/users", url.Values{"once": {ana.once("/desk/users")}, "password": {goodPassword}, "name": {"bia"}, "role": {"operator"}})
	m := regexp.MustCompile(`http://127\.0\.0\.1:5001(/desk/invite\?for=[^"]+)`).FindStringSubmatch(rec.Body.String())
	if m == nil {
		t.Fatalf("no link: %d %s", rec.Code, rec.Body)
	}
	invite := strings.TrimPrefix(m[1], "/desk/invite?for=")
	w := b.browser()
	if rec := w.ask("GET", m[1], nil); rec.Code != http.StatusOK {
		t.Fatalf("status = %d", rec.Code)
	}
	for _, bad := range []string{"short", "senha12345678", "bia123456789", "qwertyuiop12", "aaaaaaaaaaaaa"} {
		if rec := w.ask("POST", "/desk/invite", url.Values{"for": {invite}, "password": {bad}, "again": {bad}}); rec.Code != http.StatusUnprocessableEntity {
			t.Errorf("password %q: status = %d, want 422", bad, rec.Code)
		}
	}
	set := url.Values{"for": {invite}, "password": {goodPassword}, "again": {goodPassword}}
	if rec := w.ask("POST", "/desk/invite", set); rec.Code != http.StatusSeeOther {
		t.Fatalf("status = %d: %s", rec.Code, rec.Body)
	}
	if got := b.ledger.users["bia"].Hash.Reveal(); !strings.HasPrefix(got, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the password is kept as %s", got)
	}
	if rec := b.browser().ask("POST", "/desk/invite", set); rec.Code != http.StatusForbidden {
		t.Errorf("a second time: status = %d, want 403", rec.Code)
	}
	late := b.s.newInvite(b.ledger.users["bia"])
	b.now = b.now.Add(inviteTime)
	if rec := b.browser().ask("GET", late, nil); rec.Code != http.StatusForbidden {
		t.Errorf("after a day: status = %d, want 403", rec.Code)
	}
	if got := b.log.String() + b.ledger.trail(); strings.Contains(got, goodPassword) || strings.Contains(got, invite) {
		t.Error("the password or the link stands in the log or the trail")
	}
}

func TestLink(t *testing.T) {
	b := newBench(t)
	link := NewLink(b.s.o.Key, "MACHINE\\zé", b.now)
	form := url.Values{"link": {strings.TrimPrefix(link, "/desk/enter?link=")}}
	far := b.browser()
	far.from = "10.0.0.9:1"
	if rec := far.ask("POST", "/desk/enter", form); rec.Code != http.StatusForbidden {
		t.Errorf("from another machine: status = %d, want 403", rec.Code)
	}
	if rec := b.browser().ask("POST", "/desk/enter", form, "X-Forwarded-For", "10.0.0.9"); rec.Code != http.StatusForbidden {
		t.Errorf("through a proxy: status = %d, want 403", rec.Code)
	}
	w := b.browser()
	if rec := w.ask("GET", link, nil); rec.Code != http.StatusOK || len(b.ledger.sessions) > 0 {
		t.Fatalf("status = %d, %d sessions, want a page with a button", rec.Code, len(b.ledger.sessions))
	}
	if rec := w.ask("POST", "/desk/enter", form); rec.Code != http.StatusSeeOther {
		t.Fatalf("status = %d: %s", rec.Code, rec.Body)
	}
	if rec := w.ask("GET", "/desk/users", nil); rec.Code != http.StatusOK {
		t.Errorf("the users page: status = %d, want 200", rec.Code)
	}
	if rec := b.browser().ask("POST", "/desk/enter", form); rec.Code != http.StatusForbidden {
		t.Errorf("a second time: status = %d, want 403", rec.Code)
	}
	late := NewLink(b.s.o.Key, "x", b.now.Add(-linkTime))
	if rec := b.browser().ask("GET", late, nil); rec.Code != http.StatusForbidden {
		t.Errorf("after five minutes: status = %d, want 403", rec.Code)
	}
	other, err := audit.NewKey(strings.Repeat("x", audit.MinSecret))
	if err != nil {
		t.Fatal(err)
	}
	if rec := b.browser().ask("GET", NewLink(other, "x", b.now), nil); rec.Code != http.StatusForbidden {
		t.Errorf("of another key: status = %d, want 403", rec.Code)
	}
}

func TestProxy(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.ProxyHeader, o.ProxyFrom, o.Hosts = "X-User", []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32")}, []string{"desk.example"}
	})
	b.account("ana", pombo.RoleViewer, 0)
	w := b.browser()
	w.header = http.Header{"X-User": {"ana"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"192.168.0.7"}}
	if rec := w.ask("GET", "/desk/me", nil); rec.Code != http.StatusSeeOther {
		t.Errorf("the header from elsewhere: status = %d, want 303 to the sign-in", rec.Code)
	}
	w.from = "10.0.0.5:9"
	rec := w.ask("GET", "/desk/me", nil, "Host", "desk.example")
	if rec.Code != http.StatusOK || w.jar["__Host-pombo"] == "" || !strings.Contains(rec.Header().Get("Set-Cookie"), "Secure") {
		t.Fatalf("status = %d, cookies %v", rec.Code, w.jar)
	}
	if got := b.ledger.lines[len(b.ledger.lines)-1]; got.Address != "192.168.0.7" || got.Detail != byProxy {
		t.Errorf("line = %+v, want the address that the proxy saw", got)
	}
	w.header.Set("X-User", "nobody")
	if rec := w.ask("GET", "/desk/me", nil, "Host", "desk.example"); rec.Code != http.StatusForbidden {
		t.Errorf("without an account: status = %d, want 403", rec.Code)
	}
	w.header.Del("X-User")
	if rec := w.ask("GET", "/desk/me", nil, "Host", "desk.example"); rec.Code != http.StatusSeeOther {
		t.Errorf("signed out at the proxy: status = %d, want 303", rec.Code)
	}
}

func TestAudit_ByNumber(t *testing.T) {
	b := newBench(t)
	b.account("ana", pombo.RoleAdmin, 0)
	w := b.signIn("ana")
	rec := w.ask("POST", "/desk/audit", url.Values{"number": {"(31) 98888-0042"}})
	if rec.Code != http.StatusSeeOther || strings.Contains(rec.Header().Get("Location"), "98888") {
		t.Fatalf("%d to %q", rec.Code, rec.Header().Get("Location"))
	}
	rec = w.ask("GET", rec.Header().Get("Location"), nil)
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "buscou um telefone") {
		t.Errorf("the search is not found: %d", rec.Code)
	}
	if all := rec.Body.String() + b.log.String(); strings.Contains(all, "988880042") || strings.Contains(all, "98888-0042") {
		t.Error("the number stands on the page or in the log")
	}
	for _, s := range b.ledger.sessions {
		if strings.Contains(string(s.Data), "988880042") {
			t.Error("the number stands in the session")
		}
	}
}
