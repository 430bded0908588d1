//go:build !windows

package port

import "syscall"

// exclusive does nothing: elsewhere a bound port is taken for every address that
// overlaps.
func exclusive(_, _ string, _ syscall.RawConn) error { return nil }
