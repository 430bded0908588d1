package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jedib0t/go-pretty/v6/table"

	"pombo"
	"pombo/internal/ledger"
)

// The lists are measured on a ledger of ten million notifications. They are written straight
// into the tables; the tables and the lists are Pombo's own.

const (
	listBudget = 100 * time.Millisecond
	// listTries is how often a list is read; the first time does not count.
	listTries = 5
)

// lists measures every list and search on a ledger of n notifications, in a
// SQLite file or in PostgreSQL.
func (b *bench) lists(ctx context.Context, n int, postgres bool) (err error) {
	dir, err := os.MkdirTemp(b.dir, "lists-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	url, err := b.ledgerURL(ctx, dir, scenario{postgres: postgres})
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := fillLedger(ctx, url, n); err != nil {
		return fmt.Errorf("fill the ledger: %w", err)
	}
	fmt.Printf("%s in %s: written in %s\n", millions(n), storeOf(postgres), time.Since(begun).Round(time.Second))
	if err := printLists(ctx, url, n, storeOf(postgres)); err != nil {
		return err
	}
	return printFigures(ctx, url, n, storeOf(postgres))
}

func storeOf(postgres bool) string {
	if postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}

// printLists prints how long each list takes, warm.
func printLists(ctx context.Context, url string, n int, store string) (err error) {
	// Not exclusively: that would take what is in flight from its owner.
	db, err := ledger.Open(ctx, ledger.Options{URL: url})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.AppendHeader(table.Row{"list of " + millions(n) + " on " + store, "found", "median ms", "slowest ms", "CPU ms of this process", "budget ms"})
	for _, l := range listsOf(n) {
		var found int
		var took []time.Duration
		var cpu time.Duration
		for i := range listTries + 1 {
			start, used := time.Now(), ownCPU()
			page, err := db.History.List(ctx, l.filter)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			if found = len(page.Notifications); i > 0 {
				took, cpu = append(took, time.Since(start)), cpu+ownCPU()-used
			}
		}
		slices.Sort(took)
		budget := strconv.FormatInt(listBudget.Milliseconds(), 10)
		if took[len(took)/2] > listBudget {
			budget += " MISSED"
		}
		out.AppendRow(table.Row{l.name, found, inMillis(took[len(took)/2]), inMillis(took[len(took)-1]), inMillis(cpu / listTries), budget})
	}
	out.RenderMarkdown()
	fmt.Println()
	return nil
}

func inMillis(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

type namedFilter struct {
	name   string
	filter pombo.Filter
}

// listsOf names the filters that people and programs use, and those that find nothing or
// little, which are the slow ones.
func listsOf(n int) []namedFilter {
	middle := n / 2
	id := string(listKey(middle).MessageID())
	number := "+" + strconv.FormatInt(listPhone(middle), 10)
	recent := listTime(n, n-n/100)
	list := []namedFilter{
		{"all", pombo.Filter{}},
		{"all, 1,000 at once", pombo.Filter{Limit: 1000}},
		{"cursor in the middle", pombo.Filter{Cursor: strconv.FormatInt(int64(middle), 36)}},
	}
	for _, s := range pombo.States() {
		list = append(list, namedFilter{"state " + string(s), pombo.Filter{State: s}})
	}
	return append(
		list,
		namedFilter{"state failed, cursor in the middle", pombo.Filter{State: pombo.Failed, Cursor: strconv.FormatInt(int64(middle), 36)}},
		namedFilter{"state dispatched, cursor in the middle", pombo.Filter{State: pombo.Dispatched, Cursor: strconv.FormatInt(int64(middle), 36)}},
		namedFilter{"phone", pombo.Filter{Phone: number}},
		namedFilter{"phone of nobody", pombo.Filter{Phone: "+5511900000000"}},
		namedFilter{"phone and state", pombo.Filter{Phone: number, State: pombo.Read}},
		namedFilter{"q: row key", pombo.Filter{Text: listKey(middle).RowKey}},
		namedFilter{"q: row key that does not exist", pombo.Filter{Text: "no such row"}},
		namedFilter{"q: start of 1,000 row keys", pombo.Filter{Text: listKey(middle).RowKey[:6]}},
		namedFilter{"q: start of 1,000 row keys, and state", pombo.Filter{Text: listKey(middle).RowKey[:6], State: pombo.Failed}},
		namedFilter{"q: start of all row keys", pombo.Filter{Text: "K"}},
		namedFilter{"q: start of 1,000,000 row keys", pombo.Filter{Text: "K01"}},
		namedFilter{"q: id", pombo.Filter{Text: id}},
		namedFilter{"q: id of none", pombo.Filter{Text: string(pombo.Key{Source: "other", RowKey: "1", Generation: 1}.MessageID())}},
		namedFilter{"q: eight digits of an id", pombo.Filter{Text: id[:8]}},
		namedFilter{"q: four digits of an id", pombo.Filter{Text: id[:4]}},
		namedFilter{"run", pombo.Filter{Run: 1}},
		namedFilter{"run and state", pombo.Filter{Run: 1, State: pombo.Dispatched}},
		namedFilter{"since", pombo.Filter{Since: recent}},
		namedFilter{"since and state failed", pombo.Filter{Since: recent, State: pombo.Failed}},
		namedFilter{"since and state dispatched", pombo.Filter{Since: recent, State: pombo.Dispatched}},
		namedFilter{"since, phone, state and q", pombo.Filter{Since: recent, Phone: number, State: pombo.Read, Text: listKey(middle).RowKey}},
	)
}

func listKey(i int) pombo.Key {
	return pombo.Key{Source: "notificacao", RowKey: fmt.Sprintf("K%08d", i), Generation: 1}
}

func listPhone(i int) int64 { return 55_31_9_8000_0000 + int64(i)*7919%4_000_000 }

// listTime is when notification i of n was taken in: a week for all of them.
func listTime(n, i int) time.Time {
	const week = 7 * 24 * time.Hour
	return time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC).Add(week / time.Duration(n) * time.Duration(i))
}

var listColumns = []string{
	"state", "attempt", "tries", "priority", "lane", "not_before", "owner", "settle_at", "settled", "poll_at",
	"run", "created", "generation", "id", "phone", "source", "row_key", "message", "history",
}

// listRow is notification i of n: nearly all were read, one in a hundred failed, some ended
// otherwise, and the newest are open. None is dispatched, so that a search for that finds
// nothing.
func listRow(n, i int) []any {
	state := pombo.Read
	var lane, notBefore, owner, settle, poll, run any
	at := listTime(n, i)
	switch {
	case i > n-5000:
		state, lane, notBefore = pombo.Queued, i%10, at.UnixMilli()
	case i > n-5256:
		state, owner = pombo.Claimed, "bench"
	case i > n-5320:
		state, owner = pombo.Sending, "bench"
	case i > n-10000:
		state, poll = pombo.Accepted, at.UnixMilli()
	case i%50_000 == 0:
		state, lane, notBefore = pombo.Uncertain, 10, at.UnixMilli()
	case i%100 == 0:
		state, lane = pombo.Failed, 11
	case i%1001 == 0:
		state, lane = pombo.Cancelled, 12
	case i%10_007 == 0:
		state, lane = pombo.Expired, 13
	case i%10_009 == 0:
		state, lane = pombo.Suppressed, 14
	case i%3 == 0:
		state = pombo.Delivered
	}
	if i <= 100_000 {
		run = 1
	}
	key := listKey(i)
	id := key.MessageID()
	var word [8]byte
	_, _ = hex.Decode(word[:], []byte(string(id[:8])+string(id[9:13])+string(id[14:18])))
	ms := strconv.FormatInt(at.UnixMilli(), 10)
	history := "[" + ms + `,"queued",0]`
	if state != pombo.Queued {
		history += "[" + ms + `,"claimed",0]`
	}
	if state != pombo.Queued && state != pombo.Claimed {
		history += "[" + ms + `,"sending",1][` + ms + `,"` + string(state) + `",1]`
	}
	phone := listPhone(i)
	message := `["` + strconv.FormatInt(phone, 10) + `","","","body","Maria","body","Sua consulta foi confirmada para amanhã às 10 horas."]`
	return []any{
		string(state), 1, 1, 0, lane, notBefore, owner, settle, "2", poll,
		run, at.UnixMilli(), 1, int64(binary.BigEndian.Uint64(word[:])), phone, key.Source, key.RowKey, message, history,
	}
}

// fillLedger makes a ledger with n notifications.
func fillLedger(ctx context.Context, url string, n int) error {
	if _, _, err := ledger.Migrate(ctx, url); err != nil {
		return err
	}
	if path, is := strings.CutPrefix(url, "sqlite:"); is {
		return fillSQLite(ctx, path, n)
	}
	return fillPostgres(ctx, url, n)
}

// A run that took in the first rows.
const listRun = `INSERT INTO run (id, started, finished, taking, error, first_seq, last_seq) VALUES (1, 1, 2, 0, '', 1, 100000)`

func fillSQLite(ctx context.Context, path string, n int) (err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=synchronous(off)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	made, err := sqliteIndexes(ctx, db)
	if err != nil {
		return err
	}
	for name := range made {
		if _, err := db.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return err
		}
	}
	const chunk = 200_000
	for from := 1; from <= n; from += chunk {
		if err := insertSQLite(ctx, db, n, from, min(from+chunk-1, n)); err != nil {
			return err
		}
	}
	for _, statement := range append(slices.Collect(maps.Values(made)), listRun, "PRAGMA wal_checkpoint(TRUNCATE)") {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// insertSQLite adds the rows from … to, many with each statement.
func insertSQLite(ctx context.Context, db *sql.DB, n, from, to int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	const together = 100
	row := "(?" + strings.Repeat(", ?", len(listColumns)-1) + ")"
	text := func(rows int) string {
		return "INSERT INTO notification (" + strings.Join(listColumns, ", ") + ") VALUES " + row + strings.Repeat(", "+row, rows-1)
	}
	insert, err := tx.PrepareContext(ctx, text(together))
	if err != nil {
		return err
	}
	defer insert.Close()
	args := make([]any, 0, together*len(listColumns))
	for i := from; i <= to; i++ {
		switch args = append(args, listRow(n, i)...); {
		case len(args) == cap(args):
			_, err = insert.ExecContext(ctx, args...)
		case i == to:
			_, err = tx.ExecContext(ctx, text(len(args)/len(listColumns)), args...)
		default:
			continue
		}
		if err != nil {
			return err
		}
		args = args[:0]
	}
	return tx.Commit()
}

// sqliteIndexes returns the definitions of the notifications' indexes by name.
func sqliteIndexes(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'notification' AND sql IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	made := map[string]string{}
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return nil, err
		}
		made[name] = definition
	}
	return made, rows.Err()
}

func fillPostgres(ctx context.Context, url string, n int) error {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	rows, err := db.Query(ctx, `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'notification' AND indexname <> 'notification_pkey'`)
	if err != nil {
		return err
	}
	type index struct{ Name, Definition string }
	made, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return err
	}
	for _, i := range made {
		if _, err := db.Exec(ctx, "DROP INDEX "+i.Name); err != nil {
			return err
		}
	}
	next := 0
	_, err = db.CopyFrom(ctx, pgx.Identifier{"notification"}, listColumns, pgx.CopyFromFunc(func() ([]any, error) {
		if next++; next > n {
			return nil, nil // the end
		}
		return listRow(n, next), nil
	}))
	if err != nil {
		return err
	}
	statements := []string{"SET maintenance_work_mem = '512MB'"}
	for _, i := range made {
		statements = append(statements, i.Definition)
	}
	statements = append(statements, strings.Replace(listRun, ") VALUES", ") OVERRIDING SYSTEM VALUE VALUES", 1), "VACUUM ANALYZE notification")
	for _, statement := range statements {
		if _, err := db.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
