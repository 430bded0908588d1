//go:build linux || darwin || freebsd

// Package disk answers what the standard library does not: how much room a folder
// has, and whether this account may write in it.
package disk

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnedByUs reports whether a file is this user's, who is not root.
func OwnedByUs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Uid != 0 && int(s.Uid) == os.Geteuid()
}

// Writable reports whether files can be made in a folder, without making one.
func Writable(folder string) error {
	return unix.Faccessat(unix.AT_FDCWD, folder, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// FreeBytes is the room that this user has on the disk of a folder.
func FreeBytes(folder string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil //nolint:unconvert // the types differ between systems
}
