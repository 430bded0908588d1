//go:build race

package app_test

// The race detector takes ten times as long, and needs no crowd.
const tenThousand = 1_500
