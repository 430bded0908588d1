// Record stands in front of a real Oracle's port and writes the traffic to a
// cassette, until a signal ends it. See oracletest.Recorder: what AUTH
// carries is blanked, but rows are not: record test databases only.
//
//	go run ./test/oracletest/record -listen 127.0.0.1:1522 -to 127.0.0.1:1521 -out all.jsonl
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"pombo/test/oracletest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:1522", "where clients connect")
	to := flag.String("to", "127.0.0.1:1521", "the server")
	out := flag.String("out", "cassette.jsonl", "the cassette")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := record(ctx, *listen, *to, *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func record(ctx context.Context, listen, to, out string) error {
	f, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	r, err := oracletest.Record(listen, to, f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	fmt.Printf("recording %s in front of %s\n", r.Addr(), to)
	<-ctx.Done()
	return errors.Join(r.Close(), f.Close())
}
