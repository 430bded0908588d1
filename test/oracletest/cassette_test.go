package oracletest_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"flag"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	go_ora "github.com/sijms/go-ora/v2"

	"pombo/test/oracletest"
)

var update = flag.Bool("update", false, "record the cassettes of the double again")

const (
	cassettes = "testdata/cassettes"

	cassetteTable   = "POMBO_FITA"
	cassetteRefused = 3 // the row that the company's trigger refuses
)

// recite says to a server, through a recorder, what every cassette has: a login, rows
// in several fetches, errors, arrays of changes with and without one that is refused,
// settings, a transaction that is rolled back. It is all that a replay compares, so a
// cassette of a real server has to be recorded again when it changes.
func recite(t *testing.T, url string) {
	t.Helper()
	ctx := t.Context()
	db := sql.OpenDB(go_ora.NewConnector(url))
	db.SetMaxOpenConns(1)
	defer func() { _ = db.Close() }()
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "ALTER SESSION SET NLS_SORT = BINARY NLS_COMP = BINARY"); err != nil {
		t.Error(err)
	}
	read := func() (n int) {
		rows, err := db.QueryContext(ctx, "SELECT ID, CD_STATUS, NM_CONTATO FROM "+cassetteTable+" ORDER BY ID")
		if err != nil {
			t.Error(err)
			return 0
		}
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
		_ = rows.Close()
		return n
	}
	if n := read(); n != 8 {
		t.Errorf("%d rows, want 8", n)
	}
	_, err := db.ExecContext(ctx, "UPDATE NADA SET CD_STATUS = 1")
	wantORA(t, "a table that is not there", err, 942)
	const set = "UPDATE " + cassetteTable + " SET CD_STATUS = :1 WHERE ID = :2"
	if _, err := db.ExecContext(ctx, set, []int{5, 5}, []int{1, 2}); err != nil {
		t.Errorf("an array: %v", err)
	}
	if _, err := db.ExecContext(ctx, set, []int{6, 6, 6}, []int{1, cassetteRefused, 2}); err == nil {
		t.Error("an array with a row that is refused: no error")
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, set, 7, 1); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

// recordDouble recites to a double and returns the cassette.
func recordDouble(t *testing.T, v oracletest.Version) []byte {
	t.Helper()
	d := start(t, oracletest.Options{Version: v})
	made, err := d.NewTable(cassetteTable, "ID NUMBER(19) PRIMARY KEY", "CD_STATUS NUMBER(3) NOT NULL", "NM_CONTATO VARCHAR2(20)")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		if err := made.Insert(oracletest.Row{"ID": i + 1, "CD_STATUS": 1, "NM_CONTATO": "contato " + strconv.Itoa(i/3)}); err != nil {
			t.Fatal(err)
		}
	}
	made.BeforeUpdate(func(before, _ oracletest.Row) error {
		if before["ID"] == strconv.Itoa(cassetteRefused) {
			return oracletest.Errorf(20001, "refused")
		}
		return nil
	})
	return record(t, d.Addr(), "ERP", "pombo", "s3nha")
}

func record(t *testing.T, target, service, user, password string) []byte {
	t.Helper()
	var out bytes.Buffer
	r, err := oracletest.Record("127.0.0.1:0", target, &out)
	if err != nil {
		t.Fatal(err)
	}
	options := quick()
	options["PREFETCH_ROWS"] = "3"
	host, p, _ := strings.Cut(r.Addr(), ":")
	port, _ := strconv.Atoi(p)
	recite(t, go_ora.BuildUrl(host, port, service, user, password, options))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func replies(t *testing.T, cassette []byte) [][]string {
	t.Helper()
	packets, err := oracletest.ReadCassette(bytes.NewReader(cassette))
	if err != nil {
		t.Fatal(err)
	}
	said, err := oracletest.Replies(packets)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// The double answers as the server of each cassette did, reply by reply. A cassette's
// name ends in the release. Those named double-… were made from the double itself: no
// recording of a real server is there yet, so they show that nothing has changed, and
// not that it is right. The workflow oracle records real ones.
func TestOracle_Cassettes(t *testing.T) {
	if *update {
		for release, v := range map[string]oracletest.Version{"11": oracletest.Oracle11, "19": oracletest.Oracle19, "21": oracletest.Oracle21} {
			if err := os.WriteFile(filepath.Join(cassettes, "double-"+release+".jsonl"), recordDouble(t, v), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(cassettes, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cassettes: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			release, err := strconv.Atoi(name[strings.LastIndex(name, "-")+1:])
			if err != nil {
				t.Fatal("the name does not end in a release")
			}
			if strings.HasPrefix(name, "double-") {
				t.Log("made from the double itself, not from a server")
			}
			version := oracletest.Oracle21
			switch {
			case release < 11:
				version = oracletest.Oracle10
			case release < 12:
				version = oracletest.Oracle11
			case release < 18:
				version = oracletest.Oracle12
			case release < 21:
				version = oracletest.Oracle19
			}
			cassette, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := replies(t, cassette)
			for _, line := range want {
				for _, reply := range line {
					if strings.Contains(reply, "?") {
						t.Errorf("a reply that is not understood: %s", reply)
					}
				}
			}
			if diff := cmp.Diff(want, replies(t, recordDouble(t, version))); diff != "" {
				t.Errorf("replies (-cassette +double):\n%s", diff)
			}
		})
	}
}

// A cassette of a real server, into the folder that ORACLE_CASSETTES names.
func TestOracle_RealCassette(t *testing.T) {
	address, folder := os.Getenv("ORACLE_TEST_DSN"), os.Getenv("ORACLE_CASSETTES")
	if address == "" {
		t.Skip("ORACLE_TEST_DSN names no real Oracle; the cassettes are made from the double")
	}
	if folder == "" {
		t.Skip("ORACLE_CASSETTES names no folder for the cassette")
	}
	ctx := t.Context()
	owner := sql.OpenDB(go_ora.NewConnector(address))
	defer func() { _ = owner.Close() }()
	drop := func() { _, _ = owner.ExecContext(context.WithoutCancel(ctx), "DROP TABLE "+cassetteTable+" PURGE") } // there may be none
	drop()
	defer drop()
	for _, text := range []string{
		"CREATE TABLE " + cassetteTable + " (ID NUMBER(19) PRIMARY KEY, CD_STATUS NUMBER(3) NOT NULL, NM_CONTATO VARCHAR2(20))",
		"INSERT INTO " + cassetteTable + " SELECT LEVEL, 1, 'contato ' || TRUNC((LEVEL - 1) / 3) FROM DUAL CONNECT BY LEVEL <= 8",
		"CREATE TRIGGER POMBO_FITA_TRG BEFORE UPDATE ON " + cassetteTable + " FOR EACH ROW BEGIN IF :OLD.ID = " + strconv.Itoa(cassetteRefused) + " THEN RAISE_APPLICATION_ERROR(-20001, 'refused'); END IF; END;",
	} {
		if _, err := owner.ExecContext(ctx, text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	var release string
	if err := owner.QueryRowContext(ctx, "SELECT REGEXP_SUBSTR(VERSION, '^[0-9]+') FROM PRODUCT_COMPONENT_VERSION WHERE PRODUCT LIKE 'Oracle%' AND ROWNUM = 1").Scan(&release); err != nil {
		t.Fatal(err)
	}
	at, err := go_ora.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	target := at.Servers[0].Addr + ":" + strconv.Itoa(at.Servers[0].Port)
	cassette := record(t, target, at.ServiceName, at.UserID, at.Password)
	if err := os.WriteFile(filepath.Join(folder, "server-"+release+".jsonl"), cassette, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, line := range replies(t, cassette) {
		t.Logf("line %d:\n%s", i+1, strings.Join(line, "\n"))
	}
}

// What AUTH carries is in no cassette, for every verifier: session keys, the password,
// verifiers and the server's proof.
func TestOracle_CassetteBlanksAuth(t *testing.T) {
	for _, v := range []oracletest.Version{oracletest.Oracle10, oracletest.Oracle11, oracletest.Oracle12, oracletest.Oracle19, oracletest.Oracle21} {
		d := start(t, oracletest.Options{Version: v})
		table(t, d, 2)
		var out bytes.Buffer
		r, err := oracletest.Record("127.0.0.1:0", d.Addr(), &out)
		if err != nil {
			t.Fatal(err)
		}
		tap := &tap{}
		host, p, _ := strings.Cut(r.Addr(), ":")
		port, _ := strconv.Atoi(p)
		c := go_ora.NewConnector(go_ora.BuildUrl(host, port, "ERP", "pombo", "s3nha", quick())).(*go_ora.OracleConnector)
		c.Dialer(tap)
		db := sql.OpenDB(c)
		if status, err := statusOf(t.Context(), db, 2); err != nil || status != 1 {
			t.Errorf("version %d: status = %d, %v; want 1", v, status, err)
		}
		_ = db.Close()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		packets, err := oracletest.ReadCassette(&out)
		if err != nil {
			t.Fatal(err)
		}
		var recorded []byte
		offsets := map[bool]int64{}
		for _, p := range packets {
			b, err := hex.DecodeString(p.Bytes)
			if err != nil || p.Line != 1 || p.Offset != offsets[p.Server] {
				t.Fatalf("packet = %+v, %v; want one at %d", p, err, offsets[p.Server])
			}
			offsets[p.Server] += int64(len(b))
			recorded = append(recorded, b...)
		}
		raw := tap.all.Bytes()
		if len(raw) != len(recorded) {
			t.Errorf("version %d: %d bytes recorded of %d", v, len(recorded), len(raw))
		}
		// Each is hexadecimal digits, of 20 bytes of salt at least.
		secrets := regexp.MustCompile(`[0-9A-F]{20,}`).FindAll(raw, -1)
		if len(secrets) < 4 {
			t.Errorf("version %d: %d secrets on the wire, want 4 at least", v, len(secrets))
		}
		for _, secret := range secrets {
			if bytes.Contains(recorded, secret[:20]) {
				t.Errorf("version %d: the cassette has %s", v, secret)
			}
		}
		if name, err := os.Hostname(); err != nil || !bytes.Contains(raw, []byte(name)) || bytes.Contains(recorded, []byte("(HOST="+name+")")) {
			t.Errorf("version %d: the cassette has the name of this computer, or it was not on the wire: %v", v, err)
		}
		for _, word := range []string{"AUTH_SESSKEY", "AUTH_PASSWORD", "AUTH_VFR_DATA", "AUTH_SVR_RESPONSE"} {
			if !bytes.Contains(recorded, []byte(word)) {
				t.Errorf("version %d: no %s in the cassette", v, word)
			}
		}
	}
}

// tap is a way to a server that keeps all that goes through it.
type tap struct{ all bytes.Buffer }

func (w *tap) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, network, address)
	return tapped{c, w}, err
}

type tapped struct {
	net.Conn
	w *tap
}

func (c tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.all.Write(b[:n])
	return n, err
}

func (c tapped) Write(b []byte) (int, error) {
	c.w.all.Write(b)
	return c.Conn.Write(b)
}
