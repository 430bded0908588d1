// Command pombo delivers the notifications of a company's table on WhatsApp
// through Blip.
//
// Each subcommand has a file of its own: a struct whose fields are its flags and
// arguments, its Help with examples, and Run. What a command needs of the world
// it gets from a shell; nothing here reads the process's environment, writes to
// its streams or ends it, except main.
//
// Commands that run something (serve, start, job, demo, simulator) read the
// whole configuration and build the process with package app. Commands that ask
// (send, list, show, retry, cancel, pause, resume, optout, templates) are clients of the
// API of a running one, because only the process that has the ledger may change
// it.
//
// Every command ends with 0 (done), 1 (failed), 2 (wrong use of the command
// line) or 78 (wrong configuration), and says on the error stream what failed
// and what to do.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // DB_TIMEZONE must work on a Windows server, which has no zones

	"github.com/alecthomas/kong"
)

func main() {
	asked := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		asked = append(asked, syscall.SIGHUP) // the terminal or its connection was closed
	}
	ctx, stop := signal.NotifyContext(context.Background(), asked...)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	stdout, stderr := os.Stdout, os.Stderr
	if w := divert(slog.Default); w != nil {
		os.Stdout, os.Stderr = w, w
	}
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdin, stdout, stderr)
	if len(os.Args) == 1 && doubleClicked() {
		explainDoubleClick(os.Environ(), os.Stdin, stderr)
	}
	os.Exit(code)
}

// outlivePipes keeps a reader that goes away (serve | head) from ending the
// process: writing then fails, and nothing else.
func outlivePipes() { signal.Ignore(syscall.SIGPIPE) }

// run carries one command out and returns the exit code. The end of ctx asks
// the command to end in order.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	helped := false
	parser, err := newParser(&c, stdout, stderr, func(int) { helped = true })
	if err != nil {
		return report(stderr, err)
	}
	if len(args) == 0 {
		parser.Stdout = stderr
		_, _ = parser.Parse([]string{"--help"})
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	switch {
	case helped: // kong goes on parsing after the help; its later errors do not matter
		return exitDone
	case err != nil:
		return report(stderr, unparsed(err))
	}
	s := &shell{environ: environ, envFile: c.EnvFile, stdin: stdin, stdout: stdout, stderr: stderr}
	defer func() {
		for _, f := range s.last {
			f()
		}
	}()
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(s)
	if err == nil {
		err = s.unsaid
	}
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = errInterrupted
		}
		return report(stderr, err)
	}
	return exitDone
}

// unparsed is what kong says about a command line, with where to read on.
func unparsed(err error) error {
	hint := "see pombo --help"
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		if command := parse.Context.Selected(); command != nil {
			hint = "see " + command.FullPath() + " --help"
		}
	}
	return wrongUse(err, hint)
}
