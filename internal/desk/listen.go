package desk

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pombo"
	"pombo/internal/loopback"
	"pombo/internal/port"
)

// ListenOptions says where the desk listens.
type ListenOptions struct {
	Addr      string // host:port
	Cert, Key string // files with a certificate and its key; "" = none
	// Own is the file of a certificate that is created if missing; "" = none.
	Own string
	// Open says that a proxy speaks TLS in front, or that it is in clear on purpose.
	Open   bool
	Logger *slog.Logger // nil = no log
}

// Listen binds the address. Beyond this machine it does so only with a certificate, or
// when Open says so.
func Listen(ctx context.Context, o ListenOptions) (net.Listener, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("DESK_ADDR is %q: write host:port, for example 127.0.0.1:5001", o.Addr)
	}
	if o.Cert == "" && o.Own == "" && !o.Open && !loopback.Host(host) {
		return nil, fmt.Errorf("DESK_ADDR is %q, which other machines can reach in clear: set DESK_TLS_CERT and DESK_TLS_KEY, DESK_TLS=own, DESK_PROXY_FROM or DESK_PLAIN_HTTP=yes", o.Addr)
	}
	var certificate *reloader
	switch {
	case o.Cert != "":
		certificate = &reloader{cert: o.Cert, key: o.Key, log: o.Logger}
	case o.Own != "":
		if err := makeCertificate(o.Own, host); err != nil {
			return nil, err
		}
		certificate = &reloader{cert: o.Own, key: o.Own, log: o.Logger}
	}
	if certificate != nil {
		first, err := certificate.get(nil)
		if err != nil {
			return nil, err
		}
		if o.Own != "" {
			sum := sha256.Sum256(first.Certificate[0])
			o.Logger.InfoContext(ctx, "the desk has a certificate of its own", "sha256", strings.ToUpper(hex.EncodeToString(sum[:])))
		}
	}
	listener, err := port.Listen(ctx, o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on DESK_ADDR=%s: %w: choose another port, or stop the program that has it", o.Addr, err)
	}
	if certificate == nil {
		return listener, nil
	}
	return tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// reloader reads a certificate again when its files have changed, so that a new one
// needs no restart. While the new one cannot be read the old one stays.
type reloader struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	looked time.Time
	stamp  [2]fileStamp
	have   *tls.Certificate
}

type fileStamp struct {
	changed time.Time
	size    int64
}

const lookAgain = time.Second

func (c *reloader) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.have != nil && now.Sub(c.looked) < lookAgain {
		return c.have, nil
	}
	c.looked = now
	stamp := [2]fileStamp{stampOf(c.cert), stampOf(c.key)}
	if c.have != nil && stamp == c.stamp {
		return c.have, nil
	}
	loaded, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if c.have == nil {
			return nil, fmt.Errorf("read the certificate of the desk: %w", err)
		}
		c.log.Error("the new certificate of the desk cannot be read; the old one stays", "error", err, "often", pombo.Often("desk certificate"))
		return c.have, nil
	}
	c.have, c.stamp = &loaded, stamp
	return c.have, nil
}

func stampOf(file string) fileStamp {
	info, err := os.Stat(file)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.ModTime(), info.Size()}
}

// ownTime is how long an own certificate is good. Browsers accept no longer ones.
const ownTime = 397 * 24 * time.Hour

// makeCertificate makes a certificate and its key in one file, unless there is one that
// is still good for a month.
func makeCertificate(file, host string) error {
	content, err := os.ReadFile(file)
	if err == nil {
		if pair, err := tls.X509KeyPair(content, content); err == nil && time.Until(pair.Leaf.NotAfter) > 30*24*time.Hour {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the certificate of DESK_TLS=own: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "Pombo"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ownTime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	template.DNSNames, template.IPAddresses = ownNames(host)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // into memory
	_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	return nil
}

// ownNames are the names and addresses by which this machine can be reached.
func ownNames(host string) (names []string, addresses []net.IP) {
	names, addresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	if ip := net.ParseIP(host); ip == nil && host != "" {
		names = append(names, host)
	}
	networks, err := net.InterfaceAddrs()
	if err != nil {
		return names, addresses
	}
	for _, a := range networks {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			addresses = append(addresses, n.IP)
		}
	}
	return names, addresses
}
