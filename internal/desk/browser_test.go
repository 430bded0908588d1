package desk

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"pombo/test/browsertest"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// The pages of messages, as people with different screens see them.
func TestMessages_InBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	b, failed, uncertain := hospital(t)
	server := httptest.NewServer(b.s)
	t.Cleanup(server.Close)
	olga, ugo := b.signIn("olga"), b.signIn("ugo")
	person, _ := olga.search("31 98888-7643")
	nothing, _ := olga.search("nobody")
	pages := []struct {
		who  *browser
		path string
	}{
		{olga, "/desk/messages"}, {olga, "/desk/messages?state=sent"}, {olga, "/desk/messages/" + string(failed)}, {ugo, "/desk/messages/" + string(failed)},
		{olga, "/desk/messages/" + string(uncertain)}, {olga, "/desk/messages/" + string(uncertain) + "/retry"}, {olga, person}, {olga, nothing}, {ugo, "/desk/export"},
	}
	for _, o := range []browsertest.Options{{Width: 1280, Language: "pt-BR"}, {Width: 360, Dark: true, Language: "en"}} {
		var p *browsertest.Page
		var who *browser
		for _, page := range pages {
			if p == nil || who != page.who {
				who = page.who
				o.Cookies = who.jar
				p = browsertest.Open(t, server.URL+page.path, o)
			} else {
				p.Goto(server.URL + page.path)
			}
			for _, line := range append(p.Axe(), p.Overflow(o.Width)...) {
				t.Errorf("%s at %d: %s", page.path, o.Width, line)
			}
			if text := p.Text(); strings.Contains(text, zulmiraTail) || strings.Contains(text, zulmira) {
				t.Errorf("%s shows the person", page.path)
			}
			for _, line := range p.Complaints() {
				t.Errorf("%s: %s", page.path, line)
			}
		}
	}
}
