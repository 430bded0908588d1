package wine

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

const program = `C:\Program Files\Pombo\pombo.exe`

// Exit codes of Windows Installer, as far as Wine passes them on.
const (
	fatal   = 1603 & 0xff
	restart = 3010 & 0xff
)

// installer makes an installer of the working copy, and returns its path.
func installer(tb testing.TB, version string) string {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "dist")
	began := time.Now()
	dist := exec.CommandContext(tb.Context(), "go", "run", "./scripts/dist", "-version", version, "-only", "msi", "-out", out)
	dist.Dir = filepath.Join("..", "..")
	if said, err := dist.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, said)
	}
	tb.Logf("installer %s made in %v", version, time.Since(began).Round(time.Millisecond))
	return filepath.Join(out, "pombo-"+version+"-windows-amd64.msi")
}

// prepare writes the settings and a table with rows, beside a Blip that nobody is behind.
func prepare(tb testing.TB, m machine, rows int, more ...string) *blipsim.Listener {
	tb.Helper()
	sim, err := blipsim.Listen(tb.Context(), "127.0.0.1:0", blipsim.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(sim.Stop)
	settings := append(more,
		"KEYBLIP=cG9tYm9kZW1vOm5vdC1hLXNlY3JldA==", "BLIP_URL="+sim.URL, "TEMPLATE_NAME=notificacao",
		"DB_URL=sqlite:notificações.db", "API_ADDR=127.0.0.1:5417", "API_URL=http://127.0.0.1:5417", "DESK_ADDR=", "LANGUAGE=en")
	// As Notepad writes it.
	if err := os.MkdirAll(m.path(m.data), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(m.path(m.data+`\.env`), []byte("\ufeff"+strings.Join(settings, "\r\n")+"\r\n"), 0o644); err != nil {
		tb.Fatal(err)
	}
	schema, err := os.ReadFile(filepath.Join("..", "..", "deploy", "sql", "sqlite.sql"))
	if err != nil {
		tb.Fatal(err)
	}
	table := open(tb, m)
	if _, err := table.ExecContext(tb.Context(), string(schema)); err != nil {
		tb.Fatal(err)
	}
	for i := range rows {
		_, err := table.ExecContext(tb.Context(), "INSERT INTO NOTIFICACAO (NR_TELEFONE, NM_CONTATO, DS_MENSAGEM) VALUES (?, 'João', 'seu exame está pronto')",
			fmt.Sprintf("(31) 98888-%04d", 1000+i))
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := table.Close(); err != nil {
		tb.Fatal(err)
	}
	return sim
}

func open(tb testing.TB, m machine) *sql.DB {
	tb.Helper()
	table, err := sql.Open("sqlite", m.path(m.data+`\notificações.db`))
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

// marked is how many rows the table says were sent. Pombo must have stopped.
func marked(tb testing.TB, m machine) (n int) {
	tb.Helper()
	table := open(tb, m)
	defer table.Close()
	if err := table.QueryRowContext(tb.Context(), "SELECT COUNT(*) FROM NOTIFICACAO WHERE CD_STATUS = 2").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// status is what `pombo service status --json` says.
type status struct {
	State, Account, Folder string
	ExitCode               int `json:"exit_code"`
}

func serviceStatus(tb testing.TB, m machine) (s status) {
	tb.Helper()
	_, out := m.run(tb, program, "service", "status", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		tb.Fatalf("%v in %s", err, out)
	}
	return s
}

func exists(m machine, path string) bool {
	_, err := os.Stat(m.path(path))
	return err == nil
}

func remove(tb testing.TB, m machine, msi string) {
	tb.Helper()
	m.must(tb, "msiexec", "/x", msi, "/qn")
	if exists(m, program) {
		tb.Error("the program is still there")
	}
	if out := m.must(tb, "reg", "query", `HKLM\System\CurrentControlSet\Services`); strings.Contains(out, `\pombo`) {
		tb.Errorf("the service is still there:\n%s", out)
	}
	for _, path := range []string{m.data + `\.env`, m.data + `\data\pombo.db`} {
		if !exists(m, path) {
			tb.Errorf("%s has gone", path)
		}
	}
}

// What an administrator sees in the first quarter of an hour: the installer, the program,
// settings, the first rows, a stop in order, and all gone but the data.
func TestInstaller_FirstSteps(t *testing.T) {
	m := windows(t)
	msi := installer(t, "0.9.1")
	m.data = `C:\Notificações`
	m.must(t, "msiexec", "/i", msi, "/qn", "FOLDER="+m.data+`\`)
	t.Cleanup(func() { m.run(t, "msiexec", "/x", msi, "/qn") })

	if got := m.must(t, program, "version"); !strings.Contains(got, "windows/amd64") {
		t.Errorf("version says %q", got)
	}
	got := serviceStatus(t, m)
	if want := (status{State: "stopped", Account: `NT SERVICE\pombo`, Folder: m.data}); got != want {
		t.Errorf("after the installation the service is %+v, want %+v", got, want)
	}
	if out := m.must(t, "reg", "query", `HKLM\System\CurrentControlSet\Control\Session Manager\Environment`, "/v", "PATH"); !strings.Contains(out, `Files\Pombo`) {
		t.Errorf("PATH has no Pombo: %s", out)
	}
	const rows = 30
	sim := prepare(t, m, rows)
	start := m.command(t.Context(), "wine", program, "start")
	start.Dir = m.path(m.data)
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, 3*time.Minute, "all rows are sent", func() bool { return sim.Counts().IDs == rows })
	code, out := m.run(t, program, "--env-file", m.data+`\.env`, "stop")
	if code != 0 {
		t.Errorf("pombo stop: %d %s", code, out)
	}
	if err := start.Wait(); err != nil {
		t.Errorf("pombo start: %v", err)
	}
	if got := sim.Counts(); got.Doubled != 0 || marked(t, m) != rows {
		t.Errorf("%d doubled, %d of %d marked as sent", got.Doubled, marked(t, m), rows)
	}
	if nightly.On() {
		// Wine 8 cannot remove the folder of the demo: see overlay.
		if code, out := m.run(t, program, "demo", "--once"); code != 0 && (!strings.Contains(out, " signed events have told ") || !strings.Contains(out, ": Invalid function.")) {
			t.Errorf("the demo ended with %d:\n%s", code, out)
		}
	}
	remove(t, m, msi)
}

// An upgrade while the service sends: the service goes on with the new program, and nobody
// gets a message twice. An older one is refused.
func TestInstaller_UpgradeWhileSending(t *testing.T) {
	nightly.Only(t)
	m := windows(t)
	older, newer := installer(t, "0.9.1"), installer(t, "0.9.2")
	m.must(t, "msiexec", "/i", older, "/qn")
	t.Cleanup(func() { m.run(t, "msiexec", "/x", newer, "/qn") })
	const rows = 200
	sim := prepare(t, m, rows, "BLIP_MESSAGES_PER_SECOND=4") // so that it takes longer than the upgrade
	m.must(t, program, "service", "start")
	before, err := os.ReadFile(m.path(program))
	if err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "some are sent", func() bool { return sim.Counts().IDs > rows/10 })

	sent := sim.Counts().IDs
	if code, out := m.run(t, "msiexec", "/i", newer, "/qn"); code != 0 {
		t.Fatalf("the upgrade ended with %d (%d would be a restart): %s", code, restart, out)
	}
	after, err := os.ReadFile(m.path(program))
	if err != nil {
		t.Fatal(err)
	}
	if string(before) == string(after) {
		t.Error("the program is still the old one")
	}
	if got := serviceStatus(t, m); got.State != "running" || got.Folder != m.data {
		t.Errorf("after the upgrade the service is %+v", got)
	}
	t.Logf("of %d, %d were sent when the upgrade began, %d when it had ended", rows, sent, sim.Counts().IDs)
	until(t, 3*time.Minute, "all are sent", func() bool { return sim.Counts().IDs == rows })

	if code, _ := m.run(t, "msiexec", "/i", older, "/qn"); code != fatal {
		t.Errorf("an older installer ended with %d, want %d", code, fatal)
	}
	if got := serviceStatus(t, m); got.State != "running" {
		t.Errorf("an older installer has left the service %s", got.State)
	}
	m.must(t, program, "service", "stop")
	if got := sim.Counts(); got.Doubled != 0 || got.Messages != rows || marked(t, m) != rows {
		t.Errorf("%d messages, %d doubled, %d of %d marked as sent", got.Messages, got.Doubled, marked(t, m), rows)
	}
	remove(t, m, newer)
}
