// Package loopback knows which hosts can only be this machine.
package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// Host reports whether the host, with or without a port, can only be this machine.
// It looks up no name: a name may lead elsewhere tomorrow.
func Host(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
