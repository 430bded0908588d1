package tally

import (
	"maps"
	"math"
	"slices"
	"time"

	"pombo"
)

// Times says how long a leg of the way took.
type Times struct {
	Leg              pombo.Leg
	N                int
	Median, P95, P99 time.Duration
	Buckets          map[int]int // how many by pombo.LatencyBucket, for a histogram
}

// TimesOf sums up the latencies of each leg. A leg without messages has N = 0.
func TimesOf(latencies []pombo.Latency) []Times {
	legs := pombo.Legs()
	list := make([]Times, len(legs))
	for i, leg := range legs {
		t := Times{Leg: leg, Buckets: map[int]int{}}
		for _, l := range latencies {
			if l.Leg == leg {
				t.N += l.N
				t.Buckets[l.Bucket] += l.N
			}
		}
		t.Median, t.P95, t.P99 = Quantile(t.Buckets, 0.5), Quantile(t.Buckets, 0.95), Quantile(t.Buckets, 0.99)
		list[i] = t
	}
	return list
}

// Quantile returns the time that the share q of those counted did not exceed. Within a
// bucket, which ends at twice the time at which it begins, they are taken to be spread
// evenly on a scale of logarithms, so the answer is off by less than a factor of two. It is
// 0 when nothing was counted.
func Quantile(buckets map[int]int, q float64) time.Duration {
	total := 0
	for _, n := range buckets {
		total += n
	}
	rank := q * float64(total)
	below := 0.0
	for _, b := range slices.Sorted(maps.Keys(buckets)) {
		n := float64(buckets[b])
		if n == 0 || below+n < rank {
			below += n
			continue
		}
		if b == 0 {
			return time.Millisecond
		}
		ms := math.Exp2(float64(b-1) + (rank-below)/n)
		return time.Duration(math.Round(ms * float64(time.Millisecond)))
	}
	return 0
}
