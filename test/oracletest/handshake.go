package oracletest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// wish is what a client asks for in its first message.
type wish struct {
	version, unit int
	descriptor    string
}

func (s *session) takeConnect() (wish, error) {
	p, err := readPacket(s.line.in, false)
	if err != nil {
		return wish{}, err
	}
	if p.kind != packetConnect || len(p.body) < 50 {
		return wish{}, fmt.Errorf("a packet of kind %d and %d bytes in place of a connect", p.kind, len(p.body))
	}
	v := wish{version: int(binary.BigEndian.Uint16(p.body)), unit: int(binary.BigEndian.Uint16(p.body[6:]))}
	if v.version >= 315 && len(p.body) >= 54 {
		v.unit = int(binary.BigEndian.Uint32(p.body[50:]))
	}
	length, offset := int(binary.BigEndian.Uint16(p.body[16:])), int(binary.BigEndian.Uint16(p.body[18:]))-8
	if offset >= 0 && offset+length <= len(p.body) {
		v.descriptor = string(p.body[offset : offset+length])
		return v, nil
	}
	// Too long for this packet: it comes in a data packet.
	q, err := readPacket(s.line.in, false)
	if err != nil {
		return wish{}, err
	}
	if q.kind != packetData || len(q.body) < 2 {
		return wish{}, fmt.Errorf("a packet of kind %d in place of a connect descriptor", q.kind)
	}
	v.descriptor = string(q.body[2:])
	return v, nil
}

// connect is the listener's part: it reads the first packet and says whether it knows the
// service.
func (s *session) connect() error {
	v, err := s.takeConnect()
	if err != nil {
		return err
	}
	for range s.d.resends.Load() {
		if err := s.resend(); err != nil {
			return err
		}
		if v, err = s.takeConnect(); err != nil {
			return err
		}
	}

	kind := s.d.strike(Call{Step: Connect, Data: v.descriptor})
	switch {
	case kind.code != 0:
		return s.refuse(kind.code)
	case kind == Stall || kind == Slow:
		_, _ = io.Copy(io.Discard, s.line.in)
		return errCut
	case kind != (Kind{}):
		return errCut
	}
	if code := s.d.refusal.Load(); code >= 12500 && code < 12600 {
		return s.refuse(int(code))
	}
	wanted, err := parsePairs(v.descriptor)
	if err != nil {
		return s.refuse(1153)
	}
	if wanted.name != "DESCRIPTION" { // a list of them is for the client to take apart
		return s.refuse(12504)
	}
	if to := s.d.redirect.Swap(nil); to != nil {
		return s.redirect(*to)
	}
	sid, bySID := wanted.find("SID")
	service, byService := wanted.find("SERVICE_NAME")
	switch {
	case bySID:
		if !strings.EqualFold(sid.value, s.d.o.SID) {
			return s.refuse(12505)
		}
	case !byService:
		return s.refuse(12504)
	case !strings.EqualFold(service.value, s.d.o.Service):
		return s.refuse(12514)
	}
	return s.accept(min(v.version, s.d.release.tns), v.unit)
}

func (s *session) resend() error {
	head := []byte{0, 8, 0, 0, packetResend, 0, 0, 0}
	secured, ok := s.line.Conn.(*secured)
	if ok {
		head[5] = flagHandshake
	}
	_, err := s.line.Write(head)
	if ok {
		secured.renew()
	}
	return err
}

// refuse ends the session with a listener's error.
func (s *session) refuse(code int) error {
	text := fmt.Sprintf("(DESCRIPTION=(TMP=)(VSNNUM=%d)(ERR=%d)(ERROR_STACK=(ERROR=(CODE=%[2]d)(EMFI=4))))", s.d.release.number, code)
	w := &writer{}
	w.byte(4, 0)
	w.uint16(len(text))
	w.bytes([]byte(text))
	return errors.Join(writePacket(s.line, false, packet{packetRefuse, w.b}), errCut)
}

// redirect sends the client to another address, as a SCAN listener does.
func (s *session) redirect(to string) error {
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		return err
	}
	text := "(ADDRESS=(PROTOCOL=tcp)(HOST=" + host + ")(PORT=" + port + "))"
	w := &writer{}
	w.uint16(len(text))
	w.bytes([]byte(text))
	return errors.Join(writePacket(s.line, false, packet{packetRedirect, w.b}), errCut)
}

func (s *session) accept(version, unit int) error {
	const head = 8
	s.line.unit = min(max(unit, 512), 8192)
	w := &writer{}
	w.uint16(version)
	w.uint16(0) // no out-of-band breaks
	w.uint16(s.line.unit)
	w.uint16(s.line.unit)
	w.uint16(1)
	w.uint16(0) // no connect data
	switch {    // where it would begin
	case version >= 318:
		w.uint16(head + 37)
	case version >= 315:
		w.uint16(head + 33)
	default:
		w.uint16(head + 24)
	}
	if s.d.release.native {
		w.byte(0x41, 1)
	} else {
		w.byte(4, 4) // network services are off
	}
	w.bytes(make([]byte, 8))
	if version >= 315 {
		w.uint32(uint32(s.line.unit))
		w.uint32(uint32(s.line.unit))
		w.byte(0)
	}
	if version >= 318 {
		w.uint32(0)
	}
	if err := writePacket(s.line, false, packet{packetAccept, w.b}); err != nil {
		return err
	}
	s.line.wide = version >= 315
	return nil
}

// protocol sends the database's character set and what the server supports.
func (s *session) protocol() error {
	abilities := make([]byte, 45)
	copy(abilities, []byte{6, 1, 0, 0, 0x0a, 1, 0, s.d.release.fields, 1, 1, 1, 1, 1, 1, 0, 0x29, 0x91, 3, 7, 3, 0, 1, 0, 0x4b, 0, 0, 4, 1})
	if s.d.release.pbkdf2 {
		abilities[4] |= 0x20
	}
	if bigChunks(s.d.release.fields) {
		abilities[37] = 0x30
	}
	return s.call(Call{Step: Negotiate}, nil, func(w *writer) {
		w.byte(1, 6, 0)
		w.bytes([]byte("x86_64/Linux 2.4.xx\x00"))
		w.uint16LE(int(s.d.o.Charset))
		w.byte(1)
		w.uint16LE(0)
		w.uint16(11)
		w.bytes([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0})
		w.uint16(int(utf16be))
		w.byte(byte(len(abilities)))
		w.bytes(abilities)
		w.byte(7, 2, 1, 0, 0, 0, 0, 0) // seven bytes of abilities at run time
	})
}

// bigChunks reports whether long values are cut into chunks of 32 KB; before
// 12.1 they are cut into chunks of a byte's length.
func bigChunks(fields byte) bool { return fields >= 7 }

// dataTypes reads the types that the client knows, and the character set in which it wants
// text.
func (s *session) dataTypes(r *reader) error {
	charset := Charset(r.uint16LE())
	r.skip(2 + 1)
	abilities := r.bytes(int(r.byte()))
	running := r.bytes(int(r.byte()))
	if r.err != nil {
		return r.err
	}
	if len(abilities) < 38 || len(running) < 2 {
		return fmt.Errorf("a client of %d and %d bytes of abilities", len(abilities), len(running))
	}
	if !charset.known() {
		return fmt.Errorf("a client that wants %s", charset)
	}
	zone, zoneVersion := running[1]&1 == 1, abilities[37]&2 == 2
	if zone { // then comes that of the client, and its national character set
		r.skip(11)
		if zoneVersion {
			r.skip(4)
		}
		r.skip(2)
	}
	for r.err == nil {
		from := r.uint16()
		if from == 0 {
			break
		}
		if to := r.uint16(); to != 0 {
			// A client that maps this type takes a number's scale as an integer
			// with a length, others as one byte.
			s.wideScale = s.wideScale || from == 39 && to == 120
			r.skip(4)
		}
	}
	if err := r.end(); err != nil {
		return err
	}
	s.charset = charset
	s.fields = min(s.d.release.fields, abilities[7])
	return s.call(Call{Step: Negotiate}, nil, func(w *writer) {
		w.byte(2)
		if zone {
			w.byte(0x80, 0, 0, 0, 60-3, 60, 60, 0x80, 0, 0, 0) // the database is at -03:00
			if zoneVersion {
				w.uint32(32)
			}
		}
		w.uint16(0) // every type as the client has it
	})
}
