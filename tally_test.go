package pombo

import (
	"testing"
	"time"
)

func TestLatencyBucket(t *testing.T) {
	for _, test := range []struct {
		d    time.Duration
		want int
	}{
		{-time.Hour, 0},
		{0, 0},
		{time.Millisecond, 0},
		{time.Millisecond + 1, 1},
		{2 * time.Millisecond, 1},
		{3 * time.Millisecond, 2},
		{1024 * time.Millisecond, 10},
		{1025 * time.Millisecond, 11},
		{72 * time.Hour, 28},
	} {
		if got := LatencyBucket(test.d); got != test.want {
			t.Errorf("bucket of %v = %d, want %d", test.d, got, test.want)
		}
	}
}

func TestLegs_HaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Legs() {
		if l.String() == "" || seen[l.String()] {
			t.Errorf("leg %d is called %q", l, l.String())
		}
		seen[l.String()] = true
	}
	if got := Leg(0).String(); got != "" {
		t.Errorf("no leg is called %q", got)
	}
}
