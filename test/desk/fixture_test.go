package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo/internal/app"
	"pombo/internal/config"
	"pombo/internal/demo"
	"pombo/internal/desk"
	"pombo/internal/telemetry"
	"pombo/test/browsertest"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// fixture is the demo, running: its server, its ledger with a month behind it, its table and
// its pretend Blip.
type fixture struct {
	t       *testing.T
	desk    string // http://127.0.0.1:port
	api     string
	log     *safeBuffer
	printed *safeBuffer
	admin   *visitor
	places  *strings.Replacer // of what stands in braces in the list of pages
}

// startFixture starts the demo and waits until its rows have reached their ends.
func startFixture(t *testing.T) *fixture {
	t.Helper()
	w := &fixture{t: t, log: &safeBuffer{}, printed: &safeBuffer{}}
	logger := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	links := make(chan string, 1)
	serve := func(ctx context.Context, c config.Config, receipts []time.Duration, during demo.During) error {
		c.API.Addr = "127.0.0.1:0" // the usual one may be another test's
		a, err := app.New(ctx, app.Options{Config: c, Logger: logger, Registry: telemetry.NewRegistry(), ReceiptSchedule: receipts})
		if err != nil {
			return err
		}
		defer func() { _ = a.Stop(context.WithoutCancel(ctx)) }()
		if err := a.Start(ctx); err != nil {
			return err
		}
		key, err := app.AuditKey(c)
		if err != nil {
			return err
		}
		w.desk, w.api = "http://"+a.DeskAddr(), "http://"+a.Addr()
		link := desk.NewLink(key, "teste", time.Now())
		links <- link
		return during(ctx, w.api, w.desk+link, logger)
	}
	go func() { // the clean-up waits for it
		defer close(ended)
		ended <- demo.Run(ctx, demo.Options{Rows: 10, Out: w.printed, Serve: serve})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the demo's end: %v", err)
		}
	})
	var link string
	select {
	case link = <-links:
	case err := <-ended:
		t.Fatalf("the demo has ended: %v", err)
	}
	deadline := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(w.printed.String(), "Where to look next") {
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("the demo has ended: %v\n%s", err, w.printed)
		case <-deadline:
			t.Fatalf("the demo does not get ready:\n%s", w.printed)
		}
	}
	w.admin = w.visitor("local:teste")
	_, word, _ := strings.Cut(link, "?link=")
	w.admin.post(t, "/desk/enter", url.Values{"link": {word}})
	return w
}

// visitor is somebody with a name and cookies, without a browser.
type visitor struct {
	*fixture
	name   string
	client *http.Client
}

func (w *fixture) visitor(name string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w, name, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   string
}

func (v *visitor) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	got, err := v.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(body)}
}

func (v *visitor) get(t *testing.T, path string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.desk+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "pt-BR")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return v.do(t, r)
}

func (v *visitor) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.desk+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "pt-BR")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(t, r)
}

var onceField = regexp.MustCompile(`name="once" value="([^"]+)"`)

// once returns a token from a form of a page.
func (v *visitor) once(t *testing.T, page string) string {
	t.Helper()
	m := onceField.FindStringSubmatch(v.get(t, page).body)
	if m == nil {
		t.Fatalf("%s has no form with a token", page)
	}
	return m[1]
}

// cookies are those of the visitor, for a browser.
func (v *visitor) cookies() map[string]string {
	u, err := url.Parse(v.desk)
	if err != nil {
		v.t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range v.client.Jar.Cookies(u) {
		out[c.Name] = c.Value
	}
	return out
}

const password = "cavalo bateria grampo certo"

var inviteLink = regexp.MustCompile(`/desk/invite\?for=([A-Za-z0-9._-]+)`)

// account makes an account with the password, the way that people get one: an admin makes
// it, and they open its link.
func (w *fixture) account(t *testing.T, name, role string, grants ...string) {
	t.Helper()
	made := w.admin.post(t, "/desk/users", url.Values{"once": {w.admin.once(t, "/desk/users")}, "name": {name}, "role": {role}, "grant": grants})
	m := inviteLink.FindStringSubmatch(made.body)
	if m == nil {
		t.Fatalf("no invitation for %s: %d", name, made.status)
	}
	got := w.visitor(name).post(t, "/desk/invite", url.Values{"for": {m[1]}, "password": {password}, "again": {password}})
	if got.status != http.StatusSeeOther {
		t.Fatalf("invitation of %s: status = %d", name, got.status)
	}
}

// signIn signs in with the password.
func (w *fixture) signIn(t *testing.T, name string) *visitor {
	t.Helper()
	v := w.visitor(name)
	if got := v.post(t, "/desk/login", url.Values{"name": {name}, "password": {password}}); got.status != http.StatusSeeOther {
		t.Fatalf("sign-in of %s: status = %d", name, got.status)
	}
	return v
}

// message returns the id and the row of a message in a state, the newest one.
func (w *fixture) message(t *testing.T, filter string) (id, row string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.api+"/api/v1/notifications?limit=1&"+filter, nil)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Notifications []struct {
			ID  string `json:"id"`
			Row string `json:"row"`
		} `json:"notifications"`
	}
	if err := json.Unmarshal([]byte(w.visitor("api").do(t, r).body), &list); err != nil || len(list.Notifications) == 0 {
		t.Fatalf("no message with %s: %v", filter, err)
	}
	return list.Notifications[0].ID, list.Notifications[0].Row
}

// safeBuffer is written by the demo while a test reads it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
