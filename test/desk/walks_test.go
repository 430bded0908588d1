package desk_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pombo/test/browsertest"
)

var update = flag.Bool("update", false, "take the pictures in docs/desk anew")

// walk is what somebody does with the keyboard alone: sign in, search for a row, read the
// message. Each stop shows that it has the focus.
func (w *fixture) walk(t *testing.T, noScript bool) {
	_, row := w.message(t, "state=failed")
	p := browsertest.Open(t, w.desk+"/desk/login", browsertest.Options{NoScript: noScript})
	at := func(selector string) {
		t.Helper()
		p.TabTo(selector)
		if element, visible := p.Focus(); !visible {
			t.Errorf("at %s the focus is not to be seen (%s)", selector, element)
		}
	}
	at("#name")
	p.Press("clara")
	at("#password")
	p.Press(password)
	at("main form button")
	p.Follow()
	if strings.Contains(p.URL(), "/login") {
		t.Fatalf("still at %s: %s", p.URL(), p.Text())
	}
	at("#find")
	p.Press(row)
	p.Follow()
	if !strings.Contains(p.URL(), "/desk/messages/") || !strings.Contains(p.Text(), row) {
		t.Errorf("the search for row %s leads to %s: %s", row, p.URL(), p.Text())
	}
	for _, line := range p.Complaints() {
		t.Error(line)
	}
}

// shots are the pictures of the manual.
var shots = []struct{ file, path string }{
	{"now.png", "/desk/"},
	{"message.png", "/desk/messages/{id}"},
	{"failures.png", "/desk/failures?span=30d"},
	{"report.png", "/desk/report"},
	{"audit.png", "/desk/audit"},
}

// pictures checks that the manual shows pages that exist, and takes them anew with
// -update.
func (w *fixture) pictures(t *testing.T) {
	folder := filepath.Join("..", "..", "docs", "desk")
	id, _ := w.message(t, "state=failed")
	var p *browsertest.Page
	if *update {
		w.settled(t, w.admin, "/desk/report", "Da tabela à leitura")
		p = browsertest.Open(t, w.desk+"/desk/", browsertest.Options{Height: 800, Cookies: w.admin.cookies()})
	}
	for _, s := range shots {
		path := strings.ReplaceAll(s.path, "{id}", id)
		if got := w.admin.get(t, path); got.status != http.StatusOK {
			t.Errorf("%s shows %s, whose status is %d", s.file, path, got.status)
		}
		for _, manual := range []string{"desk.md", "desk.pt-BR.md"} {
			text, err := os.ReadFile(filepath.Join(folder, "..", manual))
			if err != nil || !strings.Contains(string(text), "desk/"+s.file) {
				t.Errorf("%s does not show %s (%v)", manual, s.file, err)
			}
		}
		if *update {
			p.Goto(w.desk + path)
			p.Screenshot(filepath.Join(folder, s.file))
		} else if _, err := os.Stat(filepath.Join(folder, s.file)); err != nil {
			t.Error(err)
		}
	}
	if files, err := filepath.Glob(filepath.Join(folder, "*.png")); err != nil || len(files) != len(shots) {
		t.Errorf("docs/desk has %d pictures, %v, want %d", len(files), err, len(shots))
	}
}
