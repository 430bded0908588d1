// Package demo shows Pombo at work without any setting: a sample table, a pretend
// Blip, the ledger, the API and the job, in one process and in one folder that is
// removed at the end.
//
// The server is the real one, with a configuration read by the same checks as every
// other. Only the table, whose rows are the kinds that every table has, and Blip are
// made up.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/internal/config"
	"pombo/internal/job"
	"pombo/internal/port"
)

// Options say what the demo shows, and lend it what the command line has.
type Options struct {
	Rows int       // how many rows the sample table has
	Once bool      // end when every row has reached its end, instead of with ctx
	Out  io.Writer // progress and results; a terminal gets bars

	// Serve runs the server until during returns or fails. It calls during with the
	// server's URL, and a link into its desk that is good once, when requests are answered.
	Serve func(ctx context.Context, c config.Config, receipts []time.Duration, during During) error
}

// During is what happens while a server runs. Its ctx ends when the server has to stop.
type During func(ctx context.Context, url, desk string, log *slog.Logger) error

// Key has the form of a key of Blip. It opens nothing.
const Key = "cG9tYm9kZW1vOm5vdC1hLXNlY3JldA=="

// Run shows the demo. Its error is ctx's if that ended before the rows did; after any
// other the folder is kept, and the error names it.
func Run(ctx context.Context, opts Options) (err error) {
	folder, err := os.MkdirTemp("", "pombo-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() {
		if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
			err = fmt.Errorf("%w (what the demo has written is in %s)", err, folder)
			return
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()

	d := &demo{opts: opts, rows: sampleRows(opts.Rows), folder: folder}
	for _, r := range d.rows {
		if r.answers() {
			d.awaited++
		}
	}
	d.sim, err = blipsim.Listen(ctx, "127.0.0.1:0", blipsim.Options{
		Scripts: scripts(d.rows), Latency: 5 * time.Millisecond,
		DispatchedAfter: 150 * time.Millisecond, ReceivedAfter: 700 * time.Millisecond,
		ConsumedAfter: 2500 * time.Millisecond, FailedAfter: 700 * time.Millisecond, AnswerAfter: 1200 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer d.sim.Stop()
	if d.receiver, err = startReceiver(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.receiver.stop()) }()
	if d.settings, err = d.config(freeAddr(ctx)); err != nil {
		return err
	}
	var waves []wave // without --once people come to look
	if !opts.Once {
		waves = pastOf(time.Now().In(d.settings.Source.Zone))
	}
	if d.table, err = createTable(ctx, d.path("table.db"), d.rows, waves); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.table.close()) }()
	if len(waves) > 0 {
		if err := writePast(ctx, d.settings, waves); err != nil {
			return err
		}
		d.doubts = 1
	}
	d.began = time.Now()
	if err := opts.Serve(ctx, d.settings, receiptSchedule(opts.Rows), d.during); err != nil {
		return err
	}
	return d.unwritten
}

// receiptSchedule has the ages at which the demo asks what became of a message; the
// usual ones take three days. With many rows the first question comes when there is
// something to tell.
func receiptSchedule(rows int) []time.Duration {
	first := 300 * time.Millisecond
	if rows > 500 {
		first = 900 * time.Millisecond
	}
	return []time.Duration{
		first, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		15 * time.Second, 30 * time.Second, time.Minute,
	}
}

// usualAddr is where pombo looks for the API when nothing is set.
const usualAddr = "127.0.0.1:5000"

// freeAddr is the usual address of the API, or any if that is taken.
func freeAddr(ctx context.Context) string {
	l, err := port.Listen(ctx, usualAddr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // it was only to see
	return usualAddr
}

// demo is one demo while it runs.
type demo struct {
	opts      Options
	rows      []sample
	folder    string
	table     *table
	sim       *blipsim.Listener
	receiver  *receiver
	settings  config.Config
	began     time.Time
	doubts    int   // messages of the past that are uncertain
	awaited   int   // rows whose person answers
	unwritten error // why a result could not be written
}

func (d *demo) path(name string) string { return filepath.Join(d.folder, name) }

func (d *demo) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(d.opts.Out, format, args...); err != nil && d.unwritten == nil {
		d.unwritten = fmt.Errorf("write the results: %w", err)
	}
}

// config makes the demo's configuration the way that all are made, so that the
// same checks apply.
func (d *demo) config(addr string) (config.Config, error) {
	c, _, err := config.Load("", []string{
		"KEYBLIP=" + Key,
		"BLIP_URL=" + d.sim.URL,
		"TEMPLATE_NAME=notificacao",
		"BLIP_TIMEOUT=2s",
		"BLIP_MESSAGES_PER_SECOND=0",
		"BLIP_COMMANDS_PER_SECOND=0",
		"DB_URL=sqlite:" + d.path("table.db"),
		"DB_COL_TEMPLATE=NM_TEMPLATE",
		"DB_COL_ERROR=DS_ERRO",
		"DB_COL_REPLY=DS_RESPOSTA",
		"DB_COL_REPLY_AT=DT_RESPOSTA",
		"REPLY_CODES=Confirmar:" + strconv.Itoa(codeConfirmed) + ",Cancelar:" + strconv.Itoa(codeCancelled),
		"STATUS_PENDING=" + strconv.Itoa(codePending),
		"STATUS_SENT=" + strconv.Itoa(codeSent),
		"STATUS_FAILED=" + strconv.Itoa(codeFailed),
		"STATUS_DELIVERED=" + strconv.Itoa(codeDelivered),
		"STATUS_READ=" + strconv.Itoa(codeRead),
		"LEDGER_URL=sqlite:" + d.path("ledger.db"),
		"EVENTS_URL=" + d.receiver.URL,
		"EVENTS_SECRET=" + d.receiver.Secret,
		"API_ADDR=" + addr,
		"DESK_ADDR=127.0.0.1:0",
		"JOB_INTERVAL=5s",
		"UNCERTAIN_WAIT=4s",
		"UNCERTAIN_TEMPLATES=" + heldTemplate + ":hold",
		"LOG_FILE=" + d.path("notificacao.log"),
	}, config.NeedAll)
	return c, err
}

// during is the demo itself: the job calls, the table is watched, and at the end
// the outcomes are counted.
func (d *demo) during(ctx context.Context, url, desk string, log *slog.Logger) error {
	client := api.NewClient(url, "", nil)
	d.printf("The operator's desk, by a link that is good once, for five minutes:\n\n  %s\n\n", desk)
	d.printf("%d rows wait in a sample table. Status codes: %d pending, %d sent, %d failed, %d delivered, %d confirmed, %d cancelled, %d read.\n\n",
		len(d.rows), codePending, codeSent, codeFailed, codeDelivered, codeConfirmed, codeCancelled, codeRead)

	jobCtx, stopJob := context.WithCancel(ctx)
	jobEnded := make(chan struct{})
	caller := job.New(job.Options{Client: client, Interval: d.settings.Job.Interval, Timeout: d.settings.Job.Timeout, Logger: log})
	go func() { // waited for below
		defer close(jobEnded)
		_ = caller.Run(jobCtx) // it is nil
	}()
	defer func() { stopJob(); <-jobEnded }()

	if !d.opts.Once {
		counted := make(chan struct{})
		go func() { // waited for below
			defer close(counted)
			if err := countPast(jobCtx, d.settings); err != nil && jobCtx.Err() == nil {
				log.Warn("the figures of the past come a minute later", "error", err)
			}
		}()
		defer func() { stopJob(); <-counted }()
	}
	if err := d.watch(ctx, client); err != nil {
		return err
	}
	list, err := listAll(ctx, client, d.began)
	if err != nil {
		return err
	}
	d.printf("\n")
	d.printOutcomes(list)
	if err := d.printAnswers(ctx); err != nil {
		return err
	}
	d.printf("\n%d signed events have told the company's system of all this (EVENTS_URL).\n", d.receiver.count())
	if d.opts.Once {
		d.printf("\nWithout --once the demo goes on, so that its pages can be visited.\n")
		return nil
	}
	d.printNextSteps(url, list)
	<-ctx.Done()
	return nil
}

// lateError says that rows have not reached an end.
type lateError struct{ rows, open int }

func (e lateError) Error() string {
	return fmt.Sprintf("%d of %d rows have not reached an end in time", e.open, e.rows)
}

func (lateError) Hint() string { return "see notificacao.log in the folder of the demo" }

// watch shows the progress until every row has reached its end.
func (d *demo) watch(ctx context.Context, client *api.Client) error {
	failing := 0
	for _, r := range d.rows {
		if r.fails {
			failing++
		}
	}
	m := newMeter(d.opts.Out, len(d.rows)-failing, failing)
	defer m.close()
	// On a busy machine all of it takes longer, but something goes on. The longest
	// pause is that of a receipt that was missed 15 seconds after its message.
	const still = 30 * time.Second
	limit := time.NewTimer(still)
	defer limit.Stop()
	var last tally
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		t, err := d.tally(ctx, client)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		}
		m.show(t)
		if t.over() {
			return nil
		}
		if t != last {
			last = t
			limit.Reset(still)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return lateError{rows: len(d.rows), open: t.pending + t.sent}
		}
	}
}

func (d *demo) tally(ctx context.Context, client *api.Client) (tally, error) {
	codes, err := d.table.codes(ctx)
	if err != nil {
		return tally{}, err
	}
	t := tally{
		pending: codes[codePending], sent: codes[codeSent], failed: codes[codeFailed],
		delivered: codes[codeDelivered], read: codes[codeRead], confirmed: codes[codeConfirmed], cancelled: codes[codeCancelled], awaited: d.awaited,
	}
	if _, t.answered, err = d.table.answers(ctx, 1); err != nil {
		return tally{}, err
	}
	if ready, _ := client.Ready(ctx); ready.Backlog != nil { // without it the doubt is not shown for once
		t.doubt = max(0, ready.Backlog.States[pombo.Uncertain]-d.doubts)
	}
	return t, nil
}

// listAll lists every notification of the sample.
func listAll(ctx context.Context, client *api.Client, since time.Time) ([]api.Notification, error) {
	var all []api.Notification
	filter := pombo.Filter{Limit: 1000, Since: since}
	for {
		page, err := client.List(ctx, filter)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Notifications...)
		if page.NextCursor == "" {
			return all, nil
		}
		filter.Cursor = page.NextCursor
	}
}

// printOutcomes prints how many notifications have each state and reason.
func (d *demo) printOutcomes(list []api.Notification) {
	type outcome struct {
		state   pombo.State
		reason  pombo.Reason
		meaning string
	}
	counts := map[outcome]int{}
	for _, n := range list {
		meaning := n.Message
		switch {
		case meaning != "":
		case n.State == pombo.Delivered:
			meaning = "on the handset"
		case n.State == pombo.Read:
			meaning = "opened by the person"
		}
		counts[outcome{n.State, n.Reason, meaning}]++
	}
	order := pombo.States()
	outcomes := slices.SortedFunc(maps.Keys(counts), func(a, b outcome) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.state), slices.Index(order, b.state)), cmp.Compare(a.reason, b.reason))
	})
	columns := tabwriter.NewWriter(d.opts.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(columns, "STATE\tREASON\tROWS\tMEANING") // an error shows in the next printf, too
	for _, o := range outcomes {
		_, _ = fmt.Fprintf(columns, "%s\t%s\t%d\t%s\n", o.state, o.reason, counts[o], o.meaning)
	}
	_ = columns.Flush()
}

// printAnswers prints what the table has of the answers.
func (d *demo) printAnswers(ctx context.Context) error {
	list, n, err := d.table.answers(ctx, 5)
	if err != nil || n == 0 {
		return err
	}
	d.printf("\n%d people have answered; of their rows, as the table has them:\n\n", n)
	columns := tabwriter.NewWriter(d.opts.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(columns, "ID\tCD_STATUS\tDS_RESPOSTA\tDT_RESPOSTA") // an error shows in the next printf, too
	for _, a := range list {
		_, _ = fmt.Fprintf(columns, "%d\t%d\t%s\t%s\n", a.id, a.code, a.text, a.at)
	}
	_ = columns.Flush()
	return nil
}

// printNextSteps says what can be looked at while the demo goes on.
func (d *demo) printNextSteps(url string, list []api.Notification) {
	d.printf(`
Where to look next, while this runs (Ctrl+C ends it and removes its folder):

  what the pretend Blip took   %[1]s/
  readiness, and what waits    %[2]s/readyz
  the API                      %[2]s/openapi.yaml
  metrics                      %[2]s/metrics
  the log                      %[3]s
  the table                    %[4]s
`, d.sim.URL, url, d.path("notificacao.log"), d.path("table.db"))
	command := "pombo"
	if url != "http://"+usualAddr {
		command = "API_URL=" + url + " pombo"
		if runtime.GOOS == "windows" {
			command = "set API_URL=" + url + "&& pombo"
		}
	}
	d.printf("  every notification           %s list\n", command)
	for _, n := range list {
		// The keys of the sample table are the places of its rows, from 1.
		if i, err := strconv.Atoi(n.Row); err == nil && i <= len(d.rows) && d.rows[i-1].doubt {
			d.printf("  one with a story             %s show %s\n", command, n.ID)
			return
		}
	}
}
