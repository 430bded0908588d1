package app_test

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pombo/internal/audit"
	"pombo/internal/blipsim"
	"pombo/internal/desk"
	"pombo/test/nightly"
)

func TestDesk_OpensByLink(t *testing.T) {
	nightly.WithoutRace(t)
	w := newFixture(t, 0, blipsim.Options{}, "DESK_ADDR=127.0.0.1:0")
	a, client := w.start()
	if _, err := client.As("MACHINE\\ana").Pause(t.Context(), time.Time{}, "wrong text"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Forget(t.Context(), "31988880042", true); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.dir, "audit.key")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		t.Fatalf("the key: %v, %v, want a file for one user", info, err)
	}
	key, err := audit.ReadKey(file)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Jar: jar, Transport: transport}
	base := "http://" + a.DeskAddr()
	_, link, _ := strings.Cut(desk.NewLink(key, "ana", time.Now()), "?link=")
	answer, err := browser.PostForm(base+"/desk/enter", url.Values{"link": {link}})
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("enter: %v %v", answer, err)
	}
	answer.Body.Close()
	answer, err = browser.Get(base + "/desk/audit")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"local:ana", `MACHINE\ana`, "pausou o envio", "linha de comando", "apagou uma pessoa", "API"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the trail lacks %q", want)
		}
	}
	if strings.Contains(string(page), "88880042") {
		t.Error("the trail has the phone")
	}
}

// A port that somebody has keeps nothing from being sent.
func TestDesk_PortInUse(t *testing.T) {
	nightly.WithoutRace(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := newFixture(t, 3, blipsim.Options{}, "DESK_ADDR="+l.Addr().String())
	a, client := w.start()
	if a.DeskAddr() != "" {
		t.Error("the desk says that it is served")
	}
	run, err := client.Send(t.Context(), 0)
	if err != nil || run.Accepted != 3 {
		t.Errorf("run = %+v, %v, want 3 accepted", run, err)
	}
}

// The operator's pages say what the parts know, and what is decided there is done.
func TestDesk_Operates(t *testing.T) {
	w := newFixture(t, 3, blipsim.Options{}, "DESK_ADDR=127.0.0.1:0")
	a, client := w.start()
	if run, err := client.Send(t.Context(), 0); err != nil || run.Accepted != 3 {
		t.Fatalf("run = %+v, %v, want 3 accepted", run, err)
	}
	key, err := audit.ReadKey(filepath.Join(w.dir, "audit.key"))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Jar: jar, Transport: transport}
	base := "http://" + a.DeskAddr()
	page := func(path string, form url.Values) string {
		t.Helper()
		ask := func() (*http.Response, error) { return browser.Get(base + path) }
		if form != nil {
			ask = func() (*http.Response, error) { return browser.PostForm(base+path, form) }
		}
		answer, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v: %s", path, answer.StatusCode, err, text)
		}
		return string(text)
	}
	_, link, _ := strings.Cut(desk.NewLink(key, "ana", time.Now()), "?link=")
	page("/desk/enter", url.Values{"link": {link}})
	for path, wants := range map[string][]string{
		"/desk/":                      {"Nada a enviar.", "responde", " ms"},
		"/desk/runs/1":                {"terminada"},
		"/desk/table":                 {"NOTIFICACAO", "SELECT"},
		"/desk/templates":             {"notificacao", "aprovado"},
		"/desk/templates/notificacao": {"*****", "a primeira conhecida"},
		"/desk/findings":              {"Ainda não houve conferência."},
		"/desk/optouts":               {"Ninguém pediu para não receber."},
	} {
		text := page(path, nil)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
	w.eventuallyEvery(100*time.Millisecond, func() bool { return strings.Contains(page("/desk/", nil), "0 linhas deixadas fora") }) // a visitor has 20 pages a second
	act := func(ask, post string, form url.Values) string {
		_, rest, _ := strings.Cut(page(ask, nil), `name="once" value="`)
		once, _, _ := strings.Cut(rest, `"`)
		form.Set("once", once)
		return page(post, form)
	}
	if text := act("/desk/pause", "/desk/pause", url.Values{"note": {"manutenção"}}); !strings.Contains(text, "O envio foi pausado por local:ana: “manutenção”.") {
		t.Error("the headline does not say who has paused, and why")
	}
	if ready, err := client.Ready(t.Context()); err != nil || ready.Pause == nil || !ready.Pause.Paused || ready.Pause.By != "local:ana" {
		t.Errorf("readiness = %+v, %v, want it paused", ready.Pause, err)
	}
	act("/desk/resume", "/desk/resume", url.Values{})
	if text := act("/desk/templates/notificacao/hold", "/desk/templates/notificacao/hold", url.Values{"note": {"preço errado"}}); !strings.Contains(text, "Segurado por local:ana") {
		t.Error("the template is not held")
	}
	if text := act("/desk/findings/new", "/desk/findings", url.Values{}); !strings.Contains(text, "A conferência começou.") {
		t.Error("nothing is compared")
	}
	w.eventually(func() bool {
		return strings.Contains(page("/desk/findings", nil), "Tabela, ledger e Blip dizem o mesmo.")
	})
}
