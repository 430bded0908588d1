package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// trickle is an ordinary day: rows come one by one, and no job calls. Pombo polls for them
// once a second.
type trickle struct {
	rows int           // of which five come in a second, at any phase of it
	idle time.Duration // afterwards
}

const trickleName = "5 rows/s, POLL_INTERVAL=1s"

// waits is how long after its commit Blip took the message of each row, sorted.
type waits []time.Duration

func (w waits) at(share float64) time.Duration { return w[min(int(share*float64(len(w))), len(w)-1)] }

// measureTrickle prints a table of its own: what counts here are times and not rates.
func (b *bench) measureTrickle(ctx context.Context, t trickle) (err error) {
	simulator, err := b.startSimulator(ctx, scenario{rate: 45, keep: t.rows})
	if err != nil {
		return err
	}
	defer simulator.stop()
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	company := sqliteTable{path: filepath.Join(dir, "rows.db")}
	if err := company.fill(ctx, 0); err != nil {
		return err
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	pombo, err := b.start(ctx, "pombo", addr, "/readyz", []string{
		"KEYBLIP=" + key, "BLIP_URL=" + simulator.url, "TEMPLATE_NAME=" + template, "POLL_INTERVAL=1s",
		"DB_URL=" + company.url(), "LEDGER_URL=sqlite:" + filepath.Join(dir, "pombo.db"),
		"API_ADDR=" + addr, "DESK_ADDR=-", "LOG_FILE=" + filepath.Join(dir, "pombo.log"),
	}, "serve", "--env-file", os.DevNull)
	if err != nil {
		return err
	}
	defer pombo.stop()

	committed, err := company.trickle(ctx, t.rows)
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Second) // until the last ones are sent, recorded and settled
	took, err := simulator.waits(ctx, committed)
	if err != nil {
		return err
	}
	before, err := pombo.cpu()
	if err != nil {
		return err
	}
	time.Sleep(t.idle)
	after, err := pombo.cpu()
	if err != nil {
		return err
	}
	fmt.Printf("%s: done\n\n", trickleName)
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.AppendHeader(table.Row{"from a row's commit until Blip has its message", "rows", "p50 ms", "p99 ms", "most ms", "budget", "idle, % of a core", "budget"})
	out.AppendRow(table.Row{trickleName, t.rows, took.at(0.5).Milliseconds(), took.at(0.99).Milliseconds(), took.at(1).Milliseconds(),
		"p50 ≤ 650, p99 ≤ 1300", fmt.Sprintf("%.2f", 100*(after-before).Seconds()/t.idle.Seconds()), "≤ 0.3"})
	out.RenderMarkdown()
	return nil
}

// trickle commits rows one by one, each for another person, and returns when.
func (t sqliteTable) trickle(ctx context.Context, rows int) (committed []time.Time, err error) {
	db, err := sql.Open("sqlite", "file:"+t.path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	phase := rand.New(rand.NewPCG(1, 2)) // the same times in each run
	for i := range rows {
		time.Sleep(100*time.Millisecond + time.Duration(phase.Int64N(int64(200*time.Millisecond))))
		if _, err := db.ExecContext(ctx, `INSERT INTO NOTIFICACAO VALUES (?1, ?2, 'Maria', ?3, 1)`, i+1, phoneOf(i), strconv.Itoa(i)); err != nil {
			return nil, err
		}
		committed = append(committed, time.Now())
	}
	return committed, nil
}

// waits asks the simulator when it took the message of each row.
func (p *process) waits(ctx context.Context, committed []time.Time) (waits, error) {
	var messages []struct {
		At     time.Time
		Params []struct{ Value string }
	}
	if err := get(ctx, p.url+"/sim/messages", &messages); err != nil {
		return nil, err
	}
	if len(messages) != len(committed) {
		return nil, fmt.Errorf("the simulator got %d messages, want %d", len(messages), len(committed))
	}
	var took waits
	for _, m := range messages {
		if len(m.Params) != 2 {
			return nil, fmt.Errorf("a message has %d values, want 2", len(m.Params))
		}
		i, err := strconv.Atoi(m.Params[1].Value)
		if err != nil || i < 0 || i >= len(committed) {
			return nil, fmt.Errorf("a message has the value %q, want the number of a row", m.Params[1].Value)
		}
		took = append(took, m.At.Sub(committed[i]))
	}
	slices.Sort(took)
	return took, nil
}
