package oracle_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// peer listens and does something with each connection, until the test ends.
func peer(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// tns is a packet of a kind and a body.
func tns(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(8+len(body)))
	return append(append(b, 0, 0, kind, 0, 0, 0), body...)
}

// A peer that is not Oracle, or an odd one, does not end the process: whatever its first
// answer is, the next statement runs as if the connection had broken.
func TestOracle_SurvivesOddPeer(t *testing.T) {
	nightly.WithoutRace(t)
	var stumbled int64
	for kind, name := range map[byte]string{2: "ACCEPT", 4: "REFUSE", 5: "REDIRECT", 6: "DATA", 11: "RESEND", 12: "MARKER", 77: "unknown"} {
		for _, fill := range []byte{0, 0xff, '('} {
			t.Run(fmt.Sprintf("%s of %#x", name, fill), func(t *testing.T) {
				var mu sync.Mutex
				n := 0
				address := peer(t, func(c net.Conn) {
					mu.Lock()
					length := n
					n++
					mu.Unlock()
					_, _ = c.Read(make([]byte, 4096))
					_, _ = c.Write(tns(kind, []byte(strings.Repeat(string([]byte{fill}), length))))
				})
				table := openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + address + "/ERP", Mapping: small(), Timeout: 2 * time.Second})
				for range 50 {
					_, err := table.Page(t.Context(), "", 1)
					if err == nil {
						t.Fatal("a page of nothing")
					}
					if strings.Contains(err.Error(), "stumbled") {
						sourcetest.WantError(t, err, false, "the driver stumbled over what the database sent (")
					}
				}
				stumbled += table.DriverPanics()
			})
		}
	}
	if stumbled == 0 {
		t.Error("no panic was met: the test proves nothing")
	}
}

// disturbed is the address of a double whose answers have a byte changed, the nth of
// a connection, and after which nothing comes, if cut.
func disturbed(t testing.TB, d *oracletest.Double, nth int, change byte, cut bool) string {
	t.Helper()
	return peer(t, func(client net.Conn) {
		server, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.Addr())
		if err != nil {
			return
		}
		defer func() { _ = server.Close() }()
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		b := make([]byte, 8192)
		for at := 0; ; {
			n, err := server.Read(b)
			if i := nth - at; i >= 0 && i < n {
				b[i] ^= change
				if cut {
					n, err = i+1, io.EOF
				}
			}
			at += n
			if _, failed := client.Write(b[:n]); err != nil || failed != nil {
				return
			}
		}
	})
}

// Whatever byte of a server's answers is wrong, the process goes on.
func TestOracle_SurvivesOddAnswers(t *testing.T) {
	nightly.WithoutRace(t)
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 3)
	for nth := 0; nth < 4000; nth += 37 {
		odd(t, d, nth, 0x80, nth%2 == 0)
	}
}

func odd(t *testing.T, d *oracletest.Double, nth int, change byte, cut bool) {
	t.Helper()
	table, err := source.Open(t.Context(), source.Options{Drivers: []source.Driver{oracle.Driver}, URL: "oracle://pombo:s3nha@" + disturbed(t, d, nth, change, cut) + "/ERP", Mapping: small(), Timeout: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = table.Close() }()
	_, _ = table.Page(t.Context(), "", 10)
	_, _ = table.Settle(t.Context(), batchOf(1))
	if err := table.Check(t.Context()); err != nil && strings.Contains(err.Error(), "s3nha") {
		t.Error("the error tells the password")
	}
}

// FuzzOracle_Answers looks for a byte that ends the process. A length that asks for more
// memory than there is would: of that nothing recovers.
func FuzzOracle_Answers(f *testing.F) {
	f.Add(uint16(3), byte(0xff), false)
	f.Add(uint16(700), byte(1), true)
	f.Fuzz(func(t *testing.T, nth uint16, change byte, cut bool) {
		d := startOracle(t, oracletest.Options{})
		pendingTable(t, d, "NOTIFICACAO", 3)
		odd(t, d, int(nth)%6000, change, cut)
	})
}
