package ledger

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"pombo"
)

// identityAge is how long a look-up is used. Numbers change hands.
const identityAge = 7 * 24 * time.Hour

// manyIdentities is how many look-ups are kept back before they are written.
const manyIdentities = 4096

// identities keeps back what Blip has called phones, so that it can be written
// many at a time and in the order of the phones. Phones come in no order: written
// one by one, each costs a page of the disk, which is more than all the rest of
// its message. A cache may be late; after a kill, Blip is asked again for what was
// lost.
type identities struct {
	mu    sync.Mutex
	fresh map[int64]identity // not handed to the writer yet
	old   map[int64]identity // handed over last time; it may not have come to them yet

	// saving is locked while fresh ones are taken and handed over, so that a person who is
	// being forgotten is not among those on the way.
	saving sync.Mutex
}

type identity struct {
	name  string
	asked int64
}

// keep remembers the identity that Blip has just given for a phone.
func (c *identities) keep(phone int64, name string, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh == nil {
		c.fresh = map[int64]identity{}
	}
	c.fresh[phone] = identity{name, now}
}

// fill sets the identities that are known here, asked after a time.
func (c *identities) fill(list []pombo.Notification, after int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fresh)+len(c.old) == 0 {
		return
	}
	for i := range list {
		phone, ok := digits(list[i].Phone).(int64)
		if !ok {
			continue
		}
		known, ok := c.fresh[phone]
		if !ok {
			known, ok = c.old[phone]
		}
		if ok && known.asked > after {
			list[i].Identity = known.name
		}
	}
}

// of returns what is kept back here of a phone.
func (c *identities) of(phone int64) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range []map[int64]identity{c.fresh, c.old} {
		if known, ok := m[phone]; ok {
			names = append(names, known.name)
		}
	}
	return names
}

// phoneOf returns the phone that is called so, if that is kept back here.
func (c *identities) phoneOf(name string) (phone int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range []map[int64]identity{c.fresh, c.old} {
		for phone, known := range m {
			if known.name == name {
				return phone, true
			}
		}
	}
	return 0, false
}

// drop takes out what Blip has called a phone, as far as it is kept here.
func (c *identities) drop(phone int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.fresh, phone)
	delete(c.old, phone)
}

// saveIdentities hands what has been kept back to the writer, if there is at least that
// much. It does not wait.
func (db *store) saveIdentities(atLeast int) {
	c := &db.identities
	c.mu.Lock()
	if len(c.fresh) < atLeast {
		c.mu.Unlock()
		return
	}
	c.old, c.fresh = c.fresh, nil
	rows := make([][]any, 0, len(c.old))
	for phone, i := range c.old {
		rows = append(rows, []any{phone, i.name, i.asked})
	}
	c.mu.Unlock()
	slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[0].(int64), b[0].(int64)) })
	for part := range slices.Chunk(rows, chunk) {
		w := newWrite(onePart(sqlRememberIdentity, part))
		if db.hand(context.Background(), db.bulk, w) != nil {
			return // closed
		}
	}
}
