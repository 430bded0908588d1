package main

import (
	"context"
	"encoding/json"
	"errors"
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

	"pombo/test/postgrestest"
)

const (
	key      = "YmVuY2g6c2VjcmV0" // base64 of bench:secret
	template = "notificacao"      // two values; the simulator has it
)

// bench runs scenarios with one built binary in one folder.
type bench struct {
	dir, binary string
	postgres    *postgrestest.Server // nil until a scenario needs it
}

func (b *bench) measure(ctx context.Context, s scenario) (r result, err error) {
	simulator, err := b.startSimulator(ctx, s)
	if err != nil {
		return r, err
	}
	defer simulator.stop()
	// Half of the bare loop before and half of it after: a machine is not equally
	// fast all the time.
	before, err := bareHalf(ctx, s, simulator, &r)
	if err != nil {
		return r, err
	}
	if err := b.startPombo(ctx, s, simulator, &r); err != nil {
		return r, err
	}
	after, err := bareHalf(ctx, s, simulator, &r)
	if err != nil {
		return r, err
	}
	r.bare = float64(s.rows/2*2) / (before + after).Seconds()
	return r, nil
}

// bareHalf sends half of the scenario's messages with the bare loop, and then makes the
// simulator forget them.
func bareHalf(ctx context.Context, s scenario, simulator *process, r *result) (took time.Duration, err error) {
	if s.noBare {
		return 0, nil
	}
	cpu := ownCPU()
	if took, err = bareLoop(ctx, simulator.url, s.rows/2, s.workers); err != nil {
		return 0, err
	}
	r.bareCPU += (ownCPU() - cpu) / time.Duration(s.rows)
	return took, post(ctx, simulator.url+"/sim/reset", nil)
}

func (b *bench) startSimulator(ctx context.Context, s scenario) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"simulator", "--addr", addr, "--keep-messages", strconv.Itoa(max(s.keep, 1)), "--latency", s.latency.String()}
	if s.rate > 0 {
		args = append(args, "--messages-per-second", "50")
	} else {
		args = append(args, "--messages-per-second", "0", "--commands-per-second", "0")
	}
	return b.start(ctx, "simulator", addr, "/sim/counts", nil, args...)
}

// startPombo delivers the rows with the real binary and measures it.
func (b *bench) startPombo(ctx context.Context, s scenario, simulator *process, r *result) (err error) {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	table, err := newRows(ctx, dir, s)
	if err != nil {
		return fmt.Errorf("fill the sample table: %w", err)
	}
	defer func() { err = errors.Join(err, table.close()) }()
	ledger, err := b.ledgerURL(ctx, dir, s)
	if err != nil {
		return err
	}
	replicas := make([]*process, max(s.replicas, 1))
	for i := range replicas {
		addr, err := freeAddress()
		if err != nil {
			return err
		}
		name := "pombo" + strconv.Itoa(i)
		begun := time.Now()
		replicas[i], err = b.start(ctx, name, addr, "/readyz", []string{
			"KEYBLIP=" + key, "BLIP_URL=" + simulator.url, "TEMPLATE_NAME=" + template,
			"BLIP_MESSAGES_PER_SECOND=" + strconv.Itoa(s.rate), "BLIP_COMMANDS_PER_SECOND=0",
			"DB_URL=" + table.url(), "LEDGER_URL=" + ledger,
			"API_ADDR=" + addr, "DESK_ADDR=-", "WORKERS=" + strconv.Itoa(s.workers), "LOG_FILE=" + filepath.Join(dir, name+".log"),
		}, "serve", "--env-file", os.DevNull)
		if err != nil {
			return err
		}
		defer replicas[i].stop()
		r.ready = time.Since(begun)
	}

	if err := r.watch(ctx, s, simulator, replicas); err != nil {
		return err
	}
	if err := r.count(ctx, s, simulator, replicas, table); err != nil {
		return err
	}
	done, err := table.settled(ctx)
	if err == nil && done != s.rows {
		err = fmt.Errorf("%d rows have status 2 after the run, want %d", done, s.rows)
	}
	return err
}

// watch asks for a run and measures its time and what the processes use meanwhile.
func (r *result) watch(ctx context.Context, s scenario, simulator *process, replicas []*process) error {
	before, err := cpuOf(replicas)
	if err != nil {
		return err
	}
	start := time.Now()
	first := make(chan time.Duration, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for watching.Err() == nil {
			if c, err := simulator.counts(watching); err == nil && c.Messages > 0 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		first <- time.Since(start)
	}()
	var run struct{ Found, Accepted int }
	if err := post(ctx, replicas[0].url+"/send_notification", &run); err != nil {
		return err
	}
	took := time.Since(start)
	stop()
	r.first = <-first
	if run.Found != s.rows || run.Accepted != s.rows {
		return fmt.Errorf("the run found %d and had %d accepted, want %d", run.Found, run.Accepted, s.rows)
	}
	r.pombo = float64(s.rows) / took.Seconds()
	after, err := cpuOf(replicas)
	if err != nil {
		return err
	}
	r.pomboCPU = (after - before) / time.Duration(s.rows)
	for _, p := range replicas {
		peak, err := p.peak()
		if err != nil {
			return err
		}
		r.peak = max(r.peak, peak)
	}
	return nil
}

// count collects what the processes, the table and the simulator counted.
func (r *result) count(ctx context.Context, s scenario, simulator *process, replicas []*process, table rows) error {
	statements := 0.0
	for _, p := range replicas {
		n, err := p.metric(ctx, "pombo_source_statements_total")
		if err != nil {
			return err
		}
		statements += n
	}
	if oracle, ok := table.(*oracleTable); ok {
		asked, trips := oracle.asked()
		statements, r.trips = float64(asked), float64(trips)/float64(s.rows)
	}
	r.statements = statements / float64(s.rows)
	c, err := simulator.counts(ctx)
	if err != nil {
		return err
	}
	if c.Messages != s.rows || c.Doubled != 0 {
		return fmt.Errorf("the simulator got %d messages, %d of them twice; want %d, none twice", c.Messages, c.Doubled, s.rows)
	}
	r.requests = float64(c.MessagePosts+c.CommandPosts) / float64(s.rows)
	r.throttled = c.Throttled
	return nil
}

// counts is what the simulator has seen.
type counts struct {
	Messages     int `json:"messages"`
	Doubled      int `json:"doubled"`
	MessagePosts int `json:"message_posts"`
	CommandPosts int `json:"command_posts"`
	Throttled    int `json:"throttled"`
}

func (p *process) counts(ctx context.Context) (c counts, err error) {
	err = get(ctx, p.url+"/sim/counts", &c)
	return c, err
}

func cpuOf(list []*process) (sum time.Duration, err error) {
	for _, p := range list {
		used, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
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
	p := &process{url: "http://" + addr, cmd: b.command(ctx, env, args...)}
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

func (b *bench) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, b.binary, args...)
	c.Env, c.Dir = append(os.Environ(), env...), b.dir
	return c
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// metric reads one metric without labels.
func (p *process) metric(ctx context.Context, name string) (float64, error) {
	text, err := call(ctx, http.MethodGet, p.url+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

func get(ctx context.Context, url string, into any) error {
	body, err := call(ctx, http.MethodGet, url)
	return read(body, err, into)
}

func post(ctx context.Context, url string, into any) error {
	body, err := call(ctx, http.MethodPost, url)
	return read(body, err, into)
}

// read reads the JSON of an answer into a value, or ignores it.
func read(body []byte, err error, into any) error {
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// call returns the body of an answer below 300.
func call(ctx context.Context, method, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	return do(http.DefaultClient, req)
}

func do(client *http.Client, req *http.Request) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, res.Status, body)
	}
	return body, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
