package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo/internal/blipsim"
	"pombo/internal/phone"
	"pombo/test/otlptest"
)

// TestOutput_HasNothingPrivate plants phones, names, texts and secrets, lets every
// kind of failure happen to them, has every command and every address tell what
// it knows, and looks for what was planted in all of that.
func TestOutput_HasNothingPrivate(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	p := newPlanted(t)
	sim := blipsim.New(blipsim.Options{
		Seed: 3, Scripts: shortScripts(),
		Faults: blipsim.Faults{DuplicateEvents: 0.5, Reorder: true, ForwardedIDs: 0.5},
	})
	t.Cleanup(sim.Close)
	// Whoever echoes what was sent must not make it public either.
	blip := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("echo")) && r.URL.Path == "/messages" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"code":81,"description":%q}`, "could not send "+string(body)+quotedPlanted)
			return
		}
		if bytes.Contains(body, []byte("/accounts/+5531977774408")) { // the look-up of an identity
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"status":"failure","reason":{"code":67,"description":%q}}`, "number not found"+quotedPlanted)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		sim.ServeHTTP(w, r)
	}))
	t.Cleanup(blip.Close)

	addr, err := unusedAddr()
	if err != nil {
		t.Fatal(err)
	}
	api := "http://" + addr
	collector := otlptest.New(t)
	environ := []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-token=" + p.secret("um-token-do-coletor-planted"),
		"KEYBLIP=" + p.secret("Y2hhdmU6c2VncmVkYQ=="), "API_TOKEN=" + p.secret("um-token-bem-secreto"),
		"BLIP_URL=" + blip.URL, "TEMPLATE_NAME=notificacao", "BLIP_TIMEOUT=1s", "UNCERTAIN_WAIT=1s",
		"BLIP_MESSAGES_PER_SECOND=0", "BLIP_COMMANDS_PER_SECOND=0",
		"DB_URL=sqlite:" + p.table, "DB_COL_SEND_AFTER=DT_ENVIAR_APOS", "DB_COL_TEMPLATE=NM_MODELO",
		"WEBHOOK_SECRET=" + p.secret("um-segredo-planted-webhook"),
		"LEDGER_URL=sqlite:" + filepath.Join(p.folder, "ledger.db"), "LOG_FILE=" + filepath.Join(p.folder, "pombo.log"), "LOG_LEVEL=debug",
		"API_ADDR=" + addr, "DESK_ADDR=-", "API_URL=" + api,
	}
	command := func(args ...string) string { return p.run(t.Context(), environ, args...) }

	ctx, stop := context.WithCancel(t.Context())
	served := make(chan string, 1)
	go func() { served <- p.run(ctx, environ, "serve") }()
	if err := waitFor(20*time.Second, func() (bool, error) {
		status, _, err := fetch(api + "/readyz")
		return status == http.StatusOK, err
	}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"job", "--once"},
		{"send", p.phone("(31) 97777-4321"), p.name("Zenóbia Planted"), p.text("recado planted por comando")},
		{"send", "--no-wait", p.phone("(31) 97777-4322"), "Zenóbia Planted", "recado echo planted por comando"},
		{"send", "(31) 97777-4321", "Zenóbia Planted"},
		{"send", "--key", "a", p.phone("9777-43"), "Zenóbia Planted"},
		{"pause", "--why", "nothing private"},
		{"send", "--no-wait", "(31) 97777-4321", "Zenóbia Planted", "recado planted por comando"},
		{"resume"},
		{"config"}, {"sql"}, {"templates"}, {"version"}, {"doctor"}, {"doctor", "--json"},
	} {
		command(args...)
	}
	// The doubtful ones are asked about after five seconds.
	if err := waitFor(30*time.Second, func() (bool, error) {
		out := command("list", "--state", "uncertain", "--json")
		return !strings.Contains(out, `"id"`), fmt.Errorf("still uncertain: %s", out)
	}); err != nil {
		t.Fatal(err)
	}
	list := command("list", "--json", "--limit=1000")
	ids := idPattern.FindAllString(list, -1)
	if len(ids) < len(p.rows) {
		t.Fatalf("%d notifications, want at least the %d rows", len(ids), len(p.rows))
	}
	p.postFailures(t, api, ids)
	command("send", "--no-wait", "--template", "Modelo Planted 31977774506", "(31) 97777-4321", "Zenóbia Planted", "recado planted")
	command("list", "--limit=1000")
	command("list", "--phone", "(31) 97777-4321")
	command("list", "--phone", "(31) 97777")
	for _, id := range ids {
		command("show", id)
	}
	command("forget", "(31) 97777")
	command("forget", "(31) 97777-4322")
	command("forget", "--yes", "--json", "(31) 97777-4405")
	command(append([]string{"retry"}, ids...)...)
	command(append([]string{"cancel", "--json"}, ids...)...)
	p.ask(t, api)
	stop()
	served1 := <-served
	if !strings.Contains(served1, "stopped") {
		t.Errorf("serve did not end in order:\n%s", served1)
	}
	logged, err := os.ReadFile(filepath.Join(p.folder, "pombo.log"))
	if err != nil {
		t.Fatal(err)
	}
	p.look(t, "log file", string(logged))
	p.look(t, "spans", collector.Raw())
	failures := 0
	for _, s := range collector.Spans() {
		if s.Failed {
			failures++
		}
	}
	if spans := len(collector.Spans()); spans < 5*len(p.rows) || failures < 10 {
		t.Errorf("%d spans of which %d failed: too few to show that nothing private is in them", spans, failures)
	}

	// The test is worth something only if all of that has happened.
	for _, reason := range []string{
		"invalid_phone", "parameter_empty", "parameter_format", "parameter_count", "parameter_too_long", "undeliverable", "opted_out",
		"no_answer", "gateway_timeout", "bad_request", "trace_found", "no_trace",
	} {
		if !strings.Contains(p.everything.String(), reason) {
			t.Errorf("no notification ever had the reason %s", reason)
		}
	}
	for _, sentence := range []string{"row not settled", "the time cannot be read", "a name that WhatsApp does not allow",
		"message failed after Blip had taken it", "The message to … was not delivered", "code 67: number not found"} {
		if !strings.Contains(string(logged), sentence) {
			t.Errorf("the log never says %q", sentence)
		}
	}
}

// idPattern finds the ids in what list --json prints.
var idPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// shortScripts are the usual scripts, without those that take minutes. WhatsApp's
// refusals come with an answer that is cut: of those Blip is asked after seconds,
// of others after half a minute.
func shortScripts() map[string]blipsim.Behaviour {
	scripts := blipsim.DefaultScripts()
	delete(scripts, "0007")
	delete(scripts, "0016") // its 429 stops everything for two minutes
	for suffix, b := range scripts {
		if b.Reason != 0 {
			b.Fault, b.Times = blipsim.CutAfterAccept, 1
			scripts[suffix] = b
		}
	}
	return scripts
}

// planted is what must not get out, and the table that has it.
type planted struct {
	folder, table string
	rows          []plantedRow
	words         []string // to look for

	mu         sync.Mutex
	everything strings.Builder // that has got out
	t          *testing.T
}

type plantedRow struct{ phone, name, text, after any }

func newPlanted(t *testing.T) *planted {
	t.Helper()
	p := &planted{folder: t.TempDir(), t: t}
	p.table = filepath.Join(p.folder, "table.db")
	add := func(number, text string, after any) {
		n := len(p.rows) + 1
		p.rows = append(p.rows, plantedRow{p.phone(number), p.name(fmt.Sprintf("Pessoa Planted %d", n)), p.text(text), after})
	}
	for i := range 17 { // each of the scripts
		add(fmt.Sprintf("(31) 97777-%04d", i+1), fmt.Sprintf("texto planted %d", i), nil)
	}
	add("zzz 97777-4400 planted", "texto planted a", nil)                     // no phone
	add("(31) 97777-4401", "", nil)                                           // no text
	add("(31) 97777-4402", "texto planted\nb", nil)                           // two lines
	add("(31) 97777-4403", strings.Repeat("texto planted c ", 700_000), nil)  // 11 MB
	add("(31) 97777-4404", "texto echo planted d", nil)                       // Blip repeats it
	add("(31) 97777-4405", "texto planted e", p.text("amanhã cedo, planted")) // a time that is none
	add("(31) 97777-4406", "texto planted f", nil)                            // a trigger refuses it, in words of its own
	add("+55 31 97777-4407 / +1 212 555 0188", "texto planted g", nil)
	add("(31) 97777-4408", "texto planted h", nil) // Blip refuses to say who it is
	add("(31) 97777-4409", "texto planted i", nil) // its template is a name
	p.words = append(p.words, "Zen%C3%B3bia", "Zenobia", "zenobia", "7777 ... 4312", "detnalp", "UGxhbnRlZA")

	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(p.table))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, DT_ENVIAR_APOS TEXT, NM_MODELO TEXT, CD_STATUS INTEGER DEFAULT 1);
		CREATE TRIGGER refuse BEFORE UPDATE ON NOTIFICACAO WHEN old.NR_TELEFONE LIKE '%4406'
		BEGIN SELECT raise(ABORT, 'Pessoa Planted de (31) 97777-4406 não pode'); END`)
	for _, r := range p.rows {
		exec(`INSERT INTO NOTIFICACAO (NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, DT_ENVIAR_APOS) VALUES (?, ?, nullif(?, ''), ?)`, r.phone, r.name, r.text, r.after)
	}
	exec(`UPDATE NOTIFICACAO SET NM_MODELO = 'Zenóbia Planted 31977774409' WHERE NR_TELEFONE LIKE '%4409'`)
	return p
}

// quotedPlanted is what somebody who quotes makes of a row.
const quotedPlanted = " Zenóbia Planted, ZENÓBIA PLANTED, Zen%C3%B3biaplanted, Zenobia, ZenobiaPlanted, 5531 ... 7777 ... 4312, detnalP, UGxhbnRlZA, textoplanted"

// postFailures has a webhook say of each message that it failed, quoting the row.
func (p *planted) postFailures(t *testing.T, api string, ids []string) {
	t.Helper()
	for _, id := range ids {
		body := fmt.Sprintf(`{"event":"failed","id":%q,"reason":{"code":81,"description":%q}}`, id, "The message to"+quotedPlanted+" was not delivered")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api+"/blip/notifications/um-segredo-planted-webhook", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("the webhook answers %d", response.StatusCode)
		}
	}
}

// phone plants a number in every spelling in which it could come out.
func (p *planted) phone(s string) string {
	p.words = append(p.words, s, url.QueryEscape(s))
	if n, err := phone.Parse(s); err == nil {
		digits := strings.TrimPrefix(n.E164(), "+")
		p.words = append(p.words, digits, digits[len(digits)-8:])
		if strings.HasPrefix(digits, "55") {
			p.words = append(p.words, digits[:4]+digits[5:]) // as Blip spells it
		}
	}
	return s
}

func (p *planted) name(s string) string { p.words = append(p.words, s); return s }

func (p *planted) text(s string) string {
	if s != "" {
		p.words = append(p.words, s[:min(len(s), 13)]) // a part of it is too much
	}
	return s
}

func (p *planted) secret(s string) string { p.words = append(p.words, s); return s }

// run runs a command and looks at what it says.
func (p *planted) run(ctx context.Context, environ []string, args ...string) string {
	var stdout, stderr lockedBuffer
	run(ctx, args, environ, strings.NewReader(""), &stdout, &stderr)
	out := stdout.String() + stderr.String()
	p.look(p.t, "pombo "+args[0], out)
	return out
}

// ask asks every address that answers without changing anything.
func (p *planted) ask(t *testing.T, api string) {
	t.Helper()
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/runs", "/runs/1", "/api/v1/notifications", "/api/v1/notifications?phone=%2B5531977774321", "/api/v1/pause", "/api/v1/templates", "/nothing/5531977774321"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer um-token-bem-secreto")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		p.look(t, path, string(body))
	}
}

func (p *planted) look(t *testing.T, where, out string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.everything.WriteString(out)
	for _, word := range append([]string{"planted", "Planted"}, p.words...) {
		if at := strings.Index(out, word); at >= 0 {
			t.Errorf("%s tells %q: …%s…", where, word, out[max(0, at-100):min(len(out), at+100)])
		}
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
