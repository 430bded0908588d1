package desk

import (
	"net/http/httptest"
	"strings"
	"testing"

	"pombo"
	"pombo/test/browsertest"
	"pombo/test/nightly"
)

// The pages of messages, as people with different screens see them.
func TestMessages_InBrowser(t *testing.T) {
	nightly.WithoutRace(t)
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	b, failed, uncertain := hospital(t)
	b.replies.list = []pombo.Reply{
		{Match: pombo.MatchedByPerson, MessageID: failed, Received: b.now, Inbound: pombo.Inbound{Kind: pombo.ReplyText, Text: writtenAnswer}},
		{Match: pombo.MatchedByID, MessageID: failed, Received: b.now, Counts: true, Code: "5", Written: b.now, Inbound: pombo.Inbound{Kind: pombo.ReplyButton, Text: "Confirmar"}},
	}
	server := httptest.NewServer(b.s)
	t.Cleanup(server.Close)
	olga, ugo := b.signIn("olga"), b.signIn("ugo")
	person, _ := olga.search("31 98888-7643")
	nothing, _ := olga.search("nobody")
	for _, o := range lookedAt(olga.jar, 0) {
		t.Run(o.Language, func(t *testing.T) {
			walk(t, server.URL, o, walked([]string{
				"/desk/messages/" + string(uncertain), "/desk/messages/" + string(uncertain) + "/retry", person, nothing, // not so in the demo
				"/desk/messages", "/desk/messages?state=sent", "/desk/messages/" + string(failed),
			}, 4))
			if nightly.On() {
				o.Cookies = ugo.jar
				walk(t, server.URL, o, []string{"/desk/messages/" + string(failed), "/desk/export"})
			}
		})
	}
}

// walk opens one page after the other in one tab, which closes with the test: there are
// few of them.
func walk(t *testing.T, base string, o browsertest.Options, paths []string) {
	t.Helper()
	p := browsertest.Open(t, base+paths[0], o)
	for _, path := range paths {
		p.Goto(base + path)
		for _, line := range append(p.AxeByDay(), p.Overflow(o.Width)...) {
			t.Errorf("%s at %d: %s", path, o.Width, line)
		}
		if text := p.Text(); strings.Contains(text, zulmiraTail) || strings.Contains(text, zulmira) {
			t.Errorf("%s shows the person", path)
		}
	}
	for _, line := range p.Complaints() {
		t.Error(line)
	}
}
