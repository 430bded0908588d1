package ledger

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// remote reports whether a path leads to another machine.
func remote(path string) bool {
	if isUNC(path) {
		return true
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(full) + `\`)
	return err == nil && windows.GetDriveType(root) == windows.DRIVE_REMOTE
}

// lockFile takes a lock on the file that ends with it. It is on one byte far behind
// those that SQLite locks: locks keep others from reading here.
func lockFile(f *os.File) (held bool, err error) {
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
		&windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
