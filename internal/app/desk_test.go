package app_test

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo/internal/audit"
	"pombo/internal/blipsim"
	"pombo/internal/desk"
)

func TestDesk_OpensByLink(t *testing.T) {
	w := newWorld(t, 0, blipsim.Options{}, "DESK_ADDR=127.0.0.1:0")
	a, client := w.start()
	if _, err := client.As("MACHINE\\ana").Pause(t.Context(), time.Time{}, "wrong text"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Forget(t.Context(), "31988880042", true); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.dir, "audit.key")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := newWorld(t, 3, blipsim.Options{}, "DESK_ADDR="+l.Addr().String())
	a, client := w.start()
	if a.DeskAddr() != "" {
		t.Error("the desk says that it is served")
	}
	run, err := client.Send(t.Context(), 0)
	if err != nil || run.Accepted != 3 {
		t.Errorf("run = %+v, %v, want 3 accepted", run, err)
	}
}
