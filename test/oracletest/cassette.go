package oracletest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Recorded is a packet of a cassette, which is a line of JSON for each.
type Recorded struct {
	Line   int    `json:"line"`   // which connection, from 1
	Server bool   `json:"server"` // who sent it
	Offset int64  `json:"offset"` // where it begins among what this side sent on this line
	Bytes  string `json:"bytes"`  // in hexadecimal, with the packet's head
}

// Recorder stands in front of a server and writes a cassette of the traffic. It blanks what
// AUTH carries (session keys, the password, verifiers) and what identifies the client
// (program, computer and user). Statements, binds and rows are written as
// they are, so it is for test databases only.
type Recorder struct {
	target   string
	listener net.Listener
	cancel   context.CancelFunc
	ctx      context.Context
	running  sync.WaitGroup

	mu    sync.Mutex
	out   *json.Encoder
	lines int
	err   error // the first one of writing
}

// Record listens at an address and forwards the traffic to the target.
func Record(address, target string, out io.Writer) (*Recorder, error) {
	ctx, cancel := context.WithCancel(context.Background())
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("record: %w", err)
	}
	r := &Recorder{target: target, listener: l, ctx: ctx, cancel: cancel, out: json.NewEncoder(out)}
	r.running.Go(r.accept)
	return r, nil
}

// Addr is where the recorder listens.
func (r *Recorder) Addr() string { return r.listener.Addr().String() }

// goodbye is how long Close waits for connections to end by themselves.
const goodbye = 2 * time.Second

// Close ends all connections, writes what is left of them, and returns the first error of
// writing.
func (r *Recorder) Close() error {
	_ = r.listener.Close()
	end := time.AfterFunc(goodbye, r.cancel)
	r.running.Wait()
	end.Stop()
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Recorder) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.running.Go(func() { r.pass(client) })
	}
}

func (r *Recorder) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).DialContext(r.ctx, "tcp", r.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	r.mu.Lock()
	r.lines++
	t := &take{r: r, line: r.lines}
	r.mu.Unlock()
	stop := context.AfterFunc(r.ctx, func() { _, _ = client.Close(), server.Close() })
	defer stop()
	var both sync.WaitGroup
	pump := func(from, to net.Conn, isServer bool) {
		both.Go(func() {
			defer func() { _ = to.(*net.TCPConn).CloseWrite() }() // the other side may have more to say
			in := bufio.NewReader(from)
			for {
				b, err := readWhole(in, t.isWide)
				if err != nil {
					return
				}
				t.add(isServer, b) // before it is passed on: the answer must not come first
				_, _ = to.Write(b) // a side that cannot receive any more has said so, or will
			}
		})
	}
	pump(client, server, false)
	pump(server, client, true)
	both.Wait()
	t.flush()
}

// take records one connection. It keeps the packets of one side until the other side
// speaks, so that it finds what AUTH carries across the end of a packet.
type take struct {
	r    *Recorder
	line int

	mu      sync.Mutex
	wide    bool
	offsets [2]int64
	server  bool // who speaks
	kept    [][]byte
}

func (t *take) isWide() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wide
}

func (t *take) add(server bool, b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if server != t.server {
		t.write()
		t.server = server
	}
	if server && b[4] == packetAccept && len(b) >= 10 {
		t.wide = binary.BigEndian.Uint16(b[8:]) >= 315
	}
	t.kept = append(t.kept, slices.Clone(b))
}

func (t *take) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write()
}

func (t *take) write() {
	blankAuth(t.kept)
	blankClient(t.kept)
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	at := &t.offsets[0]
	if t.server {
		at = &t.offsets[1]
	}
	for _, b := range t.kept {
		t.r.err = errors.Join(t.r.err, t.r.out.Encode(Recorded{Line: t.line, Server: t.server, Offset: *at, Bytes: hex.EncodeToString(b)}))
		*at += int64(len(b))
	}
	t.kept = nil
}

// authPlain are the values of AUTH that describe the server, not the client.
var authPlain = []string{"AUTH_VERSION_NO", "AUTH_VERSION_STRING", "AUTH_VERSION_SQL", "AUTH_VERSION_STATUS", "AUTH_PBKDF2_VGEN_COUNT", "AUTH_PBKDF2_SDER_COUNT", "AUTH_MAX_OPEN_CURSORS"}

// blankAuth overwrites the values of AUTH in the packets of one side. Their lengths
// stay. Where a value cannot be told from what follows, all that follows is overwritten.
func blankAuth(packets [][]byte) {
	const head = 10 // of a data packet, with its flags
	var content []byte
	for _, p := range packets {
		if p[4] == packetData && len(p) > head {
			content = append(content, p[head:]...)
		}
	}
	mark := []byte("AUTH_")
	for at := 0; ; {
		i := bytes.Index(content[at:], mark)
		if i < 0 {
			break
		}
		key := at + i
		at = key + len(mark)
		if key == 0 || int(content[key-1]) < len(mark) || key+int(content[key-1]) > len(content) {
			blank(content[at:])
			break
		}
		at = key + int(content[key-1])
		if slices.Contains(authPlain, string(content[key:at])) {
			continue
		}
		r := &reader{b: content[at:]}
		length := r.int()
		if r.err == nil && length == 0 {
			continue
		}
		start := len(content) - len(r.b)
		value := r.value()
		if r.err != nil || len(value) != length {
			blank(content[at:])
			break
		}
		at = len(content) - len(r.b)
		if chunked := at - start - 1; chunked == length {
			start++ // the length
		}
		blank(content[start:at])
	}
	for _, p := range packets {
		if p[4] == packetData && len(p) > head {
			content = content[copy(p[head:], content):]
		}
	}
}

// clientID matches what identifies a client in its connect data: a program with its path, a
// computer and a user.
var clientID = regexp.MustCompile(`(?i)\(CID=(?:\([A-Z_]+=[^()]*\))*`)

func blankClient(packets [][]byte) {
	for _, p := range packets {
		for _, at := range clientID.FindAllIndex(p, -1) {
			name := true // else a value
			for i := at[0] + len("(CID="); i < at[1]; i++ {
				switch p[i] {
				case '=':
					name = false
				case '(', ')':
					name = true
				default:
					if !name {
						p[i] = '0'
					}
				}
			}
		}
	}
}

func blank(b []byte) {
	for i := range b {
		b[i] = '0'
	}
}
