//go:build !linux && !windows

package ledger

import "os"

func remote(string) bool { return false }

// lockFile: the locks that systems have in common would be in SQLite's way, or lost
// with the first descriptor that is closed. The lock beside the file has to do.
func lockFile(*os.File) (bool, error) { return true, nil }
