package ledger

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// remote: network file systems are not recognized here.
func remote(string) bool { return false }

// lockFile takes a lock on the file that ends with it. It is on one byte far behind
// those that SQLite locks, and of the open file, not of the process, so that it is
// not lost with another descriptor. Where there are no such locks (Linux before
// 3.15), the one beside the file has to do.
func lockFile(f *os.File) (held bool, err error) {
	one := unix.Flock_t{Type: unix.F_WRLCK, Start: 1 << 62, Len: 1}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &one)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return false, nil
	case errors.Is(err, unix.EINVAL):
		return true, nil
	}
	return err == nil, err
}
