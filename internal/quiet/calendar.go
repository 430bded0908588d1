// Package quiet says when a person must not be disturbed, by the clock where the person
// lives.
package quiet

import (
	"slices"
	"sync"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// Calendar is the quiet time with the zones in which people live.
type Calendar struct {
	quiet pombo.Quiet
	home  *time.Location // of numbers whose zone is not known

	mu    sync.Mutex
	zones map[string]*time.Location // by name, as far as they were needed
}

// New returns a calendar. home is the zone of numbers whose own is not known; nil is
// UTC.
func New(quiet pombo.Quiet, home *time.Location) *Calendar {
	if home == nil {
		home = time.UTC
	}
	return &Calendar{quiet: quiet, home: home, zones: map[string]*time.Location{}}
}

// Free returns when a message of the template may go to n, and the zone that
// decides; the zero time when it may go now.
func (c *Calendar) Free(n phone.Number, template string) (time.Time, *time.Location) {
	if c.quiet.Never() || slices.Contains(c.quiet.Exempt, template) {
		return time.Time{}, nil
	}
	now, zones := time.Now(), c.zonesOf(n)
	if free := c.quiet.Free(now, zones...); free.After(now) {
		return free, zones[0]
	}
	return time.Time{}, nil
}

// zonesOf returns the zones in which n may be, at least one.
func (c *Calendar) zonesOf(n phone.Number) []*time.Location {
	var list []*time.Location
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range n.Zones() {
		z, ok := c.zones[name]
		if !ok {
			z, _ = time.LoadLocation(name) // nil when the machine does not know it
			c.zones[name] = z
		}
		if z != nil {
			list = append(list, z)
		}
	}
	if len(list) == 0 {
		list = append(list, c.home)
	}
	return list
}
