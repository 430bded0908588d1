package pombo

import (
	"testing"
	"time"
)

// A message is sent again only so often, each time later, and never for longer
// than Blip remembers it.
func TestResendPolicy_WaitsGrowAndEnd(t *testing.T) {
	for r := range resendPolicies {
		n, last := 0, time.Duration(0)
		for {
			wait, ok := r.Wait(n)
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
		case ResendNever, ResendSuspend:
			want = 0
		case ResendDays:
			want = 2
		}
		if n != want {
			t.Errorf("%s: sent again %d times, want %d", r, n, want)
		}
		if _, ok := r.Wait(-1); ok {
			t.Errorf("%s: sent again although it was never counted", r)
		}
		if stops := r == ResendTemplate || r == ResendSuspend || r == ResendBot || r == ResendAccount; (r.Pause() > 0) != stops {
			t.Errorf("%s stops for %s", r, r.Pause())
		}
	}
	if got := ResendPolicy("magic").Message(); got != ResendNever.Message() {
		t.Errorf("message of an unknown policy = %q", got)
	}
	if wait, ok := ResendPolicy("magic").Wait(0); ok {
		t.Errorf("an unknown policy sends again after %s", wait)
	}
}
