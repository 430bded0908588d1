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
)

// Rows are corrected in the table, and what failed for them is sent again from the desk:
// the dry run knows which of them would fail again, and those do.
func TestDesk_SendsCorrectedRowsAgain(t *testing.T) {
	t.Parallel() // it waits most of the time
	w := newFixture(t, 5, blipsim.Options{}, "DESK_ADDR=127.0.0.1:0", "STATUS_FAILED=3")
	w.exec(`UPDATE NOTIFICACAO SET NR_TELEFONE = '123' WHERE ID <= 3`)
	a, client := w.start()
	if run, err := client.Send(t.Context(), 0); err != nil || run.Accepted != 2 || run.Failed != 3 {
		t.Fatalf("run = %+v, %v, want 2 accepted and 3 failed", run, err)
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
	read := func(answer *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v: %s", answer.Request.URL, answer.StatusCode, err, body)
		}
		return string(body)
	}
	_, link, _ := strings.Cut(desk.NewLink(key, "ana", time.Now()), "?link=")
	read(browser.PostForm(base+"/desk/enter", url.Values{"link": {link}}))
	for _, page := range []string{"/desk/failures", "/desk/failures/invalid_phone", "/desk/report", "/desk/bulk"} {
		read(browser.Get(base + page))
	}

	w.exec(`UPDATE NOTIFICACAO SET NR_TELEFONE = '31980000001' WHERE ID <= 2`)
	plan := read(browser.Get(base + "/desk/bulk/new?act=retry&reason=invalid_phone&template=notificacao"))
	for _, want := range []string{"Foram lidas 3 linhas: 2 podem ir, 1 falhariam de novo.", "Digite 3 para confirmar"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %q", want)
		}
	}
	form := url.Values{"note": {"corrigido"}, "count": {"3"}}
	_, confirm, _ := strings.Cut(plan, `<form class="confirm`)
	for _, m := range regexp.MustCompile(`name="(once|plan|seal)" value="([^"]*)"`).FindAllStringSubmatch(confirm, -1) {
		form.Set(m[1], m[2])
	}
	page := read(browser.PostForm(base+"/desk/bulk", form))
	for begun := time.Now(); !strings.Contains(page, "terminado") || w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`) < 4; {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("it is not over: %s", page)
		}
		<-time.After(50 * time.Millisecond)
		page = read(browser.Get(base + "/desk/bulk/1"))
	}
	if n := w.count(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 3 AND ID = 3`); n != 1 {
		t.Error("the row that was not corrected does not count as failed")
	}
	if !strings.Contains(page, "local:ana") || !strings.Contains(page, "corrigido") || strings.Contains(page, "80000001") {
		t.Errorf("who and why, and no phone: %s", page)
	}
	if trail := read(browser.Get(base + "/desk/audit")); !strings.Contains(trail, "reenviou um grupo") || !strings.Contains(trail, "reason=invalid_phone") {
		t.Error("the trail lacks the group")
	}
}
