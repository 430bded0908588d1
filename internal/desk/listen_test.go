package desk

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestListen_BeyondThisMachine(t *testing.T) {
	if _, err := Listen(t.Context(), ListenOptions{Addr: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "DESK_TLS_CERT") {
		t.Errorf("err = %v, want it to say what to set", err)
	}
	l, err := Listen(t.Context(), ListenOptions{Addr: "0.0.0.0:0", Open: true})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestListen_CertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "desk.pem"), filepath.Join(dir, "other.pem")
	l, err := Listen(t.Context(), ListenOptions{Addr: "127.0.0.1:0", Own: file})
	if err != nil {
		t.Fatal(err)
	}
	server := HTTPServer(http.NotFoundHandler())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	defer func() { server.Close(); <-ended }()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v, want a file for one user", info, err)
	}
	first := serial(t, l.Addr())
	if err := makeCertificate(file, ""); err != nil || serial(t, l.Addr()) != first {
		t.Errorf("a good certificate was made anew (%v)", err)
	}

	c := &reloader{cert: file, key: file, log: newBench(t).s.log}
	have, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := makeCertificate(other, ""); err != nil {
		t.Fatal(err)
	}
	replace := func(content []byte, at time.Time) {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		c.looked = time.Time{} // a second has passed
	}
	replace([]byte("half a file"), time.Now().Add(time.Minute))
	if got, err := c.get(nil); err != nil || got != have {
		t.Errorf("of a broken file: %v, want the old one", err)
	}
	content, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	replace(content, time.Now().Add(time.Hour))
	got, err := c.get(nil)
	if err != nil || got.Leaf.SerialNumber.Cmp(have.Leaf.SerialNumber) == 0 {
		t.Errorf("the new certificate is not used (%v)", err)
	}
}

// serial is the number of the certificate that a server shows.
func serial(t *testing.T, addr net.Addr) string {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}
