package oracletest

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadCassette reads what a Recorder wrote.
func ReadCassette(in io.Reader) ([]Recorded, error) {
	var all []Recorded
	for d := json.NewDecoder(in); ; {
		var p Recorded
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read a cassette: %w", err)
		}
		all = append(all, p)
	}
}

// Replies is what the server of a cassette says, by line and in order, without what
// differs from run to run: kinds of packets and messages, the version agreed on, which
// columns a row has, and codes of errors. Messages that are not understood are a
// question mark with what they begin with, and end their reply. It knows what a server
// says to go-ora, without LOBs.
func Replies(cassette []Recorded) ([][]string, error) {
	var lines []*heard
	for _, p := range cassette {
		b, err := hex.DecodeString(p.Bytes)
		if err != nil || len(b) < 8 || p.Line < 1 || p.Line > len(lines)+1 {
			return nil, fmt.Errorf("a cassette with a damaged packet at %d of line %d", p.Offset, p.Line)
		}
		if p.Line > len(lines) {
			lines = append(lines, &heard{})
		}
		lines[p.Line-1].packet(p.Server, b)
	}
	said := make([][]string, len(lines))
	for i, l := range lines {
		l.end()
		said[i] = l.replies
	}
	return said, nil
}

// heard is a line as a listener on the wire knows it.
type heard struct {
	replies []string
	call    byte   // the client's last, 0 = none
	reply   []byte // what the server has said to it so far

	server, fields byte // versions of the call protocol: the server's, and what was agreed on
	columns        int
	out            int    // values that a block returns next
	sent           []byte // bits of the columns that the next row has; nil = all
	accepted       bool
}

func (h *heard) packet(server bool, b []byte) {
	kind, body := b[4], b[8:]
	switch {
	case kind == packetData && len(body) <= 2:
	case !server && kind == packetData:
		h.end()
		h.ask(body[2:])
	case !server:
	case kind == packetData:
		h.reply = append(h.reply, body[2:]...)
	case kind == packetMarker && len(body) >= 3:
		h.end()
		h.replies = append(h.replies, fmt.Sprintf("marker %d", body[2]))
	case kind == packetAccept && len(body) >= 2:
		h.accepted = true
		h.replies = append(h.replies, fmt.Sprintf("accept %d", binary.BigEndian.Uint16(body)))
	default:
		h.replies = append(h.replies, fmt.Sprintf("packet %d", kind))
	}
}

// ask takes what matters of a client's message: its call, and the version that the
// client has.
func (h *heard) ask(b []byte) {
	h.call, h.out = 0, 0
	if !h.accepted {
		return
	}
	switch b[0] {
	case messageCall:
		if len(b) > 1 {
			h.call = b[1]
		}
	case messageTypes:
		r := &reader{b: b[1:]}
		r.skip(2 + 2 + 1)
		if abilities := r.bytes(int(r.byte())); len(abilities) > 7 {
			h.fields = min(h.server, abilities[7])
		}
	}
}

// end takes the reply apart once the client speaks again.
func (h *heard) end() {
	if len(h.reply) == 0 {
		return
	}
	r := &reader{b: h.reply, bigChunks: bigChunks(h.fields)}
	h.reply = nil
	var said []string
	for r.err == nil && len(r.b) > 0 {
		rest := r.b
		words := h.message(r)
		if r.err != nil {
			words = fmt.Sprintf("? %x", rest[:min(len(rest), 8)])
		}
		said = append(said, words)
	}
	h.replies = append(h.replies, strings.Join(said, " "))
}

// message takes one message of a reply and says what it is.
func (h *heard) message(r *reader) string {
	kind := r.byte()
	words := strconv.Itoa(int(kind))
	switch kind {
	case messageNative, messageTypes: // alone in their reply
		r.b = nil
	case messageProtocol:
		h.protocol(r)
		return fmt.Sprintf("%s:%d", words, h.server)
	case messageResult:
		return words + h.result(r)
	case messageRowHead:
		h.columns, h.sent = rowHead(r), nil
	case messageRow:
		for range h.out { // of a block
			r.value()
			r.int()
		}
		if h.out > 0 {
			h.out = 0
			break
		}
		for i := range h.columns {
			if len(h.sent) == 0 || h.sent[i/8]&(1<<(i%8)) != 0 {
				r.value()
			}
		}
	case messageSent:
		r.int()
		h.sent = r.bytes((h.columns + 7) / 8)
		return fmt.Sprintf("%s:%x", words, h.sent)
	case messageParameters:
		h.parameters(r)
	case messageStatus:
		r.ints(2)
	case messageDirections:
		h.out = 0
		for _, direction := range r.bytes(rowHead(r)) {
			if direction != bindIn {
				h.out++
			}
		}
	case messageWarning:
		code := r.int()
		if n := r.int(); n > 0 {
			r.int()
			r.value()
		}
		return fmt.Sprintf("%s:%d", words, code)
	case messageDescribe:
		h.describe(r)
	case messageServer:
		return fmt.Sprintf("%s:%d", words, server(r))
	default:
		r.failf("message %d", kind)
	}
	return words
}

func (h *heard) protocol(r *reader) {
	r.skip(2)
	for r.err == nil && r.byte() != 0 { // the banner
	}
	r.skip(2 + 1)
	r.skip(5 * r.uint16LE())
	r.skip(r.uint16())
	if abilities := r.bytes(int(r.byte())); len(abilities) > 7 {
		h.server = abilities[7]
	}
	r.skip(int(r.byte()))
}

func (h *heard) result(r *reader) string {
	r.ints(3)
	code := r.int()
	r.ints(4)
	r.skip(6)
	r.ints(2)
	r.skip(1)
	r.ints(3)
	r.skip(2)
	r.ints(2)
	optional(r)
	failed := h.failures(r)
	if h.fields >= 7 {
		code = r.int()
		r.int()
	}
	if h.fields >= 14 {
		r.ints(2)
	}
	if code != 0 {
		r.value()
	}
	return fmt.Sprintf(":%d%s", code, failed)
}

// failures are those of a batch, the code and the execution of each.
func (h *heard) failures(r *reader) string {
	if h.fields < 7 {
		for range 3 {
			optional(r)
		}
		return ""
	}
	list := func(item func()) {
		n := r.count(maxExecutions)
		if n == 0 {
			return
		}
		chunked := r.byte() == 0xfe
		for range n {
			if chunked {
				r.int()
			}
			item()
		}
		if chunked {
			r.skip(1)
		}
	}
	var codes, executions []int
	list(func() { codes = append(codes, r.int()) })
	list(func() { executions = append(executions, r.int()) })
	n := r.count(maxExecutions)
	if n > 0 {
		r.skip(1)
	}
	for range n {
		r.int()
		r.value()
		r.skip(2)
	}
	if len(codes) == 0 {
		return ""
	}
	return fmt.Sprint(codes, executions)
}

// optional passes over a value that is there if its length says so.
func optional(r *reader) {
	if r.int() > 0 {
		r.value()
	}
}

// rowHead returns how many columns there are.
func rowHead(r *reader) int {
	r.skip(1)
	n := r.count(maxDefines)
	n += r.count(maxDefines) << 8
	r.ints(2)
	optional(r)
	optional(r)
	return n
}

func (h *heard) parameters(r *reader) {
	switch h.call {
	case callLoginFirst, callLoginSecond:
		pairs(r, r.count(1000))
	case callVersion:
		r.int()
		r.value()
		r.int()
	default:
		r.ints(r.count(1000))
		r.skip(r.count(1000))
		pairs(r, r.count(1000))
		r.skip(r.count(maxPacket))
		// The rows of each execution, if the client asked for them: a length stands where
		// another message would have its number.
		if len(r.b) > 0 && r.b[0] < messageResult {
			r.ints(r.count(maxExecutions))
		}
	}
}

func pairs(r *reader, n int) {
	for range n {
		r.text()
		r.text()
		r.int()
	}
}

func (h *heard) describe(r *reader) {
	r.skip(int(r.byte()))
	r.int()
	h.columns, h.sent = r.count(maxDefines), nil
	if h.columns > 0 {
		r.skip(1)
	}
	for range h.columns {
		t := dataType{code: r.byte()}
		r.skip(2)
		if t.code == typeNumber || t.isTime() && t.code != typeDate {
			r.int()
		} else {
			r.skip(1)
		}
		r.ints(3)
		optional(r)
		r.ints(2)
		r.skip(1)
		r.int()
		if h.fields >= 8 {
			r.int()
		}
		r.skip(2)
		for range 3 { // its name, and those of a type of its own
			r.text()
		}
		r.ints(2)
	}
	optional(r)
	r.ints(4)
	optional(r)
}

// server takes what the client did not ask for, and returns what it is.
func server(r *reader) byte {
	kind := r.byte()
	switch kind {
	case 2: // its process
		n := r.count(1000)
		r.skip(1 + n)
	case 4: // the session, of a pool of the server's
		r.int()
		r.skip(1)
		if n := r.count(1000); n > 0 {
			r.skip(1)
			pairs(r, n)
		}
		r.ints(3)
	case 5: // settings
		r.int()
		r.skip(1)
		n := r.count(1000)
		r.skip(1)
		pairs(r, n)
		r.int()
	default:
		r.failf("a server's message %d", kind)
	}
	return kind
}
