package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/postgrestest"
)

// TestReplicas_DeliverOnceWhileOneIsKilled has three servers deliver the rows of an
// Oracle table over one ledger in PostgreSQL, and kills the one that takes in
// in the middle of it.
func TestReplicas_DeliverOnceWhileOneIsKilled(t *testing.T) {
	nightly.Only(t) // by day the chaos run kills one of two, and app has three that deliver
	t.Parallel()    // it waits for leases half of the time
	const rows = 20_000
	database, look := sharedLedger(t)
	d := deliver(t, 3, rows, database)
	d.sent(t, rows/4)
	var killed *replica
	taking := func() (pid string, err error) {
		var owner string
		err = look.QueryRow(t.Context(), `SELECT owner FROM duty WHERE name = 'intake' AND until > extract(epoch FROM clock_timestamp()) * 1000`).Scan(&owner)
		if fields := strings.Split(owner, ":"); len(fields) == 3 {
			pid = fields[1]
		}
		return pid, err
	}
	if err := waitFor(time.Minute, func() (bool, error) {
		pid, err := taking()
		for _, r := range d.replicas {
			if r.pid() == pid {
				killed = r
			}
		}
		return killed != nil, errors.Join(err, fmt.Errorf("process %s takes in", pid))
	}); err != nil {
		d.fail(t, err)
	}
	dead := killed.pid()
	killed.kill(t)
	start, sent := time.Now(), d.sim.Counts().Messages
	if sent == rows {
		t.Fatal("it was killed too late to prove anything")
	}
	if err := waitFor(time.Minute, func() (bool, error) {
		pid, err := taking()
		return err == nil && pid != dead, errors.Join(err, fmt.Errorf("process %s takes in", pid))
	}); err != nil {
		d.fail(t, fmt.Errorf("nobody takes over intake: %w", err))
	}
	t.Logf("killed after %d messages; intake was taken over after %s", sent, time.Since(start).Round(time.Millisecond))
	killed.begin(t)

	d.settled(t)
	d.eachOnce(t, database)
}

// sharedLedger returns the URL of a migrated ledger in a PostgreSQL of its own, and a
// connection to look into it.
func sharedLedger(t *testing.T) (url string, look *pgx.Conn) {
	t.Helper()
	url = postgrestest.Start(t, postgrestest.Options{}).Database(t)
	if _, _, err := ledger.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	look, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = look.Close(context.Background()) })
	return url, look
}

// delivery is servers that deliver the rows of a table over one ledger.
type delivery struct {
	rows     int
	sim      *blipsim.Server
	table    *oracletest.Table
	replicas []*replica
}

// deliver starts n servers. The latency of Blip keeps some messages on their way at
// any instant.
func deliver(t *testing.T, n, rows int, ledger string, settings ...string) *delivery {
	t.Helper()
	d := &delivery{rows: rows, sim: blipsim.New(blipsim.Options{Latency: 20 * time.Millisecond})}
	oracle, table := oracleTable(t, rows)
	d.table = table
	t.Cleanup(d.sim.Close)
	blip := httptest.NewServer(d.sim)
	t.Cleanup(blip.Close)
	d.replicas = startReplicas(t, n, ledger, oracle, blip.URL, settings...)
	return d
}

// insert puts n pending rows more into the table.
func (d *delivery) insert(t *testing.T, n int) {
	t.Helper()
	if err := d.table.Insert(pendingRows(d.rows, n)...); err != nil {
		t.Fatal(err)
	}
	d.rows += n
}

func (d *delivery) fail(t *testing.T, err error) {
	t.Helper()
	for _, r := range d.replicas {
		t.Log(r.output())
	}
	t.Fatal(err)
}

// sent waits until Blip has taken so many messages.
func (d *delivery) sent(t *testing.T, n int) {
	t.Helper()
	if err := waitFor(2*time.Minute, func() (bool, error) {
		have := d.sim.Counts().Messages
		return have >= int64(n), fmt.Errorf("%d messages", have)
	}); err != nil {
		d.fail(t, err)
	}
}

// settled waits until the table says of every row that it was sent.
func (d *delivery) settled(t *testing.T) {
	t.Helper()
	settled := 0 // rows from the first on
	if err := waitFor(4*time.Minute, func() (bool, error) {
		for settled < d.rows {
			if row, _ := d.table.Row(settled + 1); row["CD_STATUS"] != "2" {
				break
			}
			settled++
		}
		return settled == d.rows, fmt.Errorf("%d rows at 2, %+v", settled, d.sim.Counts())
	}); err != nil {
		d.fail(t, err)
	}
}

// eachOnce sees that nothing is open in the ledger and that Blip has taken one message
// for each row. It ends the servers.
func (d *delivery) eachOnce(t *testing.T, ledger string) {
	t.Helper()
	look, err := pgx.Connect(t.Context(), ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = look.Close(context.Background()) }()
	var all, open int
	var lost bool // then it may not know of what was sent and settled
	if err := look.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE state IN ('queued', 'claimed', 'sending', 'uncertain')),
		(SELECT noticed IS NOT NULL FROM lineage) FROM notification`).Scan(&all, &open, &lost); err != nil {
		t.Fatal(err)
	}
	if all != d.rows && !lost || open != 0 {
		t.Errorf("the ledger has %d notifications, %d of them open; want %d and none", all, open, d.rows)
	}
	for _, r := range d.replicas {
		r.kill(t)
	}
	if c := d.sim.Counts(); c.Messages != int64(d.rows) || c.IDs != int64(d.rows) || c.Doubled != 0 {
		t.Errorf("%d messages with %d ids, %d of them doubled; want %d, each once", c.Messages, c.IDs, c.Doubled, d.rows)
		d.tell(t, look)
	}
}

// tell logs what the ledger and the servers know of the first rows that have no message
// or several.
func (d *delivery) tell(t *testing.T, look *pgx.Conn) {
	t.Helper()
	sent, told := d.sim.Deliveries(), 0
	for row := 1; row <= d.rows && told < 3; row++ {
		key := pombo.Key{Source: "notificacao", RowKey: strconv.Itoa(row), Generation: 1}
		n := sent[string(key.MessageID())]
		if n == 1 {
			continue
		}
		told++
		var knows string
		if err := look.QueryRow(t.Context(), `SELECT coalesce(string_agg(seq || ' ' || source || ' ' || state || ' ' || history, '; '), 'nothing') FROM notification WHERE row_key = $1`, key.RowKey).Scan(&knows); err != nil {
			knows = err.Error()
		}
		t.Logf("row %s (%s): %d messages; the ledger knows %s", key.RowKey, key.MessageID(), n, knows)
		for i, r := range d.replicas {
			for line := range strings.Lines(r.out.String()) {
				if strings.Contains(line, string(key.MessageID())) {
					t.Logf("server %d: %s", i+1, strings.TrimSpace(line))
				}
			}
		}
	}
}

// startReplicas starts servers over one ledger, of which none sends before all are
// ready: then they share the work, and none has to get ready on a machine that the
// others keep busy.
func startReplicas(t *testing.T, n int, ledger, oracle, blip string, settings ...string) []*replica {
	t.Helper()
	var replicas []*replica
	for range n {
		addr, err := unusedAddr()
		if err != nil {
			t.Fatal(err)
		}
		r := &replica{client: api.NewClient("http://"+addr, "", nil)}
		r.folder, r.environ = t.TempDir(), []string{
			"KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL=" + blip, "TEMPLATE_NAME=notificacao",
			"BLIP_MESSAGES_PER_SECOND=0", "BLIP_COMMANDS_PER_SECOND=0", "POLL_INTERVAL=1s", "BLIP_TIMEOUT=5s", "UNCERTAIN_WAIT=5s",
			"DB_URL=oracle://pombo:s3nha@" + oracle + "/ERP", "LEDGER_URL=" + ledger, "LOG_FILE=-", "API_ADDR=" + addr, "DESK_ADDR=-",
		}
		r.environ = append(r.environ, settings...) // of two, the last one counts
		r.start(t, r.client)
		replicas = append(replicas, r)
		if len(replicas) == 1 {
			if _, err := r.client.Pause(t.Context(), time.Time{}, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := replicas[0].client.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	return replicas
}

type replica struct {
	subprocess

	client *api.Client
}

func (r *replica) pid() string { return strconv.Itoa(r.command.Process.Pid) }

// oracleTable starts an Oracle with n pending rows in the table of the seed, and
// returns its address.
func oracleTable(t *testing.T, n int) (string, *oracletest.Table) {
	t.Helper()
	d, err := oracletest.Start(oracletest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	table, err := d.NewTable("NOTIFICACAO", "ID NUMBER(19) PRIMARY KEY", "NR_TELEFONE VARCHAR2(30)", "NM_CONTATO VARCHAR2(200)", "DS_MENSAGEM VARCHAR2(1024)", "CD_STATUS NUMBER(2) NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Insert(pendingRows(0, n)...); err != nil {
		t.Fatal(err)
	}
	return d.Addr(), table
}

// pendingRows returns n rows after the first ones.
func pendingRows(first, n int) []oracletest.Row {
	rows := make([]oracletest.Row, n)
	for k := range rows {
		i := first + k
		rows[k] = oracletest.Row{
			"ID": i + 1, "NR_TELEFONE": fmt.Sprintf("(31) 9%04d-%04d", 9100+i/9000, 1000+i%9000),
			"NM_CONTATO": "Maria", "DS_MENSAGEM": "seu exame está pronto", "CD_STATUS": 1,
		}
	}
	return rows
}
