//go:build !race

package app_test

import "pombo/test/nightly"

// tenThousand is how many messages have their receipts arrive, in either way.
var tenThousand = nightly.Or(10_000, 600)
