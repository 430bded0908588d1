//go:build race

package nightly

// Race reports whether the race detector is on. What takes ten times as long under it is
// smaller by day, and runs a second time without it: see scripts/test.
const Race = true
