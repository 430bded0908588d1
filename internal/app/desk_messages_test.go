package app_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pombo/internal/audit"
	"pombo/internal/blipsim"
	"pombo/internal/desk"
	"pombo/test/nightly"
)

// The clerk's questions, on the whole program: did Maria get hers, and what did she read?
func TestDesk_Messages(t *testing.T) {
	nightly.WithoutRace(t)
	w := newFixture(t, 3, blipsim.Options{}, "DESK_ADDR=127.0.0.1:0", "DESK_NAME=body1", "DB_COL_PARAMS=NM_CONTATO,DS_MENSAGEM")
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
	ask := func(path string, form url.Values) (at, page string) {
		t.Helper()
		var answer *http.Response
		if form == nil {
			answer, err = browser.Get(base + path)
		} else {
			answer, err = browser.PostForm(base+path, form)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v\n%s", path, answer.StatusCode, err, body)
		}
		return answer.Request.URL.Path, strings.ReplaceAll(string(body), "&#43;", "+")
	}
	_, link, _ := strings.Cut(desk.NewLink(key, "ana", time.Now()), "?link=")
	ask("/desk/enter", url.Values{"link": {link}})

	_, page := ask("/desk/find", url.Values{"q": {"(31) 98000-0002"}})
	for _, want := range []string{"Mensagens a uma pessoa", "+55 31 *****-**02", "Maria", "enviada", "não pediu"} {
		if !strings.Contains(page, want) {
			t.Errorf("the person's page lacks %q", want)
		}
	}
	message, page := ask("/desk/find", url.Values{"q": {"2"}})
	for _, want := range []string{"<h1>Linha 2 ", "Entrou na fila", "O Blip a aceitou", "Tentativa 1"} {
		if !strings.Contains(page, want) {
			t.Errorf("%s lacks %q", message, want)
		}
	}
	if strings.Contains(page, "80000002") || strings.Contains(page, "confirmada") {
		t.Error("the page shows the person")
	}
	once := regexp.MustCompile(`/uncover">\s*<input type="hidden" name="once" value="([^"]+)"`).FindStringSubmatch(page)
	if once == nil {
		t.Fatal("there is no form to uncover it")
	}
	if _, page = ask(message+"/uncover", url.Values{"once": {once[1]}, "purpose": {"call"}}); !strings.Contains(page, "55 31 98000-0002") || !strings.Contains(page, "confirmada") {
		t.Error("uncovered, it does not show phone and text")
	}
	if _, page = ask("/desk/messages.csv?state=sent", nil); strings.Count(page, "\r\n") < 2 || strings.Contains(page, "80000002") {
		t.Errorf("the file is %q", page)
	}
	if _, page = ask("/desk/audit", nil); !strings.Contains(page, "buscou um telefone") || !strings.Contains(page, "mostrou o telefone") || strings.Contains(page, "80000002") {
		t.Error("the trail lacks the search or the uncovering, or has the phone")
	}
}
