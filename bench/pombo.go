package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite"
)

const (
	key      = "YmVuY2g6c2VjcmV0" // base64 of bench:secret
	template = "notificacao"      // two values; the simulator has it
)

// bench runs scenarios with one built binary in one folder.
type bench struct {
	dir, binary string
}

func (b *bench) measure(ctx context.Context, s scenario) (r result, err error) {
	simulator, err := b.startSimulator(ctx, s)
	if err != nil {
		return r, err
	}
	defer simulator.stop()
	if !s.noBare {
		cpu := ownCPU()
		if r.bare, err = bareLoop(ctx, simulator.url, s.rows, s.workers); err != nil {
			return r, err
		}
		r.bareCPU = (ownCPU() - cpu) / time.Duration(s.rows)
		if err := post(ctx, simulator.url+"/sim/reset", nil); err != nil {
			return r, err
		}
	}
	if err := b.startPombo(ctx, s, simulator, &r); err != nil {
		return r, err
	}
	return r, nil
}

func (b *bench) startSimulator(ctx context.Context, s scenario) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"simulator", "--addr", addr, "--keep-messages", "1", "--latency", s.latency.String()}
	if s.rate > 0 {
		args = append(args, "--messages-per-second", "50")
	} else {
		args = append(args, "--messages-per-second", "0", "--commands-per-second", "0")
	}
	return b.start(ctx, "simulator", addr, "/sim/counts", nil, args...)
}

// startPombo delivers the rows with the real binary and measures it.
func (b *bench) startPombo(ctx context.Context, s scenario, simulator *process, r *result) error {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rows := filepath.Join(dir, "rows.db")
	if err := fill(ctx, rows, s.rows); err != nil {
		return fmt.Errorf("fill the sample table: %w", err)
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	env := []string{
		"KEYBLIP=" + key, "BLIP_URL=" + simulator.url, "TEMPLATE_NAME=" + template,
		"BLIP_MESSAGES_PER_SECOND=" + strconv.Itoa(s.rate), "BLIP_COMMANDS_PER_SECOND=0",
		"DB_URL=sqlite:" + rows, "LEDGER_URL=sqlite:" + filepath.Join(dir, "pombo.db"),
		"API_ADDR=" + addr, "WORKERS=" + strconv.Itoa(s.workers), "LOG_FILE=" + filepath.Join(dir, "pombo.log"),
	}
	begun := time.Now()
	p, err := b.start(ctx, "pombo", addr, "/readyz", env, "serve", "--env-file", os.DevNull)
	if err != nil {
		return err
	}
	defer p.stop()
	r.ready = time.Since(begun)

	cpu, err := p.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	var run struct{ Found, Accepted int }
	if err := post(ctx, p.url+"/send_notification", &run); err != nil {
		return err
	}
	took := time.Since(start)
	if run.Found != s.rows || run.Accepted != s.rows {
		return fmt.Errorf("the run found %d and had %d accepted, want %d", run.Found, run.Accepted, s.rows)
	}
	r.pombo = float64(s.rows) / took.Seconds()
	used, err := p.cpu()
	if err != nil {
		return err
	}
	r.pomboCPU = (used - cpu) / time.Duration(s.rows)

	statements, err := p.metric(ctx, "pombo_source_statements_total")
	if err != nil {
		return err
	}
	r.statements = statements / float64(s.rows)
	if r.peak, err = p.peak(); err != nil {
		return err
	}
	var counts map[string]any
	if err := get(ctx, simulator.url+"/sim/counts", &counts); err != nil {
		return err
	}
	number := func(name string) float64 { n, _ := counts[name].(float64); return n }
	r.requests = (number("message_posts") + number("command_posts")) / float64(s.rows)
	r.throttled = int(number("throttled"))
	return settled(ctx, rows, s.rows)
}

// fill makes the sample table with n pending rows.
func fill(ctx context.Context, path string, n int) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, text := range []string{
		`CREATE TABLE NOTIFICACAO (ID INTEGER PRIMARY KEY, NR_TELEFONE TEXT, NM_CONTATO TEXT, DS_MENSAGEM TEXT, CD_STATUS INTEGER NOT NULL)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ` + strconv.Itoa(n) + `)
		 INSERT INTO NOTIFICACAO SELECT i, '319' || (80000000 + i % 20000000), 'Maria', 'Sua consulta foi confirmada.', 1 FROM n`,
		`CREATE INDEX PENDENTES ON NOTIFICACAO (ID) WHERE CD_STATUS = 1`,
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// settled checks that every row has the code for sent: a figure for work that
// was not done would be worth nothing.
func settled(ctx context.Context, path string, want int) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer db.Close()
	var got int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`).Scan(&got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%d rows have status 2 after the run, want %d", got, want)
	}
	return nil
}

// process is a child that answers HTTP.
type process struct {
	url string
	cmd *exec.Cmd
}

// start runs the binary and waits until it answers path with 200.
func (b *bench) start(ctx context.Context, name, addr, path string, env []string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(b.dir, name+".out"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{url: "http://" + addr, cmd: exec.CommandContext(ctx, b.binary, args...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Dir = b.dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		if get(ctx, p.url+path, nil) == nil {
			return p, nil
		}
	}
	p.stop()
	out, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("%s did not become ready: %s", name, out)
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// metric reads one metric without labels.
func (p *process) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(rest, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

func get(ctx context.Context, url string, into any) error {
	return call(ctx, http.MethodGet, url, into)
}

func post(ctx context.Context, url string, into any) error {
	return call(ctx, http.MethodPost, url, into)
}

func call(ctx context.Context, method, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %s", method, url, res.Status, body)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
