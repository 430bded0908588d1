package api

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A hundred guesses at once take ten seconds of everybody's, or five where that is
// longer; the first costs nothing.
func TestWrongTokens_SlowGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wrongTokens
		begun := time.Now()
		w.wait(t.Context())
		if took := time.Since(begun); took != 0 {
			t.Errorf("the first waited %s", took)
		}
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() { w.wait(t.Context()) })
		}
		all.Wait()
		if took := time.Since(begun); took != 30*guessEvery {
			t.Errorf("30 more at once took %s, want %s", took, 30*guessEvery)
		}
	})
}
