//go:build race

package app_test

import "pombo/test/nightly"

// The race detector takes ten times as long, and needs no crowd.
var tenThousand = nightly.Or(1_500, 300)
