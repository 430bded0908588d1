package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/config"
	"pombo/internal/telemetry"
	"pombo/internal/words"
)

// cli is the command line as kong reads it.
type cli struct {
	EnvFile string `name:"env-file" default:".env" placeholder:"FILE" help:"Settings, under those of the environment. Only the default may be missing (${default})."`

	Start     startCommand     `cmd:"" group:"run" help:"Run the API and the job in one process."`
	Serve     serveCommand     `cmd:"" group:"run" help:"Run the API and everything behind it."`
	Job       jobCommand       `cmd:"" group:"run" help:"Call a running API every JOB_INTERVAL."`
	Send      sendCommand      `cmd:"" group:"use" help:"Send one message without the table."`
	List      listCommand      `cmd:"" group:"use" help:"List notifications, newest first."`
	Status    statusCommand    `cmd:"" group:"use" help:"Say in one sentence whether messages go, and what needs attention."`
	Show      showCommand      `cmd:"" group:"use" help:"Tell the whole story of one notification."`
	Replies   repliesCommand   `cmd:"" group:"use" help:"List what people answered, newest first."`
	Retry     retryCommand     `cmd:"" group:"use" help:"Have notifications sent again."`
	Cancel    cancelCommand    `cmd:"" group:"use" help:"Keep notifications from being sent."`
	Pause     pauseCommand     `cmd:"" group:"use" help:"Hold all sending."`
	Resume    resumeCommand    `cmd:"" group:"use" help:"End a pause."`
	Stop      stopCommand      `cmd:"" group:"use" help:"Stop a running Pombo in order, and wait for its end."`
	Optout    optoutCommand    `cmd:"" group:"use" help:"Tell Pombo who gets no more messages."`
	Desk      deskCommand      `cmd:"" group:"use" help:"Open the operator's desk, and keep its accounts."`
	Events    eventsCommand    `cmd:"" group:"use" help:"List the events for EVENTS_URL, or send them again."`
	Reconcile reconcileCommand `cmd:"" group:"use" help:"Compare table, ledger and Blip, and tell what does not agree."`
	Forget    forgetCommand    `cmd:"" group:"use" help:"Erase a person from the ledger."`
	Templates templatesCommand `cmd:"" group:"use" help:"List the bot's message templates at Blip, or draw a message."`
	Doctor    doctorCommand    `cmd:"" group:"prepare" help:"Check everything that Pombo needs, and say what to do."`
	Config    configCommand    `cmd:"" group:"prepare" help:"Show the settings in force, without secrets, and all that is wrong with them."`
	Secret    secretCommand    `cmd:"" group:"prepare" help:"Keep secrets in files of their own."`
	Migrate   migrateCommand   `cmd:"" group:"prepare" help:"Make or update the tables of the ledger."`
	Recover   recoverCommand   `cmd:"" group:"prepare" help:"Rebuild a lost ledger from the table and from Blip."`
	SQL       sqlCommand       `cmd:"" name:"sql" group:"prepare" help:"Print every statement that is run on the company's table, or on the ledger."`
	Service   serviceCommand   `cmd:"" group:"prepare" help:"Make Pombo a service of Windows or systemd, and start and stop it."`
	Demo      demoCommand      `cmd:"" group:"try" help:"Show everything at work: no setting, no account, no network."`
	Simulator simulatorCommand `cmd:"" group:"try" help:"Run a pretend Blip."`
	Version   versionCommand   `cmd:"" group:"try" help:"Say which Pombo this is."`
}

const about = "Pombo takes the notifications of a company's table and delivers them on WhatsApp through Blip, each row once."

// newParser builds the parser for c. ended is called when the help was shown.
func newParser(c *cli, stdout, stderr io.Writer, ended func(int)) (*kong.Kong, error) {
	parser, err := kong.New(c,
		kong.Name("pombo"),
		kong.Description(about),
		kong.Writers(stdout, stderr),
		kong.Exit(ended),
		kong.Vars{"states": pombo.StateNames(), "sendTime": sendTime.String(), "secrets": strings.Join(config.Secrets(), ", ")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "run", Title: "Run it:"},
			{Key: "use", Title: "Ask a running one:"},
			{Key: "prepare", Title: "Set it up:"},
			{Key: "try", Title: "Try it:"},
			{Key: "receipts", Title: "Receipts:"},
			{Key: "faults", Title: "Faults (a rate is a share from 0 to 1):"},
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("build the command line: %w", err)
	}
	return parser, nil
}

// shell is what a command has of the world outside.
type shell struct {
	environ []string
	envFile string
	stdin   io.Reader
	stdout  io.Writer // results
	stderr  io.Writer // what is said about the work
	unsaid  error     // why a result could not be written

	language words.Language // of the settings, once they are loaded
	last     []func()       // run last, just before the end
}

// load reads the parts of the configuration that a command needs. Warnings go to
// the error stream. The error is a *config.Error with everything that is wrong.
func (s *shell) load(need config.Need) (config.Config, error) {
	c, warnings, err := config.Load(s.envFile, s.environ, need)
	s.language = c.Language
	for _, w := range warnings {
		s.sayf("pombo: warning: %s", w)
	}
	return c, err
}

// loadToRun reads the configuration of a command that runs where nobody may be
// watching, so what is wrong is written to the log as well.
func (s *shell) loadToRun(need config.Need) (config.Config, error) {
	if err := unasked(); err != nil {
		return config.Config{}, err
	}
	return s.loadAndTrace(need)
}

// loadAndTrace reads the configuration, and writes what is wrong with it to the log.
func (s *shell) loadAndTrace(need config.Need) (config.Config, error) {
	c, err := s.load(need)
	if e, ok := errors.AsType[*config.Error](err); ok {
		s.leaveTrace(c.LogAnyway(e), e)
	}
	return c, err
}

// leaveTrace writes problems of the configuration to a log file. It does not report its
// own failure: the problems are on the error stream already.
func (s *shell) leaveTrace(l config.Log, e *config.Error) {
	if l.File == "" {
		return
	}
	logger, file, err := telemetry.OpenLog(telemetry.Options{File: l.File, Format: l.Format, Level: l.Level})
	if err != nil {
		return
	}
	for _, p := range e.Problems {
		logger.Error("not started: the configuration has a problem", "problem", p.String(), "todo", p.Hint)
	}
	_ = file.Close()
}

// queued puts a queue before each output stream, so that a blocked console delays
// nothing; the formats are those of what is written there. The function that it returns
// writes what is left, as far as the console takes it.
func (s *shell) queued(stdoutFormat, stderrFormat string) (flush func()) {
	outlivePipes()
	stdout, stderr := telemetry.NewConsole(s.stdout, stdoutFormat), telemetry.NewConsole(s.stderr, stderrFormat)
	s.stdout, s.stderr = stdout, stderr
	return func() { _ = errors.Join(stdout.Close(), stderr.Close()) } // both are nil
}

// sayf writes one line about the work to the error stream.
func (s *shell) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.stderr, format+"\n", args...) // there is nowhere else to report it
}

// printf writes to the results. An error shows up at the end, in the exit code.
func (s *shell) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(s.stdout, format, args...); err != nil && s.unsaid == nil {
		s.unsaid = fmt.Errorf("write the results: %w", err)
	}
}

// readLines reads the standard input to its end, or until ctx ends: reading from a
// terminal cannot be broken off. Unlike arguments (ps, the shell's history), the input
// is not visible to others.
func (s *shell) readLines(ctx context.Context) ([]pombo.Private, error) {
	type read struct {
		lines []pombo.Private
		err   error
	}
	done := make(chan read, 1)
	go func() { // after ctx it ends with the process, at the latest
		var r read
		lines := bufio.NewScanner(asUTF8(s.stdin))
		for lines.Scan() {
			r.lines = append(r.lines, pombo.Private(strings.TrimRight(lines.Text(), "\r")))
		}
		r.err = lines.Err()
		done <- r
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		switch {
		case r.err != nil:
			return nil, fmt.Errorf("read the standard input: %w", r.err)
		case !slices.ContainsFunc(r.lines, func(l pombo.Private) bool { return strings.TrimSpace(l.Reveal()) != "" }):
			return nil, wrongUse(errors.New("there is nothing on the standard input"), "write the phone on the first line")
		}
		return r.lines, nil
	}
}

// readPhone is the phone of an argument; "-" is read from the standard input.
func (s *shell) readPhone(ctx context.Context, given string) (string, error) {
	if given != "-" {
		return given, nil
	}
	lines, err := s.readLines(ctx)
	if err != nil {
		return "", err
	}
	return lines[0].Reveal(), nil
}

// askTime is more than the server takes for any answer that does not wait for a run.
const askTime = 40 * time.Second

// client returns the way to a running Pombo.
func (s *shell) client() (*api.Client, error) { return s.patientClient(askTime) }

// patientClient returns a client that waits longer for an answer, or with 0 as
// long as it takes.
func (s *shell) patientClient(limit time.Duration) (*api.Client, error) {
	c, err := s.load(config.NeedJob)
	if err != nil {
		return nil, err
	}
	return api.NewClient(c.Job.URL, c.API.Token.Reveal(), &http.Client{Timeout: limit}).As(machineAccount()), nil
}
