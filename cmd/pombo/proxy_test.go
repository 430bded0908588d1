package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pombo/internal/blipsim"
)

// TestProxy delivers a row with a document, and its event, to hosts that can only be
// reached through the proxy that .env names; nothing shows its user or password.
func TestProxy(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	if runtime.GOOS == "windows" {
		t.Skip("authorities come from the system's store there, so a test cannot add its own")
	}
	const user, password = "ana.proxy", "s3nh@-do-proxy"
	certificate, authority := ownCertificate(t, "blip.pombo.test", "erp.pombo.test")

	sim := blipsim.New(blipsim.Options{Templates: []blipsim.Template{{Name: "notificacao", Header: "DOCUMENT", Body: "{{1}}, seu exame."}}})
	t.Cleanup(sim.Close)
	blip := tlsServer(t, certificate, sim)
	heard := make(chan string, 100)
	erp := tlsServer(t, certificate, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- string(body)
	}))
	proxy := &connectProxy{user: user, password: password, hosts: map[string]string{"blip.pombo.test:443": blip, "erp.pombo.test:443": erp}}
	address := httptest.NewServer(proxy)
	t.Cleanup(address.Close)

	folder := t.TempDir()
	table := filepath.Join(folder, "table.db")
	if err := makeTable(table, 1); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+table+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE NOTIFICACAO SET DS_MENSAGEM = 'laudo.pdf'`); err != nil {
		t.Fatal(err)
	}
	addr, err := unusedAddr()
	if err != nil {
		t.Fatal(err)
	}
	p := &proxied{folder: folder, authority: authority}
	p.write(t, "laudo.pdf", "%PDF-1.7\n%%EOF\n")
	settings := strings.Join([]string{
		"KEYBLIP=bWVpOnNlY3JldG8=", "BLIP_URL=https://blip.pombo.test", "TEMPLATE_NAME=notificacao", "DB_COL_PARAMS=NM_CONTATO,header-document-file:DS_MENSAGEM", "DOCUMENTS_DIR=.",
		"EVENTS_URL=https://erp.pombo.test/pombo", "EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"DB_URL=sqlite:table.db", "POLL_INTERVAL=1s", "LOG_FILE=pombo.log", "LOG_LEVEL=debug", "API_ADDR=" + addr, "DESK_ADDR=-", "",
	}, "\n")
	p.write(t, ".env", settings+"HTTPS_PROXY="+strings.Replace(address.URL, "http://", "http://"+user+":s3nh%40-do-proxy@", 1)+"\n")

	shown := p.run(t, "config")
	if !strings.Contains(shown, "http://[secret]@127.0.0.1:") {
		t.Errorf("pombo config does not show the proxy:\n%s", shown)
	}
	server := p.start(t, "serve")
	if err := waitFor(30*time.Second, func() (bool, error) {
		var code string
		err := db.QueryRow(`SELECT CD_STATUS FROM NOTIFICACAO`).Scan(&code)
		return code == "2", errors.Join(err, fmt.Errorf("the row is at %s", code))
	}); err != nil {
		t.Fatalf("%v\n%s", err, server.output())
	}
	select {
	case <-heard:
	case <-time.After(20 * time.Second):
		t.Error("no event has arrived")
	}
	if got := sim.Uploads(); len(got) != 1 || sim.Counts().Messages != 1 {
		t.Errorf("%d uploads and %d messages, want one of each", len(got), sim.Counts().Messages)
	}
	examined := p.run(t, "doctor")
	for _, check := range []string{"blip +name", "blip +key", "events +EVENTS_URL"} {
		if ok := matches(`(?m)^ok +`+check, examined); !ok {
			t.Errorf("doctor does not find %q ok:\n%s", check, examined)
		}
	}

	// A password that the proxy does not know is told as what it is.
	p.write(t, ".env", settings+"HTTPS_PROXY="+strings.Replace(address.URL, "http://", "http://"+user+":other@", 1)+"\n")
	refused := p.run(t, "doctor")
	if !strings.Contains(refused, "the proxy wants a user and a password") {
		t.Errorf("doctor says nothing of what the proxy wants:\n%s", refused)
	}
	said := server.output()
	log, err := os.ReadFile(filepath.Join(folder, "pombo.log"))
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"config": shown, "serve": said, "the log": string(log), "doctor": examined, "doctor, refused": refused} {
		for _, secret := range []string{user, password, "s3nh%40"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s", where, secret)
			}
		}
	}
	if seen, strange := proxy.seen(); !slices.Equal(seen, []string{"blip.pombo.test:443", "erp.pombo.test:443"}) || strange != "" {
		t.Errorf("the proxy connected to %q, and to what it does not know: %q", seen, strange)
	}
}

// proxied runs pombo in a folder whose .env says all, with an authority of the test.
type proxied struct{ folder, authority string }

func (p *proxied) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.folder, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *proxied) command(args ...string) *exec.Cmd {
	c := exec.Command("pombo", args...) // TestMain put it there
	c.Dir = p.folder
	c.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return matches(`(?i)^(https?|no|all)_proxy=`, entry)
	}), "SSL_CERT_FILE="+p.authority, "LANGUAGE=en")
	return c
}

// run returns all that a command says, however it ends.
func (p *proxied) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.command(args...).CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return string(out)
}

func (p *proxied) start(t *testing.T, args ...string) *subprocess {
	t.Helper()
	s := &subprocess{command: p.command(args...)}
	s.command.Stdout, s.command.Stderr = &s.out, &s.out
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill(t) })
	return s
}

// connectProxy is a proxy as companies have it: it connects whoever signs in to the
// hosts that it knows.
type connectProxy struct {
	user, password string
	hosts          map[string]string // where each really is

	mu        sync.Mutex
	connected []string
	unknown   string
}

func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	signed := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	if user, password, _ := signed.BasicAuth(); user != p.user || password != p.password {
		w.Header().Set("Proxy-Authenticate", `Basic realm="company"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	to := p.hosts[r.Host]
	p.mu.Lock()
	if to == "" {
		p.unknown = r.Host
	} else {
		p.connected = append(p.connected, r.Host)
	}
	p.mu.Unlock()
	there, err := net.Dial("tcp", to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(there, buffered)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}

// seen returns which hosts it has connected to, and one that it does not know.
func (p *connectProxy) seen() (hosts []string, unknown string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.connected)
	return slices.Compact(p.connected), p.unknown
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// tlsServer serves a handler and returns where.
func tlsServer(t *testing.T, certificate tls.Certificate, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// ownCertificate makes a certificate for hosts, which is its own authority, and returns
// the file with that authority.
func ownCertificate(t *testing.T, hosts ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		DNSNames: hosts, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
