package wait_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pombo/internal/wait"
)

func TestFor_EndsWithTimeOrContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := wait.For(t.Context(), time.Minute); err != nil || time.Since(begun) != time.Minute {
			t.Errorf("returned %v after %s, want nil after a minute", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if err := wait.For(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("returned %v after %s, want the context's error after a second", err, time.Since(begun))
		}
	})
}

func TestSignal_SetTwiceWakesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wait.NewSignal()
		s.Set()
		s.Set()
		for i, want := range []bool{true, false} {
			if set, err := s.Wait(t.Context(), time.Second); err != nil || set != want {
				t.Errorf("wait %d: set = %v, %v, want %v", i+1, set, err, want)
			}
		}
	})
}

func TestBackoff_DoublesUpToMost(t *testing.T) {
	b := wait.Backoff{First: time.Second, Most: 10 * time.Second}
	for range 2 {
		for _, seconds := range []int{1, 2, 4, 8, 10, 10} {
			want := time.Duration(seconds) * time.Second
			if got := b.Next(); got < want*8/10 || got > want*12/10 {
				t.Errorf("wait = %s, want %s give or take a fifth", got, want)
			}
		}
		b.Reset()
	}
}

// What failed together does not come back together.
func TestJitter(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 100 {
		d := wait.Jitter(10 * time.Second)
		if seen[d] = true; d < 8*time.Second || d > 12*time.Second {
			t.Errorf("Jitter(10s) = %v, want 8 to 12 seconds", d)
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d different times of 100", len(seen))
	}
}
