package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// sink keeps the compiler from leaving an allocation out.
var sink []byte

// However much lives, the collector runs about as often as it would without a
// limit: each time as much garbage as that has come together.
func TestLimitMemory_FollowsWhatLives(t *testing.T) {
	const mib = 1 << 20
	old := debug.SetGCPercent(400)
	defer debug.SetGCPercent(old)
	stop := limitMemory(8 * mib)
	defer stop()
	lives := make([][]byte, 64)
	for i := range lives {
		lives[i] = make([]byte, mib)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 16 * 1024 {
		sink = make([]byte, mib/16)
	}
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(lives)
	// 1 GiB of garbage in portions of 64 MiB is 16; the first few come sooner.
	if n := after.NumGC - before.NumGC; n > 40 {
		t.Errorf("%d collections for 1 GiB of garbage beside 64 MiB that live, want some 16", n)
	}
	if limit := debug.SetMemoryLimit(-1); limit < 2*64*mib {
		t.Errorf("the limit is %d MiB with 64 MiB that live, want twice that", limit/mib)
	}

	// When that is gone the limit is about what it was: some lives that other tests have left.
	clear(lives)
	limit := int64(0)
	for range 100 {
		runtime.GC()
		if limit = debug.SetMemoryLimit(-1); limit < 64*mib {
			return
		}
	}
	t.Errorf("the limit is still %d MiB after all of it was collected", limit/mib)
}
