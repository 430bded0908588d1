package oracletest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	go_ora "github.com/sijms/go-ora/v2"

	"pombo/test/oracletest"
)

// Every kind of login that a server in the field asks for.
func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name    string
		options oracletest.Options
	}{
		{"10g, DES", oracletest.Options{Version: oracletest.Oracle10, Password: "senha"}},
		{"11g, SHA-1", oracletest.Options{Version: oracletest.Oracle11}},
		{"12.1, an account from 11g", oracletest.Options{Version: oracletest.Oracle12, Verifier: oracletest.Verifier11g}},
		{"12.1, an account from 10g", oracletest.Options{Version: oracletest.Oracle12, Verifier: oracletest.Verifier10g, Password: "senha"}},
		{"12.1, PBKDF2", oracletest.Options{Version: oracletest.Oracle12, Verifier: oracletest.Verifier12c}},
		{"19c, PBKDF2", oracletest.Options{}},
		{"19c, an account from 11g", oracletest.Options{Verifier: oracletest.Verifier11g}},
		{"21c, PBKDF2", oracletest.Options{Version: oracletest.Oracle21}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.options.Password == "" {
				c.options.Password = "p@ss/w:rd ção"
			}
			d := start(t, c.options)
			table(t, d, 3)
			host, port := hostPort(t, d)
			db := connectURL(t, go_ora.BuildUrl(host, port, "erp", "pombo", c.options.Password, nil))
			if status, err := statusOf(t.Context(), db, 2); err != nil || status != 1 {
				t.Errorf("status = %d, %v; want 1", status, err)
			}
			if got := d.Sessions(); len(got) != 1 || got[0].User != "POMBO" || !strings.HasPrefix(got[0].Driver, "OracleClientGo") {
				t.Errorf("sessions = %+v, want one of POMBO by OracleClientGo", got)
			}
			wrong := connectURL(t, go_ora.BuildUrl(host, port, "erp", "pombo", "wrong", nil))
			wantORA(t, "a wrong password", wrong.Ping(), 1017)
			stranger := connectURL(t, go_ora.BuildUrl(host, port, "erp", "nobody", c.options.Password, nil))
			wantORA(t, "an unknown name", stranger.Ping(), 1017)
		})
	}
}

// What go-ora does at each login, and what the options save.
func TestLogin_RoundTrips(t *testing.T) {
	d := start(t, oracletest.Options{})
	const connecting, negotiate, login, execute, query, ping = oracletest.Connect, oracletest.Negotiate, oracletest.Login, oracletest.Execute, oracletest.Query, oracletest.Ping
	db := connect(t, d, nil)
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, d, "a login and a ping", connecting, negotiate, negotiate, negotiate, login, login, negotiate, execute, ping, query, ping)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Raw(func(c any) error {
		if got := c.(*go_ora.Connection).NLSData.DateFormat; got != "DD/MM/RR" {
			t.Errorf("NLS_DATE_FORMAT = %q, want DD/MM/RR", got)
		}
		return nil
	})
	if err != nil || conn.Close() != nil {
		t.Error(err)
	}

	located := connect(t, d, map[string]string{"SERVER LOCATION": "America/Sao_Paulo"})
	if err := located.Ping(); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, d, "a login with SERVER LOCATION", connecting, negotiate, negotiate, negotiate, login, login, negotiate, execute, ping, ping)
	if err := located.Close(); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, d, "logging off", oracletest.Logoff)
}

func TestSetAccount(t *testing.T) {
	d := start(t, oracletest.Options{})
	try := func(password string) error {
		host, port := hostPort(t, d)
		db := connectURL(t, go_ora.BuildUrl(host, port, "ERP", "pombo", password, quick()))
		defer func() { _ = db.Close() }()
		return db.Ping()
	}
	d.SetAccount(oracletest.AccountExpiring)
	wantORA(t, "a password that expires soon", try("s3nha"), 0)
	d.SetAccount(oracletest.AccountExpired)
	wantORA(t, "an expired password", try("s3nha"), 28001)
	d.SetAccount(oracletest.AccountLocked)
	wantORA(t, "a locked account", try("s3nha"), 28000)
	d.SetAccount(oracletest.AccountOpen)
	wantORA(t, "an open account", try("s3nha"), 0)

	for n := range 10 {
		wantORA(t, "a wrong password", try("wrong"), 1017)
		if got := d.WrongLogins(); got != n+1 {
			t.Errorf("wrong logins = %d, want %d", got, n+1)
		}
	}
	wantORA(t, "the right password after ten wrong ones", try("s3nha"), 28000)
	d.SetAccount(oracletest.AccountOpen)
	wantORA(t, "the account unlocked", try("s3nha"), 0)
	wantORA(t, "one wrong password", try("wrong"), 1017)
	wantORA(t, "the right one after it", try("s3nha"), 0)
	if got := d.WrongLogins(); got != 0 {
		t.Errorf("wrong logins after a right one = %d, want 0", got)
	}
}

func TestServices(t *testing.T) {
	d := start(t, oracletest.Options{})
	host, port := hostPort(t, d)
	descriptor := func(format string, args ...any) string {
		return go_ora.BuildJDBC("pombo", "s3nha", fmt.Sprintf(format, args...), quick())
	}
	sid, wrongSID := quick(), quick()
	sid["SID"], wrongSID["SID"] = "ERP1", "ERP9"
	for _, c := range []struct {
		name, url string
		want      int
	}{
		{"a service", go_ora.BuildUrl(host, port, "ERP", "pombo", "s3nha", quick()), 0},
		{"a SID", go_ora.BuildUrl(host, port, "", "pombo", "s3nha", sid), 0},
		{"an unknown service", go_ora.BuildUrl(host, port, "NADA", "pombo", "s3nha", quick()), 12514},
		{"an unknown SID", go_ora.BuildUrl(host, port, "", "pombo", "s3nha", wrongSID), 12505},
		{"a descriptor", descriptor("(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=%s)(PORT=%d))(CONNECT_DATA=(SERVICE_NAME=ERP)))", host, port), 0},
		{"a descriptor with a SID", descriptor("(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=%s)(PORT=%d))(CONNECT_DATA=(SID=ERP1)))", host, port), 0},
		{"a dead address first", descriptor("(DESCRIPTION=(FAILOVER=ON)(ADDRESS_LIST=(ADDRESS=(PROTOCOL=TCP)(HOST=%[1]s)(PORT=1))(ADDRESS=(PROTOCOL=TCP)(HOST=%[1]s)(PORT=%d)))(CONNECT_DATA=(SERVICE_NAME=ERP)))", host, port), 0},
		{"a long descriptor", descriptor("(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=%s)(PORT=%d))(CONNECT_DATA=(SERVICE_NAME=ERP)(PADDING=%s)))", host, port, strings.Repeat("x", 300)), 0},
	} {
		t.Run(c.name, func(t *testing.T) { wantORA(t, c.name, connectURL(t, c.url).Ping(), c.want) })
	}
}

// Not open yet, not registered yet, no listener; and everything back again.
func TestRefuse(t *testing.T) {
	d := start(t, oracletest.Options{})
	table(t, d, 1)
	held := connect(t, d, quick())
	if err := held.Ping(); err != nil {
		t.Fatal(err)
	}
	try := func() error {
		db := connect(t, d, quick())
		defer func() { _ = db.Close() }()
		return db.Ping()
	}
	for _, code := range []int{1033, 1034, 12528} {
		d.Refuse(code)
		wantORA(t, "a login that is refused", try(), code)
	}
	d.Forget()
	wantORA(t, "a listener that refuses", try(), 12528)
	wantSteps(t, d, "a connection that the listener refuses", oracletest.Connect)
	d.Refuse(0)
	d.Down()
	if err := try(); ora(err) != -1 {
		t.Errorf("a login without a listener: %v, want a network error", err)
	}
	if _, err := statusOf(t.Context(), held, 1); err != nil {
		t.Errorf("a session from before: %v", err)
	}
	if err := d.Up(); err != nil {
		t.Fatal(err)
	}
	wantORA(t, "a login once all is well", try(), 0)
}

func TestDouble_TLS(t *testing.T) {
	server, client := certificates(t)
	d := start(t, oracletest.Options{TLS: server})
	d.Resend(1)
	host, port := hostPort(t, d)
	options := quick()
	options["SSL"], options["SSL VERIFY"] = "true", "true"
	c := go_ora.NewConnector(go_ora.BuildUrl(host, port, "ERP", "pombo", "s3nha", options)).(*go_ora.OracleConnector)
	c.WithTLSConfig(client)
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
}

// certificates makes a certificate for 127.0.0.1 and a client that trusts it.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "double"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

func TestStart_Refuses(t *testing.T) {
	for _, o := range []oracletest.Options{
		{Version: 99},
		{Charset: 1},
		{Version: oracletest.Oracle11, Verifier: oracletest.Verifier12c},
	} {
		if d, err := oracletest.Start(o); err == nil {
			d.Close()
			t.Errorf("Start(%+v) = nil, want an error", o)
		}
	}
}
