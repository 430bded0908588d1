//go:build unix

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"pombo/test/postgrestest"
)

// options say what is to be run.
type options struct {
	ledger string // sqlite or postgres
	rows   int
	kills  int
	seed   uint64
	keep   bool // leave the folder with the logs behind
	// short divides the moments and faults between the ledgers.
	short  bool
	binary string
	folder string
	say    func(format string, args ...any)
}

func main() {
	which := flag.String("ledger", "both", "sqlite, postgres or both")
	rows := flag.Int("rows", 20_000, "pending rows, on each ledger")
	kills := flag.Int("kills", 60, "kills with SIGKILL, on each ledger; the other faults come in proportion")
	seed := flag.Uint64("seed", 0, "repeats the faults of an earlier run; 0 draws one")
	keep := flag.Bool("keep", false, "leave the folder with databases and logs behind")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := command(ctx, *which, options{rows: *rows, kills: *kills, seed: *seed, keep: *keep})
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1)
	}
}

// command runs one ledger after the other and prints the table. ok means that nothing was
// lost and nothing doubled.
func command(ctx context.Context, which string, o options) (ok bool, err error) {
	ledgers := []string{which}
	switch which {
	case "both":
		ledgers = []string{"sqlite", "postgres"}
	case "sqlite", "postgres":
	default:
		return false, fmt.Errorf("-ledger=%s: use sqlite, postgres or both", which)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1_000_000)
	}
	if o.folder, err = os.MkdirTemp("", "pombo-chaos-"); err != nil {
		return false, err
	}
	if o.keep {
		fmt.Println("databases and logs:", o.folder)
	} else {
		defer os.RemoveAll(o.folder)
	}
	if o.binary, err = build(ctx, o.folder); err != nil {
		return false, err
	}
	o.say = func(format string, args ...any) {
		fmt.Printf(time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
	}
	fmt.Printf("%s, %s, %d cores, seed %d\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), o.seed)
	ok = true
	var results []result
	for _, o.ledger = range ledgers {
		r, err := run(ctx, o)
		if errors.Is(err, postgrestest.ErrNotInstalled) && which == "both" {
			fmt.Println("postgres: not tried:", err)
			continue
		}
		if err != nil {
			return false, fmt.Errorf("%s, seed %d: %w", o.ledger, o.seed, err)
		}
		results = append(results, r)
		ok = ok && r.good()
	}
	report(results)
	return ok, nil
}

// build makes the real binary, without what only a debugger reads.
func build(ctx context.Context, folder string) (string, error) {
	binary := filepath.Join(folder, "pombo")
	c := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", binary, "pombo/cmd/pombo")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pombo/cmd/pombo: %w\n%s", err, out)
	}
	return binary, nil
}
