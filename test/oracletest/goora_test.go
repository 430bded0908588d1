package oracletest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	go_ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/network"
	"go.uber.org/goleak"

	"pombo/test/oracletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// start starts a double and ends it with the test.
func start(t testing.TB, o oracletest.Options) *oracletest.Double {
	t.Helper()
	d, err := oracletest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func hostPort(t testing.TB, d *oracletest.Double) (string, int) {
	t.Helper()
	host, p, err := net.SplitHostPort(d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// quick are options of go-ora that save the statements it runs at each login.
func quick() map[string]string {
	return map[string]string{"SERVER LOCATION": "America/Sao_Paulo", "LANGUAGE": "PORTUGUESE", "TERRITORY": "BRAZIL", "PREFETCH_ROWS": "500"}
}

// connect opens a pool of one connection to the double's account.
func connect(t testing.TB, d *oracletest.Double, options map[string]string) *sql.DB {
	t.Helper()
	host, port := hostPort(t, d)
	return connectURL(t, go_ora.BuildUrl(host, port, "ERP", "pombo", "s3nha", options))
}

func connectURL(t testing.TB, url string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(go_ora.NewConnector(url))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// watcher is a connection to the double that signals when the driver waits for an answer, and
// cancels what it waits for. go-ora's own cancelling races with its reading.
type watcher struct {
	waits chan struct{}
	line  net.Conn // the last one
}

func (w *watcher) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	w.line = c
	return watched{c, w}, err
}

// interrupt is what a client sends to cancel, in the form from TNS 315 on.
func (w *watcher) interrupt(t testing.TB) {
	t.Helper()
	if _, err := w.line.Write([]byte{0, 0, 0, 11, 12, 0, 0, 0, 1, 0, 3}); err != nil {
		t.Error(err)
	}
}

type watched struct {
	net.Conn
	w *watcher
}

func (c watched) Read(b []byte) (int, error) {
	select {
	case c.w.waits <- struct{}{}:
	default:
	}
	return c.Conn.Read(b)
}

// connectWatched is connect, logged on, and the way. Its waits tell when the next
// call waits for its answer.
func connectWatched(t testing.TB, d *oracletest.Double) (*sql.DB, *watcher) {
	t.Helper()
	host, port := hostPort(t, d)
	w := &watcher{waits: make(chan struct{}, 1)}
	c := go_ora.NewConnector(go_ora.BuildUrl(host, port, "ERP", "pombo", "s3nha", quick())).(*go_ora.OracleConnector)
	c.Dialer(w)
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.waits: // of the login
	default:
	}
	return db, w
}

// table makes a table of n pending rows.
func table(t testing.TB, d *oracletest.Double, n int) *oracletest.Table {
	t.Helper()
	made, err := d.NewTable("NOTIFICACAO",
		"ID NUMBER(19) PRIMARY KEY", "NR_TELEFONE VARCHAR2(20)", "DS_MENSAGEM CLOB", "CD_STATUS NUMBER(1) NOT NULL", "CD_MENSAGEM VARCHAR2(36)", "DT_ENVIADA DATE", "DS_ERRO VARCHAR2(20)")
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]oracletest.Row, n)
	for i := range rows {
		rows[i] = oracletest.Row{"ID": i + 1, "NR_TELEFONE": fmt.Sprintf("(31) 98888-%04d", i+1), "DS_MENSAGEM": fmt.Sprintf("Olá, João %d", i+1), "CD_STATUS": 1}
	}
	if err := made.Insert(rows...); err != nil {
		t.Fatal(err)
	}
	return made
}

const (
	pageSQL   = "SELECT ID, NR_TELEFONE FROM (SELECT ID, NR_TELEFONE FROM NOTIFICACAO WHERE CD_STATUS = :1 AND ID > :2 ORDER BY ID) WHERE ROWNUM <= :3"
	statusSQL = "UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2 AND CD_STATUS = :3"
)

// ora returns the code of an ORA error, 0 for none and -1 for another error.
func ora(err error) int {
	var e *network.OracleError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.ErrCode
	default:
		return -1
	}
}

func wantORA(t testing.TB, what string, err error, want int) {
	t.Helper()
	if got := ora(err); got != want {
		t.Errorf("%s: ORA code %d (%v), want %d", what, got, err, want)
	}
}

func wantSteps(t testing.TB, d *oracletest.Double, what string, want ...oracletest.Step) {
	t.Helper()
	var got []oracletest.Step
	for _, c := range d.Calls() {
		got = append(got, c.Step)
	}
	if !slices.Equal(got, want) {
		t.Errorf("round trips of %s = %q, want %q", what, got, want)
	}
	d.Forget()
}

func wantColumn(t testing.TB, table *oracletest.Table, key any, column string, want any) {
	t.Helper()
	row, ok := table.Row(key)
	if !ok {
		t.Errorf("there is no row %v", key)
	} else if row[column] != want {
		t.Errorf("%s of row %v = %q, want %q", column, key, row[column], want)
	}
}

// statusOf reads a row as a session does.
func statusOf(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, id int) (int, error) {
	var status int
	err := q.QueryRowContext(ctx, "SELECT CD_STATUS FROM NOTIFICACAO WHERE ID = :1", id).Scan(&status)
	return status, err
}
