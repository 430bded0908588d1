package blipsim

import (
	"encoding/binary"
	"encoding/hex"
)

// Chance has no state of its own but the number of the draw: everything is a
// hash of the seed and of what is being decided, so that a run can be repeated
// and a receipt can be computed again.

// mix is the finalizer of splitmix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// roll is the next draw of the server.
func (s *Server) roll() uint64 {
	return mix(s.opt.Seed ^ mix(s.counters.rolls.Add(1)))
}

// fate is the draw that belongs to one delivery of a message for one purpose.
func (s *Server) fate(id string, delivery int, purpose string) uint64 {
	return mix(s.opt.Seed ^ mix(hash(id)^uint64(delivery)) ^ hash(purpose))
}

// hash is FNV-1a of 64 bits.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// share maps a draw to [0, 1).
func share(roll uint64) float64 { return float64(roll>>11) / (1 << 53) }

// uuid makes a draw into a UUID of version 4.
func uuid(roll uint64) string {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:], roll)
	binary.BigEndian.PutUint64(u[8:], mix(roll))
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}

func formatUUID(u [16]byte) string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// parseUUID reads the canonical form, lower case only: any other text is an id
// of its own, as it is to Blip.
func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	n := 0
	for i := range 36 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return u, false
		}
		u[n/2] = u[n/2]<<4 | c
		n++
	}
	return u, true
}
