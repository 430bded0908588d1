package oracletest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
)

func TestPacket(t *testing.T) {
	for _, wide := range []bool{false, true} {
		var b bytes.Buffer
		want := packet{packetData, bytes.Repeat([]byte("x"), 3000)}
		if err := writePacket(&b, wide, want); err != nil {
			t.Fatal(err)
		}
		whole := slices.Clone(b.Bytes())
		got, err := readPacket(&b, wide)
		if err != nil || got.kind != want.kind || !bytes.Equal(got.body, want.body) {
			t.Errorf("wide %t: read %d bytes of kind %d, %v", wide, len(got.body), got.kind, err)
		}
		for _, n := range []int{0, 7, 8, len(whole) - 1} {
			if _, err := readPacket(bytes.NewReader(whole[:n]), wide); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("wide %t: %d bytes of a packet: %v", wide, n, err)
			}
		}
	}
	if _, err := readPacket(bytes.NewReader([]byte{0, 7, 0, 0, 6, 0, 0, 0}), false); err == nil {
		t.Error("a packet shorter than its head was taken")
	}
	if _, err := readPacket(bytes.NewReader([]byte{0xff, 0, 0, 0, 6, 0, 0, 0}), true); err == nil {
		t.Error("a packet of 4 GB was taken")
	}
}

// A value goes through both forms of chunks, whatever its length.
func TestWriter_ValueInChunks(t *testing.T) {
	for _, big := range []bool{false, true} {
		for _, n := range []int{0, 1, 0xfc, 0xfd, 0xff, 0x100, 0x7fff, 0x8000, 200_000} {
			want := bytes.Repeat([]byte{0xfe}, n)
			w := &writer{bigChunks: big}
			w.value(want)
			w.int(0, 1, -127, 255, 1<<40)
			w.text("ação")
			parts := w.b
			r := &reader{bigChunks: big, more: func() ([]byte, error) { // it comes in pieces
				if len(parts) == 0 {
					return nil, io.EOF
				}
				k := min(1000, len(parts))
				p := parts[:k]
				parts = parts[k:]
				return p, nil
			}}
			if got := r.value(); !bytes.Equal(got, want) {
				t.Errorf("big %t: %d bytes came as %d", big, n, len(got))
			}
			for _, want := range []int{0, 1, -127, 255, 1 << 40} {
				if got := r.int(); got != want {
					t.Errorf("%d came as %d", want, got)
				}
			}
			if got := r.text(); got != "ação" || r.end() != nil {
				t.Errorf("the text came as %q, %v", got, r.err)
			}
		}
	}
}

// An error is announced by a break and a reset, and sent once the client has
// answered them.
func TestSession_ErrorsComeBehindMarkers(t *testing.T) {
	server, client := net.Pipe()
	defer func() { _ = client.Close() }()
	s := newSession(&Double{store: &store{}}, server)
	s.line.unit, s.charset, s.fields = 8192, AL32UTF8, 11
	failed := make(chan error, 1)
	go func() {
		failed <- s.fail(Errorf(942, "table or view does not exist"))
		_ = server.Close()
	}()
	for _, want := range []byte{markerBreak, markerReset} {
		p, err := readPacket(client, false)
		if err != nil || p.kind != packetMarker || p.body[2] != want {
			t.Fatalf("packet %+v, %v; want the marker %d", p, err, want)
		}
	}
	s.line.arrived <- packet{packetMarker, []byte{1, 0, markerReset}}
	p, err := readPacket(client, false)
	if err != nil || p.kind != packetData || !bytes.Contains(p.body, []byte("ORA-00942: table or view does not exist")) {
		t.Errorf("packet %q, %v; want the error", p.body, err)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// A bind or a cursor that makes no sense is an error of its call; the session
// continues. A message that makes none ends it.
func TestSession_BadCalls(t *testing.T) {
	d, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	bind := executing(11, "SELECT DUMMY FROM DUAL WHERE DUMMY = :1", 1, []byte("X"))
	i := bytes.Index(bind, []byte{typeVarchar, 1, 0, 0, 2})
	bind[i] = 200
	for _, c := range []struct {
		what    string
		message []byte
		ends    bool
	}{
		{"a bind of no type", bind, false},
		{"a cursor that is not open", []byte{messageCall, callFetch, 0, 1, 9, 1, 10}, false},
		{"a repeated execution of none", []byte{messageCall, callReexecute, 0, 1, 9, 1, 1, 0, 0, messageRow, 1, 'x'}, false},
		{"a call that is not known", []byte{messageCall, 0x77, 0}, true},
		{"a message that goes on", []byte{messageCall, callPing, 0, 1}, true},
		{"a message that breaks off", []byte{messageCall, callFetch, 0, 2, 1}, true},
		{"no message", []byte{99}, true},
	} {
		a := &answering{}
		s := newSession(d, a)
		a.line = s.line
		s.line.arrived = make(chan packet, 4)
		s.line.unit, s.charset, s.fields, s.on = 8192, AL32UTF8, 11, true
		if c.what == "a message that breaks off" {
			close(s.line.arrived)
			s.line.failure = io.EOF
		}
		err := s.receive(packet{packetData, append([]byte{0, 0}, c.message...)})
		if ends := err != nil; ends != c.ends {
			t.Errorf("%s: error %v, want one: %t", c.what, err, c.ends)
		}
	}
}
