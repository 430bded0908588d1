package port

import (
	"net"
	"testing"
)

// TestListen_TakenPort: the same port is taken for every address that overlaps.
func TestListen_TakenPort(t *testing.T) {
	first, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, number, err := net.SplitHostPort(first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		if second, err := Listen(t.Context(), net.JoinHostPort(host, number)); err == nil {
			t.Errorf("%s:%s is bound although 127.0.0.1:%[2]s is taken", host, number)
			_ = second.Close()
		}
	}
}
