package pombo

import (
	"strings"
	"testing"
	"time"
)

// A message is sent again only so often, each time later, and never for longer
// than Blip remembers it.
func TestResendsEnd(t *testing.T) {
	for _, r := range Remedies() {
		n, last := 0, time.Duration(0)
		for {
			wait, ok := r.Resend(n)
			if !ok {
				break
			}
			if wait <= last {
				t.Errorf("%s: wait %d is %s after %s, want a longer one", r, n, wait, last)
			}
			n, last = n+1, wait
		}
		want := 3
		switch r {
		case RemedyNever, RemedySuspend:
			want = 0
		case RemedyDays:
			want = 2
		}
		if n != want {
			t.Errorf("%s: sent again %d times, want %d", r, n, want)
		}
		if _, ok := r.Resend(-1); ok {
			t.Errorf("%s: sent again although it was never counted", r)
		}
		if s := r.Sentence(); s == "" || strings.HasSuffix(s, ".") {
			t.Errorf("%s: sentence %q, want one without a full stop", r, s)
		}
		if stops := r == RemedyTemplate || r == RemedySuspend || r == RemedyBot || r == RemedyAccount; (r.Stop() > 0) != stops {
			t.Errorf("%s stops for %s", r, r.Stop())
		}
	}
	if wait, ok := Remedy("magic").Resend(0); ok {
		t.Errorf("an unknown remedy sends again after %s", wait)
	}
}
