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

	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/internal/ledger"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/postgrestest"
)

// TestReplicasDeliverOnceWhileOneIsKilled has three servers deliver the rows of an
// Oracle table over one ledger in PostgreSQL, and kills the one that takes in
// in the middle of it.
func TestReplicasDeliverOnceWhileOneIsKilled(t *testing.T) {
	t.Parallel() // it waits for leases half of the time
	rows := nightly.Or(20_000, 4_000)
	database := postgrestest.Start(t, postgrestest.Options{}).Database(t)
	if _, _, err := ledger.Migrate(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	look, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = look.Close(context.Background()) })
	oracle, table := oracleTable(t, rows)
	// The latency keeps some messages on their way at any instant.
	sim := blipsim.New(blipsim.Options{Latency: 20 * time.Millisecond})
	t.Cleanup(sim.Close)
	blip := httptest.NewServer(sim)
	t.Cleanup(blip.Close)

	replicas := startReplicas(t, 3, database, oracle, blip.URL)
	fail := func(err error) {
		t.Helper()
		for _, r := range replicas {
			t.Log(r.output())
		}
		t.Fatal(err)
	}

	if err := waitFor(2*time.Minute, func() (bool, error) {
		n := sim.Counts().Messages
		return n >= int64(rows/4), fmt.Errorf("%d messages", n)
	}); err != nil {
		fail(err)
	}
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
		for _, r := range replicas {
			if r.pid() == pid {
				killed = r
			}
		}
		return killed != nil, errors.Join(err, fmt.Errorf("process %s takes in", pid))
	}); err != nil {
		fail(err)
	}
	dead := killed.pid()
	killed.kill(t)
	start, sent := time.Now(), sim.Counts().Messages
	if sent == int64(rows) {
		t.Fatal("it was killed too late to prove anything")
	}
	if err := waitFor(time.Minute, func() (bool, error) {
		pid, err := taking()
		return err == nil && pid != dead, errors.Join(err, fmt.Errorf("process %s takes in", pid))
	}); err != nil {
		fail(fmt.Errorf("nobody takes over intake: %w", err))
	}
	t.Logf("killed after %d messages; intake was taken over after %s", sent, time.Since(start).Round(time.Millisecond))
	killed.begin(t)

	settled := 0 // rows from the first on
	if err := waitFor(4*time.Minute, func() (bool, error) {
		for settled < rows {
			if row, _ := table.Row(settled + 1); row["CD_STATUS"] != "2" {
				break
			}
			settled++
		}
		return settled == rows, fmt.Errorf("%d rows at 2, %+v", settled, sim.Counts())
	}); err != nil {
		fail(err)
	}
	var all, open int
	if err := look.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE state IN ('queued', 'claimed', 'sending', 'uncertain')) FROM notification`).Scan(&all, &open); err != nil {
		t.Fatal(err)
	}
	if all != rows || open != 0 {
		t.Errorf("the ledger has %d notifications, %d of them open; want %d and none", all, open, rows)
	}
	for _, r := range replicas {
		r.kill(t)
	}
	if c := sim.Counts(); c.Messages != int64(rows) || c.IDs != int64(rows) || c.Doubled != 0 {
		t.Errorf("%d messages with %d ids, %d of them doubled; want %d, each once", c.Messages, c.IDs, c.Doubled, rows)
	}
}

// startReplicas starts servers over one ledger, of which none sends before all are
// ready: then they share the work, and none has to get ready on a machine that the
// others keep busy.
func startReplicas(t *testing.T, n int, ledger, oracle, blip string) []*replica {
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
			"DB_URL=oracle://pombo:s3nha@" + oracle + "/ERP", "LEDGER_URL=" + ledger, "LOG_FILE=-", "API_ADDR=" + addr,
		}
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
	rows := make([]oracletest.Row, n)
	for i := range rows {
		rows[i] = oracletest.Row{
			"ID": i + 1, "NR_TELEFONE": fmt.Sprintf("(31) 9%04d-%04d", 9100+i/9000, 1000+i%9000),
			"NM_CONTATO": "Maria", "DS_MENSAGEM": "seu exame está pronto", "CD_STATUS": 1,
		}
	}
	if err := table.Insert(rows...); err != nil {
		t.Fatal(err)
	}
	return d.Addr(), table
}
