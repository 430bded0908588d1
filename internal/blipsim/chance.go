package blipsim

import (
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
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

// randomUUID turns a draw into a UUID of version 4.
func randomUUID(roll uint64) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:], roll)
	binary.BigEndian.PutUint64(u[8:], mix(roll))
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// parseUUID parses the canonical form, lower case only: any other text is an id of
// its own, as it is to Blip.
func parseUUID(s string) (u uuid.UUID, ok bool) {
	if len(s) != 36 || strings.ContainsAny(s, "ABCDEF") {
		return u, false
	}
	u, err := uuid.Parse(s)
	return u, err == nil
}
