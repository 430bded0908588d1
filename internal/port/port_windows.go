package port

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// SO_EXCLUSIVEADDRUSE is the complement of SO_REUSEADDR, as winsock2.h defines it.
const exclusiveAddrUse = ^windows.SO_REUSEADDR

func exclusive(_, _ string, c syscall.RawConn) error {
	var refused error
	err := c.Control(func(fd uintptr) {
		refused = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, exclusiveAddrUse, 1)
	})
	return errors.Join(err, refused)
}
