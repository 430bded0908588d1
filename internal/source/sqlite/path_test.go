package sqlite

import (
	"strings"
	"testing"
)

// TestSQLite_NetworkPath: a share is a path with two slashes, which a URI may only have
// behind an authority, be it an empty one. (\\server\share is written so on Windows.)
func TestSQLite_NetworkPath(t *testing.T) {
	d := &dialect{path: "//servidor/dados/empresa 1.db"}
	if got, want := d.dsn("rw"), "file:////servidor/dados/empresa%201.db?mode=rw"; !strings.HasPrefix(got, want) {
		t.Errorf("address = %s, want %s…", got, want)
	}
}
