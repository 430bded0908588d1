package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/config"
	"pombo/internal/disk"
	"pombo/internal/health"
	"pombo/internal/setup"
	"pombo/internal/source"
	"pombo/internal/words"
)

func TestDatabaseAddress(t *testing.T) {
	for _, tt := range []struct{ url, dsn, host, port string }{
		{"postgres://u:p@db.example/erp", "", "db.example", "5432"},
		{"postgresql://u:p@db.example:6543/erp", "", "db.example", "6543"},
		{"oracle://u:p@[::1]:1522/x", "", "::1", "1522"},
		{"oracle://u:p@host/x", "", "host", "1521"},
		{"postgres://u:p@a,b/erp", "", "", ""},
		{"postgres:///erp?host=/run/postgresql", "", "", ""},
		{"sqlite:data/x.db", "", "", ""},
		{"sqlite://host/x.db", "", "", ""},
		{"", "host:1522/x", "host", "1522"},
		{"", "//host/x", "host", "1521"},
		{"", "[2001:db8::1]:1522/x", "2001:db8::1", "1522"},
		{"", "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST = a.example)(PORT=1523))(ADDRESS=(HOST=b)(PORT=9))(CONNECT_DATA=(SID=x)))", "a.example", "1523"},
		{"", "(DESCRIPTION=(ADDRESS=(host=a)))", "a", "1521"},
		{"", "ORCL", "", ""},
		{"", "host=db dbname=erp", "", ""},
	} {
		host, port, ok := databaseAddress(tt.url, tt.dsn)
		if host != tt.host || port != tt.port && ok || ok != (tt.host != "") {
			t.Errorf("databaseAddress(%q, %q) = %q, %q, %v, want %q, %q", tt.url, tt.dsn, host, port, ok, tt.host, tt.port)
		}
	}
}

func TestTemplateStatus(t *testing.T) {
	list := []pombo.Template{
		{Name: "exam_ready", Language: "pt_BR", Status: "APPROVED", Category: "UTILITY"},
		{Name: "exam_ready", Language: "es", Status: "APPROVED"},
		{Name: "moved", Language: "pt_BR", Status: "APPROVED", Category: "MARKETING", PreviousCategory: "UTILITY"},
		{Name: "late", Language: "pt_BR", Status: "PAUSED"},
		{Name: "new", Language: "pt_BR", Status: "PENDING"},
		{Name: "lost", Language: "pt_BR", Status: "DISABLED"},
	}
	for _, tt := range []struct {
		name, language string
		list           []pombo.Template
		result         Result
		todo           string
	}{
		{"exam_ready", "pt_BR", list, OK, ""},
		{"exam_ready", "en_US", list, Fail, "set TEMPLATE_LANGUAGE=pt_BR"},
		{"exam_redy", "pt_BR", list, Fail, "did you mean exam_ready?"},
		{"something_else", "pt_BR", list, Fail, pombo.TemplateMissing.Hint()},
		{"exam_ready", "pt_BR", nil, Fail, "KEYBLIP"},
		{"moved", "pt_BR", list, Warn, "costs"},
		{"late", "pt_BR", list, Fail, pombo.TemplatePaused.Hint()},
		{"new", "pt_BR", list, Fail, "wait"},
		{"lost", "pt_BR", list, Fail, pombo.TemplateDisabled.Hint()},
	} {
		got := templateStatus(tt.list, tt.name, tt.language)
		if len(got) != 1 || got[0].Result != tt.result || !strings.Contains(got[0].Hint, tt.todo) || tt.todo == "" && got[0].Hint != "" {
			t.Errorf("%s in %s: %+v, want %s with %q", tt.name, tt.language, got, tt.result, tt.todo)
		}
	}
}

// A reminder that WhatsApp delivers a day late does harm.
func TestTemplateStatus_Validity(t *testing.T) {
	for _, tt := range []struct {
		category string
		validity time.Duration
		want     string
	}{
		{"UTILITY", 0, "give reminders one of hours"},
		{"UTILITY", 2 * time.Hour, "for 2h0m0s"},
		{"MARKETING", 0, ""},
	} {
		list := []pombo.Template{{Name: "exam_ready", Language: "pt_BR", Status: "APPROVED", Category: tt.category, Validity: tt.validity}}
		if got := templateStatus(list, "exam_ready", "pt_BR"); len(got) != 1 || got[0].Result != OK || !strings.HasSuffix(got[0].Message, tt.want) {
			t.Errorf("%s, %v: %+v, want it to end in %q", tt.category, tt.validity, got, tt.want)
		}
	}
}

func TestTemplateValues(t *testing.T) {
	rich := pombo.Template{
		Name: "rich", Header: "IMAGE", Body: "Olá {{1}}, {{ 2 }} e {{1}}",
		Buttons: []pombo.Button{{Kind: "QUICK_REPLY"}, {Kind: "URL", URL: "https://example.com/{{1}}"}, {Kind: "URL", URL: "https://example.com"}},
	}
	for _, tt := range []struct {
		name     string
		template pombo.Template
		places   []pombo.Slot
		issues   []string // a word of each
	}{
		{"nothing to fill", pombo.Template{Name: "plain", Body: "Olá"}, nil, nil},
		{"all filled", rich, []pombo.Slot{"body", "body", "header-image", "button1"}, nil},
		{"a payload too", rich, []pombo.Slot{"body", "body", "header-image", "button1", "button0-payload"}, nil},
		{"too few in the text", rich, []pombo.Slot{"body", "header-image", "button1"}, []string{"2 values, 1 given"}},
		{"too many in the text", pombo.Template{Body: "Olá"}, []pombo.Slot{"body"}, []string{"0 values, 1 given"}},
		{"a document and its name", pombo.Template{Header: "DOCUMENT"}, []pombo.Slot{"header-document", "header-filename"}, nil},
		{"a name without a document", rich, []pombo.Slot{"body", "body", "header-image", "button1", "header-filename"}, []string{"header-filename:"}},
		{"no picture", rich, []pombo.Slot{"body", "body", "button1"}, []string{"header-image:"}},
		{"a film for a picture", rich, []pombo.Slot{"body", "body", "header-video", "button1"}, []string{"header-image:", "header-video:"}},
		{"text in the header", pombo.Template{Header: "TEXT", HeaderText: "{{1}}"}, []pombo.Slot{"header"}, nil},
		{"a header without a variable", pombo.Template{Header: "TEXT", HeaderText: "Olá"}, []pombo.Slot{"header"}, []string{"header:"}},
		{"a map", pombo.Template{Header: "LOCATION"}, nil, []string{"place on a map"}},
		{"no end of the address", rich, []pombo.Slot{"body", "body", "header-image"}, []string{"button 1 "}},
		{"an address that has no end", rich, []pombo.Slot{"body", "body", "header-image", "button1", "button2"}, []string{"button 2 "}},
		{"no such button", rich, []pombo.Slot{"body", "body", "header-image", "button1", "button9"}, []string{"button 9 "}},
		{"a payload of no quick reply", rich, []pombo.Slot{"body", "body", "header-image", "button1", "button1-payload"}, []string{"button1-payload"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := templateValues(tt.template, tt.places)
			if len(tt.issues) == 0 {
				if len(found) != 1 || found[0].Result != OK {
					t.Fatalf("findings = %+v, want one that is ok", found)
				}
				return
			}
			if len(found) != len(tt.issues) {
				t.Fatalf("findings = %+v, want %d", found, len(tt.issues))
			}
			for i, word := range tt.issues {
				if found[i].Result != Fail || !strings.Contains(found[i].Message, word) || found[i].Hint == "" {
					t.Errorf("finding %d = %+v, want a failure that says %q", i, found[i], word)
				}
			}
		})
	}
}

func TestTemplateAnswers(t *testing.T) {
	asks := pombo.Template{Name: "asks", Buttons: []pombo.Button{{Kind: "URL", Text: "Ver"}, {Kind: "QUICK_REPLY", Text: "Confirmar"}, {Kind: "QUICK_REPLY", Text: "Não vou"}}}
	codes := []config.ReplyCode{{Answer: "confirmar", Code: "5"}, {Answer: "NAO VOU", Code: "6"}}
	for name, tt := range map[string]struct {
		template pombo.Template
		source   config.Source
		result   Result
		want     string
	}{
		"all have one":           {asks, config.Source{ReplyCodes: codes}, OK, "each button"},
		"one has none":           {asks, config.Source{ReplyCodes: codes[:1]}, Warn, "without a code: Não vou"},
		"one has a payload":      {asks, config.Source{ReplyCodes: codes[:1], Params: []config.Column{{Place: "button2-payload"}}}, OK, "each button"},
		"no codes":               {asks, config.Source{}, OK, "kept in the ledger"},
		"no buttons":             {pombo.Template{Name: "says"}, config.Source{ReplyCodes: codes}, Warn, "no button"},
		"no buttons, no answers": {pombo.Template{Name: "says"}, config.Source{}, OK, "no buttons"},
	} {
		if got := templateAnswers(tt.template, tt.source); len(got) != 1 || got[0].Result != tt.result || !strings.Contains(got[0].Message, tt.want) {
			t.Errorf("%s: %+v, want %s with %q", name, got, tt.result, tt.want)
		}
	}
}

func TestSkew(t *testing.T) {
	begun := time.Date(2026, 11, 23, 10, 0, 0, 500_000_000, time.UTC)
	end := begun.Add(time.Second)
	for _, tt := range []struct {
		theirs time.Time
		result Result
		says   string
	}{
		{begun.Truncate(time.Second), OK, ""}, // whole seconds look older than they are
		{end, OK, ""},
		{end.Add(29 * time.Second), OK, ""},
		{end.Add(3 * time.Minute), Warn, "3m0s behind"},
		{begun.Add(-2 * time.Hour), Warn, "2h0m0s ahead of"},
	} {
		got := skew(tt.theirs, begun, end)[0]
		if got.Result != tt.result || !strings.Contains(got.Message, tt.says) {
			t.Errorf("skew(%s) = %+v, want %s with %q", tt.theirs, got, tt.result, tt.says)
		}
	}
}

func TestCertificate(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for days, want := range map[int]Result{90: OK, 8: OK, 6: Warn} {
		got := certificate([]*x509.Certificate{{NotAfter: now.AddDate(0, 0, days)}}, now)[0]
		if got.Result != want {
			t.Errorf("%d days before its end: %s, want %s", days, got.Result, want)
		}
	}
	if got := certificate(nil, now)[0].Result; got != Skipped {
		t.Errorf("without one: %s, want %s", got, Skipped)
	}
}

// A line that somebody opens on the way shows a certificate that is not trusted;
// what can only be seen on a connection is not looked at then.
func TestBlipWay_Untrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	var got []Result
	for _, f := range blipWay(t.Context(), server.URL, setup.Proxy(config.Network{})) {
		got = append(got, f.Result)
		if f.Check == "network" && !strings.Contains(f.Hint, "not trusted") {
			t.Errorf("to do = %q, want a word on the certificate", f.Hint)
		}
	}
	if diff := cmp.Diff([]Result{OK, Fail, Skipped, Skipped}, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// The time in the answer is compared, and the key does not travel.
func TestBlipWay_Clock(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the key was sent")
		}
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden) // any answer is one
	}))
	defer server.Close()
	found := blipWay(t.Context(), server.URL, setup.Proxy(config.Network{}))
	if last := found[len(found)-1]; last.Check != "clock" || last.Result != Warn || !strings.Contains(last.Message, "ahead of") {
		t.Errorf("last finding = %+v, want a clock that is ahead", last)
	}
}

// What has our port and is not a Pombo gets neither the token nor the name of one.
func TestLook_AtAnotherProgram(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token was sent")
		}
		_, _ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	if r := look(t.Context(), server.URL, "a-long-random-word"); r.pombo || r.strange == nil {
		t.Errorf("look = %+v, want a stranger", r)
	}
	server.Close()
	if r := look(t.Context(), server.URL, ""); r.pombo || r.strange != nil {
		t.Errorf("look = %+v, want nobody", r)
	}
}

func TestCheck_HasItsOwnTime(t *testing.T) {
	found := check(t.Context(), "blip", "key", func(ctx context.Context) []Finding {
		end, ok := ctx.Deadline()
		if left := time.Until(end); !ok || left > checkTime || left < checkTime-time.Second {
			t.Errorf("time left = %s, want %s", left, checkTime)
		}
		return bad(said(context.DeadlineExceeded), "wait")
	})
	if found[0].Part != "blip" || found[0].Check != "key" || found[0].Message != "no answer within 5s" {
		t.Errorf("finding = %+v", found[0])
	}
}

func TestSourceTrouble_TellsEach(t *testing.T) {
	one := &source.TableError{Op: "check T", Err: errors.New("there is no column A"), Hint: "did you mean B?"}
	two := &source.TableError{Op: "check T", Err: context.DeadlineExceeded}
	found := sourceTrouble(errors.Join(one, errors.Join(two)))
	if len(found) != 2 || found[0].Hint != "did you mean B?" || found[1].Message != "check T: no answer within 5s" || found[1].Hint == "" {
		t.Errorf("findings = %+v", found)
	}
}

func TestReadiness(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ready api.Readiness
		want  []Result
	}{
		{"ready", api.Readiness{Ready: true, Checks: []api.CheckResult{{Name: "source", OK: true}}, Pause: &api.Pause{}, Backlog: &api.Backlog{}}, []Result{OK}},
		{"not ready", api.Readiness{Checks: []api.CheckResult{{Name: "source", Detail: "away", Hint: "wait"}, {Name: "blip"}}}, []Result{Fail, Fail}},
		{"paused", api.Readiness{Ready: true, Pause: &api.Pause{Paused: true}, Headline: &api.Headline{Name: health.HeadlinePaused, Level: health.Warn, Text: "Paused."}}, []Result{Warn}},
		{"stuck", api.Readiness{Ready: true, Headline: &api.Headline{Name: health.HeadlineStuck, Level: health.Bad, Text: "Nothing moves."}}, []Result{Warn}},
		{"idle", api.Readiness{Ready: true, Headline: &api.Headline{Name: health.HeadlineIdle, Level: health.OK, Text: "Nothing to send."}}, []Result{OK}},
		{"trouble", api.Readiness{Ready: true, Alerts: []api.Alert{{Name: "uncertain", Message: "it is not known", Hint: "decide"}}}, []Result{Warn}},
		{"diverged", api.Readiness{Ready: true, Backlog: &api.Backlog{Diverged: 3}}, []Result{Warn}},
	} {
		var got []Result
		for _, f := range readiness(tt.ready, words.In(words.English)) {
			got = append(got, f.Result)
			if (f.Hint == "") != (f.Result == OK) {
				t.Errorf("%s: %s with to do %q", tt.name, f.Result, f.Hint)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestMayWrite_CreatesNothing(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		file:                                    true,
		filepath.Join(folder, "new"):            true,
		filepath.Join(folder, "a", "b", "new"):  true,
		filepath.Join(file, "below"):            false,
		filepath.Join(file, "further", "below"): false,
		folder:                                  false,
	} {
		if err := mayWrite(path); (err == nil) != want {
			t.Errorf("mayWrite(%s) = %v, want ok = %v", path, err, want)
		}
	}
	if text, err := os.ReadFile(file); string(text) != "kept" {
		t.Errorf("the file has %q, %v", text, err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v, want the file alone", left, err)
	}
}

func TestFreeBytes(t *testing.T) {
	free, err := disk.FreeBytes(t.TempDir())
	if err != nil || free == 0 {
		t.Errorf("free = %d, %v", free, err)
	}
}
