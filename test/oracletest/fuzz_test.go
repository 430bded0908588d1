package oracletest

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// answering is a line to a client that takes whatever comes and answers a reset
// with a reset.
type answering struct {
	net.Conn
	line *line
}

func (a *answering) Write(b []byte) (int, error) {
	if len(b) >= 11 && b[4] == packetMarker && b[10] == markerReset {
		a.line.arrived <- packet{packetMarker, []byte{1, 0, markerReset}}
	}
	return len(b), nil
}

func (a *answering) Close() error { return nil }

// executing puts the call together that executes a statement, as a client does.
func executing(fields byte, sql string, times int, binds ...[]byte) []byte {
	w := &writer{bigChunks: bigChunks(fields)}
	w.byte(messageCall, callExecute, 0)
	w.int(optionExecute|optionCommit, 0)
	w.byte(1)
	w.int(len(sql))
	w.byte(1)
	w.int(13)
	w.byte(0, 0)
	w.int(0, 25, 0x7fffffff)
	w.byte(1)
	w.int(len(binds))
	w.byte(0, 0, 0, 0, 0, 0)
	w.int(0, 0)
	w.byte(0, 1, 0)
	w.int(0)
	w.byte(0)
	w.int(0, 0)
	if fields >= 7 {
		w.byte(0, 0, 0)
	}
	if fields >= 8 {
		w.byte(0, 0, 0, 0, 0)
	}
	if fields >= 9 {
		w.byte(0, 0)
	}
	w.value([]byte(sql))
	w.int(1, times, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for range binds {
		w.byte(typeVarchar, 1, 0, 0)
		w.int(4000, 0, 0, 0, 0, 873)
		w.byte(1)
		w.int(4000)
		if fields >= 8 {
			w.int(0)
		}
	}
	for range times {
		if len(binds) > 0 {
			w.byte(messageRow)
		}
		for _, b := range binds {
			w.value(b)
		}
	}
	return w.b
}

// No message, however damaged, may do more than end the session with an error.
func FuzzMessage(f *testing.F) {
	const page = "SELECT ID, TX FROM (SELECT ID, TX FROM T WHERE ID > :1 ORDER BY ID) WHERE ROWNUM <= :2"
	for _, fields := range []byte{6, 7, 11, 16} {
		f.Add(fields, executing(fields, page, 1, []byte("0"), []byte("5")))
		f.Add(fields, executing(fields, "UPDATE T SET TX = :1 WHERE ID = :2", 2, bytes.Repeat([]byte("x"), 300), []byte("1")))
		f.Add(fields, executing(fields, "BEGIN DBMS_APPLICATION_INFO.SET_MODULE(:1, :2); END;", 1, []byte("m"), nil))
	}
	f.Add(byte(11), []byte{messageCall, callPing, 0})
	f.Add(byte(11), []byte{messageCall, callFetch, 0, 1, 1, 1, 10})
	f.Add(byte(11), []byte{messageCall, callReexecute, 0, 1, 1, 1, 1, 0, 1, 1, messageRow, 1, '1', 1, '2'})
	f.Add(byte(11), []byte{messagePiggyback, piggybackClose, 0, 1, 1, 1, 1, 1, messageCall, callCommit, 0})
	f.Add(byte(11), append([]byte{messagePiggyback, piggybackAttributes, 0, 0, 0, 1, 7}, bytes.Repeat([]byte{1, 1, 1}, 20)...))
	f.Add(byte(11), []byte{messageCall, callLoginFirst, 0, 1, 1, 5, 1, 1, 1, 0, 1, 1, 5, 'p', 'o', 'm', 'b', 'o'})
	f.Add(byte(11), []byte{messageNative, 0xad, 0xbe, 0xef, 0, 10, 1, 2, 3, 4})
	f.Add(byte(11), []byte{messageTypes, 0x69, 3, 0x69, 3, 1, 2, 6, 1, 2, 2, 1})

	d, err := Start(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(d.Close)
	made, err := d.NewTable("T", "ID NUMBER PRIMARY KEY", "TX VARCHAR2(400)", "L CLOB")
	if err != nil {
		f.Fatal(err)
	}
	if err := made.Insert(Row{"ID": 1, "TX": "um"}, Row{"ID": 2, "L": strings.Repeat("x", 1000)}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, fields byte, message []byte) {
		a := &answering{}
		s := newSession(d, a)
		a.line = s.line
		s.line.arrived = make(chan packet, 4)
		s.line.unit = 8192
		s.fields, s.charset, s.on = fields, AL32UTF8, true
		// Twice, for what an open cursor does; the log is not to grow for ever.
		for range 2 {
			_ = s.message(&reader{b: message, bigChunks: bigChunks(fields)})
		}
		s.rollback()
		d.Forget()
	})
}

// What comes before anything was agreed on.
func FuzzConnect(f *testing.F) {
	descriptor := "(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=ERP))(ADDRESS=(PROTOCOL=TCP)(HOST=x)(PORT=1521)))"
	body := make([]byte, 50, 200)
	copy(body, []byte{1, 0x3d, 1, 0x2c, 0, 0, 0x20, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 0, byte(len(descriptor)), 0, 58})
	var b bytes.Buffer
	if err := writePacket(&b, false, packet{packetConnect, append(body, descriptor...)}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(append(b.Bytes(), 0, 0, 0, 14, packetData, 0, 0, 0, 0, 0, messageProtocol, 6, 0, 0))
	f.Add([]byte{0, 8, 1, 0, 0, 0, 0, 0})
	d, err := Start(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(d.Close)
	f.Fuzz(func(t *testing.T, stream []byte) {
		server, client := net.Pipe()
		s := newSession(d, server)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.serve()
		}()
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, client)
		}()
		_, _ = client.Write(stream)
		_ = client.Close()
		<-ended
		<-read
		d.Forget()
	})
}

// Statements come from outside too, and a value must survive its two forms.
func FuzzSQL(f *testing.F) {
	for _, sql := range []string{
		"SELECT ID, SUBSTR(TX,1,10) AS A FROM (SELECT * FROM ERP.T t WHERE S = :1 AND ID > :2 ORDER BY ID DESC) WHERE ROWNUM <= :3",
		"UPDATE T SET A = NVL(:1,A), B = TO_DATE(:2,'YYYY') WHERE ID IN (:3,:4) AND NOT (S IS NULL OR S <> 'it''s')",
		"BEGIN DBMS_APPLICATION_INFO.SET_MODULE(a => :1, b => 'x'); END;", "ALTER SESSION SET NLS_SORT = BINARY", "SELECT \"a\" || -1.5 FROM DUAL", "((((", "-12.50e3",
	} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckSQL(s) == nil {
			_, _ = parse(s)
		}
		n, err := parseNumber(s)
		if err != nil {
			return
		}
		if !validNumber([]byte(n.s)) {
			t.Fatalf("parseNumber(%q) = % x, which is not a number", s, n.s)
		}
		again, err := parseNumber(numberText(n.s))
		if err != nil || again != n {
			t.Errorf("%q is % x, written %q, which is % x (%v)", s, n.s, numberText(n.s), again.s, err)
		}
	})
}
