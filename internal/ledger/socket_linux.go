package ledger

import (
	"strings"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h: after so many milliseconds
// without an acknowledgement of what was sent the connection is given up.
const tcpUserTimeout = 18

// unacknowledged sets it on a new socket. Without it the system sends again for a
// quarter of an hour what a machine that is gone does not acknowledge, and keepalives
// are not sent in the meantime.
func unacknowledged(d time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(network, _ string, c syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		var err error
		if e := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		}); e != nil {
			return e
		}
		return err
	}
}
