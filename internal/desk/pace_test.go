package desk

import (
	"strconv"
	"testing"
	"time"

	"pombo"
)

func TestPaces(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	p := newPaces(func() time.Time { return now })
	greedy, other := &Visitor{session: "a"}, &Visitor{User: pombo.User{Name: "maria"}}
	ask := func(n int) (allowed int) {
		for range n {
			if p.allow(greedy) {
				allowed++
			}
		}
		return allowed
	}
	if got := ask(2 * pagesAtOnce); got != pagesAtOnce {
		t.Errorf("%d pages at once, want %d", got, pagesAtOnce)
	}
	if !p.allow(other) {
		t.Error("another visitor gets nothing")
	}
	now = now.Add(time.Second)
	if got := ask(2 * pagesAtOnce); got != pagesPerSecond {
		t.Errorf("%d pages a second later, want %d", got, pagesPerSecond)
	}
	for i := range 2 * mostPaces {
		now = now.Add(time.Minute)
		p.allow(&Visitor{session: strconv.Itoa(i)})
	}
	if len(p.visitors) > mostPaces {
		t.Errorf("%d visitors remembered, want %d at most", len(p.visitors), mostPaces)
	}
}
