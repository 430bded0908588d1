package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

// TestServe_KillLosesAndDoublesNothing kills a server in the middle of 2,000 rows, as
// a power cut would, and starts it again.
func TestServe_KillLosesAndDoublesNothing(t *testing.T) {
	nightly.Only(t) // by day the chaos run kills
	t.Parallel()    // it waits most of the time
	const rows = 2000
	folder := t.TempDir()
	table := filepath.Join(folder, "table.db")
	if err := makeTable(table, rows); err != nil {
		t.Fatal(err)
	}
	// The latency keeps some messages on their way at any instant.
	sim := blipsim.New(blipsim.Options{Latency: 20 * time.Millisecond})
	t.Cleanup(sim.Close)
	blip := httptest.NewServer(sim)
	t.Cleanup(blip.Close)
	addr, err := unusedAddr()
	if err != nil {
		t.Fatal(err)
	}
	p := &subprocess{folder: folder, environ: []string{
		"KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL=" + blip.URL, "TEMPLATE_NAME=notificacao",
		"BLIP_TIMEOUT=2s", "UNCERTAIN_WAIT=2s", "BLIP_MESSAGES_PER_SECOND=0", "BLIP_COMMANDS_PER_SECOND=0",
		"DB_URL=sqlite:" + table, "LEDGER_URL=sqlite:" + filepath.Join(folder, "ledger.db"), "LOG_FILE=-",
		"API_ADDR=" + addr, "DESK_ADDR=-",
	}}
	client := api.NewClient("http://"+addr, "", nil)

	p.start(t, client)
	first, err := client.Send(t.Context(), api.NoWait)
	if err != nil {
		t.Fatal(err)
	}
	if err := waitFor(30*time.Second, func() (bool, error) {
		n := sim.Counts().Messages
		return n >= rows/4, fmt.Errorf("%d messages", n)
	}); err != nil {
		t.Fatal(err)
	}
	second, err := client.Send(t.Context(), api.NoWait)
	if err != nil {
		t.Fatal(err)
	}
	if second.RunID != first.RunID || second.State != api.Running {
		t.Errorf("the second call got run %d (%s), want to join run %d", second.RunID, second.State, first.RunID)
	}
	p.kill(t)
	if n := sim.Counts().Messages; n >= rows {
		t.Fatalf("all %d messages had gone before the kill: the test shows nothing", n)
	}

	p.start(t, client)
	if _, err := client.Send(t.Context(), api.NoWait); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(table)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := waitFor(40*time.Second, func() (bool, error) {
		var n int
		err := db.QueryRow(`SELECT count(*) FROM NOTIFICACAO WHERE CD_STATUS = 2`).Scan(&n)
		return n == rows, errors.Join(err, fmt.Errorf("%d of %d rows at 2", n, rows))
	}); err != nil {
		t.Errorf("%v\n%s", err, p.output())
	}
	p.kill(t)
	if c := sim.Counts(); c.Messages != rows || c.Doubled != 0 {
		t.Errorf("%d messages, %d of them doubled; want %d and none", c.Messages, c.Doubled, rows)
	}
}

// TestKillsOfTwoOnOneLedger kills one of two servers every two seconds while they
// deliver 20,000 rows, 73 times, and starts it again. Doubts must not arise faster than
// they are resolved.
func TestKillsOfTwoOnOneLedger(t *testing.T) {
	nightly.Only(t)
	const rows, kills, every = 20_000, 73, 2 * time.Second
	const uncertainWait = 5 * time.Second // as startReplicas sets it
	database, look := sharedLedger(t)
	uncertain := func() (n int) {
		t.Helper()
		if err := look.QueryRow(t.Context(), `SELECT count(*) FROM notification WHERE state = 'uncertain'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	// So slow that the last kill still finds some on their way.
	d := deliver(t, 2, rows, database, "BLIP_MESSAGES_PER_SECOND=125")
	d.sent(t, 100)
	most := 0
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range kills {
		<-tick.C
		killed := d.replicas[i%2]
		killed.kill(t)
		killed.begin(t)
		most = max(most, uncertain())
	}
	last, sent := time.Now(), d.sim.Counts().Messages
	if sent == rows {
		t.Fatal("all had gone before the last kill: the test shows less than it says")
	}
	still := uncertain()
	if err := waitFor(uncertainWait+time.Minute, func() (bool, error) {
		n := uncertain()
		most = max(most, n)
		return n == 0 && time.Since(last) > 30*time.Second+uncertainWait, fmt.Errorf("%d are uncertain", n) // the lease of the last one is over
	}); err != nil {
		d.fail(t, err)
	}
	t.Logf("%d messages at the last kill, %d uncertain; none %s later; never more than %d", sent, still, time.Since(last).Round(time.Second), most)
	d.settled(t)
	t.Logf("all was done %s after the last kill", time.Since(last).Round(time.Second))
	d.eachOnce(t, database)
}

// subprocess is pombo serve in a process of its own, which can be killed.
type subprocess struct {
	folder  string
	environ []string
	command *exec.Cmd
	out     bytes.Buffer // written by the process; read when it has ended
}

// start returns when it is ready.
func (p *subprocess) start(t *testing.T, client *api.Client) {
	t.Helper()
	p.begin(t)
	if err := waitFor(time.Minute, func() (bool, error) {
		_, err := client.Ready(context.Background())
		return err == nil, err
	}); err != nil {
		t.Fatalf("%v\n%s", err, p.output())
	}
}

func (p *subprocess) begin(t *testing.T) {
	t.Helper()
	p.command = exec.Command("pombo", "serve") // TestMain put it there
	p.command.Dir = p.folder
	p.command.Env = append(os.Environ(), p.environ...)
	p.command.Stdout, p.command.Stderr = &p.out, &p.out
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(t) })
}

// kill ends the process without giving it a chance (kill -9), and waits for it.
func (p *subprocess) kill(t *testing.T) {
	t.Helper()
	if p.command == nil {
		return
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = p.command.Wait() // it says that it was killed
	p.command = nil
}

// output ends the process and returns the end of what it has said.
func (p *subprocess) output() string {
	if p.command != nil {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
		p.command = nil
	}
	out := p.out.Bytes()
	return string(out[max(0, len(out)-4000):])
}
