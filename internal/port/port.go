// Package port binds TCP addresses that nobody else shares.
package port

import (
	"context"
	"net"
)

// Listen binds host:port for this process alone. On Windows another program could
// otherwise bind the same port of another address (0.0.0.0 beside 127.0.0.1), and
// calls would reach whichever of the two the system picks.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	return (&net.ListenConfig{Control: exclusive}).Listen(ctx, "tcp", addr)
}
