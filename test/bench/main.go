// Bench measures Pombo against a bare loop of the same HTTP calls, in one run on
// one machine, and prints ratios: absolute figures would say more about the machine.
//
// The simulator, the bare loop and Pombo are three processes on the same cores.
// The bare loop is what a script could do at best: as many workers, the same
// look-up and the same POST for each message from rows that it has in memory, no
// queue, no history and no answer to "what became of it". Pombo is the real
// binary with its real files: rows out of a SQLite table, every step durable in
// the ledger before the next (synchronous=FULL), results written back to the
// table, and its usual log. Where the line says so the ledger is in a PostgreSQL
// that waits for its disk, the table behind a double of Oracle's wire protocol in
// the process of the bench, or three processes share a ledger: all on the same
// cores too.
//
//	go run ./test/bench            everything, some minutes
//	go run ./test/bench -quick     small, to see that it works
//	go run ./test/bench -only 50   the lines whose name contains "50"
//	go run ./test/bench -binary ./pombo.before   another pombo, to compare two in alternation
//	go run ./test/bench -only "lists on SQLite"   how long each list of 10,000,000 takes, and each report
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

func main() {
	quick := flag.Bool("quick", false, "few rows, to see that it works")
	only := flag.String("only", "", "measure only the lines whose name contains this")
	binary := flag.String("binary", "", "measure this pombo; otherwise one is built")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *quick, *only, *binary); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick bool, only, binary string) (err error) {
	dir, err := os.MkdirTemp("", "pombo-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, binary: filepath.Join(dir, "pombo")}
	defer func() {
		if b.postgres != nil {
			err = errors.Join(err, b.postgres.Close())
		}
	}()
	if binary == "" {
		err = b.build(ctx)
	} else {
		b.binary, err = filepath.Abs(binary)
	}
	if err != nil {
		return err
	}

	// least is the smallest number of rows that is worth measuring.
	rows := func(full, least int) int {
		if quick {
			return max(full/100, least)
		}
		return full
	}
	finished := 10_000_000
	if quick {
		finished = 1_000_000
	}
	fmt.Printf("%s, %s, %d cores, %s\n\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), processor())
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.AppendHeader(table.Row{"what", "bare loop msg/s", "Pombo msg/s", "ratio", "budget", "source statements a message", "round trips", "requests a message", "CPU µs a message, bare", "Pombo", "peak memory MiB", "first message after ms"})
	for _, s := range []scenario{
		{name: "no latency, 64 workers", rows: rows(100_000, 1000), workers: 64, budget: "≥ 0.5"},
		{name: "no latency, 512 workers", rows: rows(100_000, 1000), workers: 512, budget: "≥ 0.5"},
		{name: "50 ms latency, 512 workers", rows: rows(60_000, 1000), workers: 512, latency: 50 * time.Millisecond, budget: "≥ 0.95"},
		{name: "1,000,000 pending rows", rows: rows(1_000_000, 1000), workers: 64, noBare: true, budget: "≤ 100 MiB"},
		{name: "45 of 50 messages/s allowed", rows: rows(1_350, 500), workers: 64, rate: 45, noBare: true, budget: "≥ 0.98 of 45/s"},
		{name: "PostgreSQL ledger, 64 workers", rows: rows(100_000, 5000), workers: 64, postgres: true, budget: "≥ 0.35"},
		{name: "PostgreSQL ledger, 512 workers", rows: rows(100_000, 5000), workers: 512, postgres: true, budget: "≥ 0.35"},
		{name: "three replicas on one PostgreSQL ledger", rows: rows(100_000, 5000), workers: 64, postgres: true, replicas: 3, budget: "none twice"},
		{name: "Oracle source on the double", rows: rows(20_000, 2000), workers: 64, oracle: true, budget: "statements and round trips ≤ 0.05"},
		{name: millions(finished) + " finished rows beside the pending", rows: rows(10_000, 10_000), workers: 64, finished: finished, budget: "as without them"},
	} {
		if !strings.Contains(s.name, only) {
			continue
		}
		result, err := b.measure(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		out.AppendRow(result.row(s))
		fmt.Printf("%s: done, ready after %s\n", s.name, result.ready.Round(time.Millisecond))
	}
	if out.Length() > 0 {
		fmt.Println()
		out.RenderMarkdown()
		fmt.Println()
	}
	for _, postgres := range []bool{false, true} {
		if name := "lists on " + storeOf(postgres); !strings.Contains(name, only) {
			continue
		} else if err := b.lists(ctx, finished, postgres); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if !strings.Contains(trickleName, only) {
		return nil
	}
	if err := b.measureTrickle(ctx, trickle{rows: rows(300, 25), idle: time.Duration(rows(60, 5)) * time.Second}); err != nil {
		return fmt.Errorf("%s: %w", trickleName, err)
	}
	return nil
}

// build builds the program as make build does it.
func (b *bench) build(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-pgo=deploy/pombo.pgo", "-o", b.binary, "./cmd/pombo")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build ./cmd/pombo: %w", err)
	}
	return nil
}

// scenario is one line of the table.
type scenario struct {
	name    string
	rows    int
	workers int
	latency time.Duration // of each answer of the simulator
	rate    int           // BLIP_MESSAGES_PER_SECOND; 0 = no limit. The simulator then allows 50.
	noBare  bool
	budget  string

	postgres bool // the ledger is there
	oracle   bool // so is the table
	replicas int  // processes that share the ledger; 0 = 1
	finished int  // rows that the table has beside the pending ones
	keep     int  // messages that the simulator keeps; 0 = 1
}

// result is what was measured. Rates are messages per second.
type result struct {
	bare, pombo          float64
	statements, requests float64       // per message
	trips                float64       // round trips to the source per message; 0 = not counted
	bareCPU, pomboCPU    time.Duration // processor time per message
	peak                 float64       // MiB, resident, of the Pombo process
	ready                time.Duration // from the start of the process to the first 200 of /readyz
	first                time.Duration // from the call to the first message
	throttled            int           // answers 429
}

func (r result) row(s scenario) table.Row {
	bare, ratio, bareCPU := "–", "–", "–"
	if !s.noBare {
		bareCPU = strconv.FormatInt(r.bareCPU.Microseconds(), 10)
		bare, ratio = fmt.Sprintf("%.0f", r.bare), fmt.Sprintf("%.2f", r.pombo/r.bare)
	}
	if s.rate > 0 {
		ratio = fmt.Sprintf("%.3f of the rate, %d answers 429", r.pombo/float64(s.rate), r.throttled)
	}
	trips := "–"
	if r.trips > 0 {
		trips = fmt.Sprintf("%.4f", r.trips)
	}
	return table.Row{s.name, bare, fmt.Sprintf("%.0f", r.pombo), ratio, s.budget,
		fmt.Sprintf("%.4f", r.statements), trips, fmt.Sprintf("%.2f", r.requests), bareCPU, r.pomboCPU.Microseconds(),
		fmt.Sprintf("%.0f", r.peak), r.first.Milliseconds()}
}

// millions writes a whole number of millions with its commas.
func millions(n int) string { return strconv.Itoa(n/1_000_000) + ",000,000" }

// processor names the processor, or its architecture where the system does not.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}
