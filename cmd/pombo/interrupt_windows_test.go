package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// underTest is main for scripts. On Windows nobody can interrupt a single process of a
// console, so a file in the script's folder does it here.
func underTest() {
	work := os.Getenv("WORK")
	if work == "" {
		main()
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { // it ends with the process
		for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
			if _, err := os.Stat(interruptFile(work, os.Getpid())); err == nil {
				stop()
				return
			}
		}
	}()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

func interruptFile(work string, pid int) string {
	return filepath.Join(work, ".tmp", "interrupt-"+strconv.Itoa(pid))
}

// endInOrder asks a process to end.
func endInOrder(p *os.Process, work string) error {
	return os.WriteFile(interruptFile(work, p.Pid), nil, 0o600)
}
