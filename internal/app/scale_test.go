//go:build !race

package app_test

// tenThousand is how many messages have their receipts arrive, in either way.
const tenThousand = 10_000
