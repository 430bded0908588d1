package oracletest

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// reader takes a TTC message apart. It asks for further packets by itself, since
// a message does not say in advance how long it is. After the first error it
// returns zeros; err is looked at once, at the end.
type reader struct {
	b         []byte
	more      func() ([]byte, error)
	bigChunks bool
	err       error
}

func (r *reader) failf(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// bytes takes n bytes as they are.
func (r *reader) bytes(n int) []byte {
	if n > maxPacket {
		r.failf("a field of %d bytes", n)
	}
	for r.err == nil && len(r.b) < n {
		if r.more == nil {
			r.err = io.ErrUnexpectedEOF
			break
		}
		b, err := r.more()
		if err != nil {
			r.err = err
			break
		}
		r.b = append(slices.Clip(r.b), b...)
	}
	if r.err != nil {
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) skip(n int) { r.bytes(n) }

func (r *reader) byte() byte {
	if v := r.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint16() int {
	if v := r.bytes(2); v != nil {
		return int(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (r *reader) uint16LE() int {
	if v := r.bytes(2); v != nil {
		return int(binary.LittleEndian.Uint16(v))
	}
	return 0
}

// end reports an error of the message, or that it should have ended.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.failf("a message that goes on after its end: % x", r.b[:min(len(r.b), 32)])
	}
	return r.err
}

// int takes an integer that is preceded by its length. The top bit of the length
// is the sign.
func (r *reader) int() int {
	head := r.byte()
	n := int(head & 0x7f)
	if n > 8 {
		r.failf("an integer of %d bytes", n)
		return 0
	}
	var v uint64
	for _, c := range r.bytes(n) {
		v = v<<8 | uint64(c)
	}
	if v > 1<<62 {
		r.failf("an integer out of range")
		return 0
	}
	if head&0x80 != 0 {
		return -int(v)
	}
	return int(v)
}

// ints skips n integers.
func (r *reader) ints(n int) {
	for range n {
		r.int()
	}
}

// count takes the number of items that follow, at most limit.
func (r *reader) count(limit int) int {
	n := r.int()
	if n < 0 || n > limit {
		r.failf("%d items where at most %d make sense", n, limit)
		return 0
	}
	return n
}

// value takes a value: a length and that many bytes, or, when it is long, any
// number of such chunks after 0xFE. No bytes are NULL, which is nil.
func (r *reader) value() []byte {
	switch n := r.byte(); n {
	case 0, 0xff:
		return nil
	case 0xfe:
		var v []byte
		for r.err == nil {
			size := r.chunk()
			if size == 0 {
				break
			}
			v = append(v, r.bytes(size)...)
			if len(v) > 1<<26 {
				r.failf("a value of more than 64 MB")
			}
		}
		return v
	default:
		return r.bytes(int(n))
	}
}

// chunk takes the length of a chunk.
func (r *reader) chunk() int {
	if r.bigChunks {
		return r.count(maxPacket)
	}
	return int(r.byte())
}

// text takes a value that is preceded by its length once more.
func (r *reader) text() string {
	if r.int() == 0 {
		return ""
	}
	return string(r.value())
}

// writer puts a TTC message together.
type writer struct {
	b         []byte
	bigChunks bool
}

func (w *writer) byte(v ...byte)  { w.b = append(w.b, v...) }
func (w *writer) bytes(v []byte)  { w.b = append(w.b, v...) }
func (w *writer) uint16(v int)    { w.b = binary.BigEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) uint16LE(v int)  { w.b = binary.LittleEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) uint32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }

func (w *writer) int(values ...int) {
	for _, v := range values {
		var sign byte
		if v < 0 {
			sign, v = 0x80, -v
		}
		var t [8]byte
		binary.BigEndian.PutUint64(t[:], uint64(v))
		i := 0
		for i < len(t) && t[i] == 0 {
			i++
		}
		w.b = append(append(w.b, byte(len(t)-i)|sign), t[i:]...)
	}
}

func (w *writer) value(v []byte) {
	if len(v) <= 0xfc {
		w.b = append(append(w.b, byte(len(v))), v...)
		return
	}
	chunk := 0x40
	if w.bigChunks {
		chunk = 0x7fff
	}
	w.byte(0xfe)
	for len(v) > 0 {
		n := min(len(v), chunk)
		if w.bigChunks {
			w.int(n)
		} else {
			w.byte(byte(n))
		}
		w.bytes(v[:n])
		v = v[n:]
	}
	w.byte(0)
}

func (w *writer) text(s string) {
	w.int(len(s))
	if s != "" {
		w.value([]byte(s))
	}
}

func (w *writer) pair(key, value string, flag int) {
	w.text(key)
	w.text(value)
	w.int(flag)
}
