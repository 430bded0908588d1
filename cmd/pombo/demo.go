package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/app"
	"pombo/internal/blipsim"
	"pombo/internal/config"
	"pombo/internal/desk"
)

type demoCommand struct {
	Once bool `help:"End by itself when every row has reached its end."`
	Rows int  `default:"40" placeholder:"N" help:"How many rows the sample table has (${default})."`
}

func (demoCommand) Help() string {
	return `A sample table, a pretend Blip, the ledger, the API and the job, in this one process and in a folder that is removed at the end. Among the rows are those that every table has: a bad phone, a landline, a number without WhatsApp, an empty text, a template that does not fit, and messages whose answer is slow, cut off or an error. It reads no .env and no environment, and nothing leaves this machine.

Without --once it goes on after the last row, so that the pages can be visited; Ctrl+C ends it.

Examples:

    pombo demo
    pombo demo --once
    pombo demo --rows 2000`
}

// demoKey has the form of a key of Blip. It opens nothing.
const demoKey = "cG9tYm9kZW1vOm5vdC1hLXNlY3JldA=="

// demoReceipts are the ages at which the demo asks what became of a message; the
// usual ones take three days. With many rows the first question comes when there
// is something to tell.
func demoReceipts(rows int) []time.Duration {
	first := 300 * time.Millisecond
	if rows > 500 {
		first = 900 * time.Millisecond
	}
	return []time.Duration{
		first, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		15 * time.Second, 30 * time.Second, time.Minute,
	}
}

func (c demoCommand) Run(ctx context.Context, s *shell) (err error) {
	const most = 100_000
	if c.Rows < 1 || c.Rows > most {
		return wrongUse(fmt.Errorf("--rows is %d: it must be from 1 to %d", c.Rows, most), "the usual number is 40")
	}
	folder, err := os.MkdirTemp("", "pombo-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() {
		if err != nil && !errors.Is(err, errInterrupted) {
			s.sayf("pombo: what the demo has written is in %s", folder)
			return
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()

	d := &demo{shell: s, once: c.Once, rows: demoRows(c.Rows), folder: folder}
	if d.table, err = createDemoTable(ctx, d.path("table.db"), d.rows); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.table.close()) }()
	d.sim, err = startSimulator(ctx, "127.0.0.1:0", blipsim.Options{
		Scripts: demoScripts(), Latency: 5 * time.Millisecond,
		DispatchedAfter: 150 * time.Millisecond, ReceivedAfter: 700 * time.Millisecond,
		ConsumedAfter: 2500 * time.Millisecond, FailedAfter: 700 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer d.sim.stop()
	if d.settings, err = d.config(freeAddr(ctx)); err != nil {
		return err
	}
	return s.serve(ctx, d.settings, serving{quiet: true, receipts: demoReceipts(c.Rows), during: d.run})
}

// freeAddr is the usual address of the API, or any if that is taken.
func freeAddr(ctx context.Context) string {
	const usual = "127.0.0.1:5000"
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", usual)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // it was only to see
	return usual
}

// demo is one demo while it runs.
type demo struct {
	*shell

	once     bool
	rows     []sample
	folder   string
	table    *demoTable
	sim      *simulator
	settings config.Config
}

func (d *demo) path(name string) string { return filepath.Join(d.folder, name) }

// config makes the demo's configuration the way that all are made, so that the
// same checks apply.
func (d *demo) config(addr string) (config.Config, error) {
	c, _, err := config.Load("", []string{
		"KEYBLIP=" + demoKey,
		"BLIP_URL=" + d.sim.url,
		"TEMPLATE_NAME=notificacao",
		"BLIP_TIMEOUT=2s",
		"BLIP_MESSAGES_PER_SECOND=0",
		"BLIP_COMMANDS_PER_SECOND=0",
		"DB_URL=sqlite:" + d.path("table.db"),
		"DB_COL_TEMPLATE=NM_TEMPLATE",
		"DB_COL_ERROR=DS_ERRO",
		"STATUS_PENDING=" + strconv.Itoa(codePending),
		"STATUS_SENT=" + strconv.Itoa(codeSent),
		"STATUS_FAILED=" + strconv.Itoa(codeFailed),
		"STATUS_DELIVERED=" + strconv.Itoa(codeDelivered),
		"STATUS_READ=" + strconv.Itoa(codeRead),
		"LEDGER_URL=sqlite:" + d.path("ledger.db"),
		"API_ADDR=" + addr,
		"DESK_ADDR=127.0.0.1:0",
		"JOB_INTERVAL=5s",
		"UNCERTAIN_WAIT=4s",
		"LOG_FILE=" + d.path("notificacao.log"),
	}, config.NeedAll)
	return c, err
}

// run is the demo itself: the job calls, the table is watched, and at the end
// the story is told.
func (d *demo) run(ctx context.Context, a *app.App, log *slog.Logger) error {
	address := selfURL(a.Addr())
	client := api.NewClient(address, "", nil)
	if at := a.DeskAddr(); at != "" {
		key, err := app.AuditKey(d.settings)
		if err != nil {
			return err
		}
		d.printf("The operator's desk, by a link that is good once, for five minutes:\n\n  %s%s\n\n", selfURL(at), desk.NewLink(key, machineAccount(), time.Now()))
	}
	d.printf("%d rows wait in a sample table. Status codes: %d pending, %d sent, %d failed, %d delivered, %d read.\n\n",
		len(d.rows), codePending, codeSent, codeFailed, codeDelivered, codeRead)

	jobCtx, stopJob := context.WithCancel(ctx)
	jobEnded := make(chan struct{})
	go func() { // waited for below
		defer close(jobEnded)
		_ = newJob(client, d.settings.Job, log).Run(jobCtx) // it is nil
	}()
	defer func() { stopJob(); <-jobEnded }()

	if err := d.watch(ctx, client); err != nil {
		return err
	}
	list, err := listAll(ctx, client)
	if err != nil {
		return err
	}
	d.printf("\n%s\n", byOutcome(list))
	if d.once {
		d.printf("Without --once the demo goes on, so that its pages can be visited.\n")
		return nil
	}
	d.whereNext(address, list)
	<-ctx.Done()
	return nil
}

// watch shows the progress until every row has reached its end.
func (d *demo) watch(ctx context.Context, client *api.Client) error {
	failing := 0
	for _, r := range d.rows {
		if r.fails {
			failing++
		}
	}
	m := newMeter(d.stdout, len(d.rows)-failing, failing)
	defer m.close()
	// The slowest kind of row takes about ten seconds; a thousand rows more
	// take some of their own.
	limit := time.After(25*time.Second + time.Duration(len(d.rows))*5*time.Millisecond)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		t, err := d.tally(ctx, client)
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil:
			return err
		}
		m.show(t)
		if t.over() {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errInterrupted
		case <-limit:
			return hinted{
				err:  fmt.Errorf("%d of %d rows have not reached an end in time", t.pending+t.sent, len(d.rows)),
				hint: "see notificacao.log in the folder of the demo",
			}
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
		delivered: codes[codeDelivered], read: codes[codeRead],
	}
	if ready, _ := client.Ready(ctx); ready.Backlog != nil { // without it the doubt is not shown for once
		t.doubt = ready.Backlog.States[pombo.Uncertain]
	}
	return t, nil
}

// listAll lists every notification.
func listAll(ctx context.Context, client *api.Client) ([]api.Notification, error) {
	var all []api.Notification
	filter := pombo.Filter{Limit: 1000}
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

// byOutcome counts the notifications by state and reason.
func byOutcome(list []api.Notification) grid {
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
	outcomes := make([]outcome, 0, len(counts))
	for o := range counts {
		outcomes = append(outcomes, o)
	}
	slices.SortFunc(outcomes, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.state), slices.Index(order, b.state)), cmp.Compare(a.reason, b.reason))
	})
	g := newGrid("state", "reason", "rows", "meaning")
	for _, o := range outcomes {
		g.add(string(o.state), string(o.reason), strconv.Itoa(counts[o]), o.meaning)
	}
	return g
}

// whereNext says what can be looked at while the demo goes on.
func (d *demo) whereNext(address string, list []api.Notification) {
	d.printf(`Where to look next, while this runs (Ctrl+C ends it and removes its folder):

  what the pretend Blip took   %[1]s/
  readiness, and what waits    %[2]s/readyz
  the API                      %[2]s/openapi.yaml
  metrics                      %[2]s/metrics
  the log                      %[3]s
  the table                    %[4]s
`, d.sim.url, address, d.path("notificacao.log"), d.path("table.db"))
	command := "pombo"
	if address != "http://127.0.0.1:5000" { // which pombo asks when nothing is set
		command = "API_URL=" + address + " pombo"
		if runtime.GOOS == "windows" {
			command = "set API_URL=" + address + "&& pombo"
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
