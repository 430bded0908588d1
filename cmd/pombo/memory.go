package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
)

// collectSeldom lets the heap grow to five times the live data instead of twice: the
// live data are small and allocation is heavy, so collecting is a good part of the work
// of a message, and with many workers each call waits for it. From 40 MiB on, or 320
// KiB a worker, garbage is collected as often as needed to keep the process with 64
// workers below 100 MiB, but never more often than Go does by default. GOGC or
// GOMEMLIMIT in the environment win.
func (s *shell) collectSeldom(workers int) {
	for _, set := range s.environ {
		if strings.HasPrefix(set, "GOGC=") || strings.HasPrefix(set, "GOMEMLIMIT=") {
			return
		}
	}
	debug.SetGCPercent(400)
	limitMemory(max(40<<20, int64(workers)*320<<10))
}

// limitMemory keeps the memory of the process to least, or to twice the live data if
// that is more. A limit below the live data would make the collector run without a
// rest. The limit is adjusted after each collection, until stop is called.
func limitMemory(least int64) (stop func()) {
	var stopped atomic.Bool
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	var follow func(struct{})
	follow = func(struct{}) {
		if stopped.Load() {
			return
		}
		metrics.Read(samples)
		live, beside := int64(samples[0].Value.Uint64()), int64(samples[1].Value.Uint64())
		for _, heap := range samples[2:] {
			beside -= int64(heap.Value.Uint64()) // stacks and the runtime's own are left
		}
		debug.SetMemoryLimit(max(least, 2*live+beside))
		// The next collection frees this one.
		runtime.AddCleanup(new([16]byte), follow, struct{}{})
	}
	follow(struct{}{})
	return func() {
		stopped.Store(true)
		debug.SetMemoryLimit(math.MaxInt64)
	}
}
