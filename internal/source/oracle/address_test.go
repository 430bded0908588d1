package oracle_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// Each way to name a database leads to it.
func TestOracle_Addresses(t *testing.T) {
	nightly.WithoutRace(t)
	const password = "s3nha@/:ç %"
	d := startOracle(t, oracletest.Options{Password: password})
	pendingTable(t, d, "NOTIFICACAO", 1)
	host, port, err := net.SplitHostPort(d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	standby := startOracle(t, oracletest.Options{Service: "OUTRO"})
	_, standbyPort, _ := net.SplitHostPort(standby.Addr())
	odd := startOracle(t, oracletest.Options{Service: "ERP$PRD#1"})
	_, oddPort, _ := net.SplitHostPort(odd.Addr())
	pendingTable(t, odd, "NOTIFICACAO", 1)
	address := func(port string) string {
		return "(ADDRESS = (PROTOCOL = TCP)(HOST = " + host + ")(PORT = " + port + "))"
	}
	folder := t.TempDir()
	names := "# tnsnames.ora\nOUTRO=(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=x)(PORT=1))(CONNECT_DATA=(SID=X)))\n\nPRODUCAO.EMPRESA.COM.BR,\n  ERP =\n  (DESCRIPTION =\n    " +
		address(port) + "\r\n    (CONNECT_DATA =\n      (SERVICE_NAME = ERP) # o ERP\n    )\n  )\n"
	if err := os.WriteFile(filepath.Join(folder, "tnsnames.ora"), []byte(names), 0o600); err != nil {
		t.Fatal(err)
	}
	escaped := "s3nha%40%2F%3A%C3%A7%20%25"
	for name, o := range map[string]source.Options{
		"URL":                      {URL: "oracle://pombo:" + escaped + "@" + d.Addr() + "/ERP"},
		"URL, user beside it":      {URL: "oracle://" + d.Addr() + "/ERP", User: "pombo", Password: password},
		"URL with a SID":           {URL: "oracle://pombo:" + escaped + "@" + d.Addr() + "/?sid=ERP1"},
		"EZConnect":                {DSN: d.Addr() + "/ERP"},
		"EZConnect with slashes":   {DSN: "//" + d.Addr() + "/ERP:dedicated"},
		"EZConnect with two hosts": {DSN: host + ":1," + d.Addr() + "/ERP"},
		"descriptor":               {DSN: "(DESCRIPTION=" + address(port) + "(CONNECT_DATA=(SERVICE_NAME=ERP)))"},
		"descriptor with a SID":    {DSN: "(DESCRIPTION=" + address(port) + "\n (CONNECT_DATA=(SID=ERP1)))"},
		"addresses, the first one dead": {DSN: "(DESCRIPTION=(FAILOVER=ON)(LOAD_BALANCE=OFF)(ADDRESS_LIST=" + address("1") + address(port) +
			")(CONNECT_DATA=(SERVICE_NAME=ERP)))"},
		"two sites":                            {DSN: "(DESCRIPTION_LIST=(DESCRIPTION=" + address("1") + "(CONNECT_DATA=(SERVICE_NAME=ERP)))(DESCRIPTION=" + address(port) + "(CONNECT_DATA=(SERVICE_NAME=ERP))))"},
		"two sites, of which one is a standby": {DSN: "(DESCRIPTION_LIST=(LOAD_BALANCE=off)(DESCRIPTION=" + address(standbyPort) + "(CONNECT_DATA=(SERVICE_NAME=ERP)))(DESCRIPTION=" + address(port) + "(CONNECT_DATA=(SERVICE_NAME=ERP)(FAILOVER_MODE=(TYPE=select)(METHOD=basic)))))"},
		"buffers in the address":               {DSN: "(DESCRIPTION=(SDU=32767)(ADDRESS=(PROTOCOL=tcp)(HOST=" + host + ")(PORT=" + port + ")(SEND_BUF_SIZE=11784)(RECV_BUF_SIZE=11784))(CONNECT_DATA=(SERVER=DEDICATED)(SERVICE_NAME=ERP)))"},
		"host, port and SID":                   {DSN: d.Addr() + ":ERP1"},
		"EZConnect Plus":                       {DSN: "tcp://" + d.Addr() + "/ERP?connect_timeout=5&transport_connect_timeout=3&retry_count=3&expire_time=2"},
		"EZConnect Plus, URL":                  {URL: "oracle://pombo:" + escaped + "@" + d.Addr() + "/ERP?retry_count=3"},
		"a semicolon behind":                   {DSN: d.Addr() + "/ERP;"},
		"JDBC":                                 {DSN: "jdbc:oracle:thin:@//" + d.Addr() + "/ERP"},
		"JDBC with a SID":                      {DSN: "jdbc:oracle:thin:@" + d.Addr() + ":ERP1"},
		"JDBC with a descriptor":               {DSN: "jdbc:oracle:thin:@(DESCRIPTION=" + address(port) + "(CONNECT_DATA=(SERVICE_NAME=ERP)))"},
		"signs in the service, URL":            {URL: "oracle://pombo:s3nha@" + odd.Addr() + "/ERP$PRD#1"},
		"signs in the service, EZConnect":      {DSN: odd.Addr() + "/ERP$PRD#1", Password: "s3nha"},
		"signs in the service, descriptor":     {DSN: "(DESCRIPTION=" + address(oddPort) + "(CONNECT_DATA=(SERVICE_NAME=ERP$PRD#1)))", Password: "s3nha"},
		"alias":                                {DSN: "erp"},
		"alias without its domain":             {DSN: "PRODUCAO"},
		"alias with its domain":                {DSN: "producao.empresa.com.br"},
	} {
		t.Run(name, func(t *testing.T) {
			if o.URL == "" {
				if o.User = "pombo"; o.Password == "" {
					o.Password = password
				}
			}
			o.Mapping, o.Timeout, o.TNSAdmin = small(), 10*time.Second, folder
			mustPage(t, openOracleWith(t, o), "", 1)
		})
	}
}

func TestOracle_RefusesBadAddresses(t *testing.T) {
	nightly.WithoutRace(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "tnsnames.ora"), []byte("PRODUCAO=(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=x)(PORT=1))(CONNECT_DATA=(SID=X)))"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORACLE_HOME", "")
	for _, c := range []struct {
		o    source.Options
		want string
	}{
		{source.Options{URL: "oracle://pombo:s3nha@db:porta/ERP"}, "the address cannot be read; write DB_URL=oracle://"},
		{source.Options{URL: "oracle://pombo:s3nha@x@db/ERP%"}, "the address cannot be read; write DB_URL=oracle://"},
		{source.Options{URL: "oracle://pombo:s3nha@db:1521"}, "the address names no service"},
		{source.Options{URL: "oracle://db:1521/ERP"}, "no user or no password is given; set DB_USER and DB_PASSWORD"},
		{source.Options{URL: "oracle://pombo:s3nha@db/ERP?xyz=1"}, "unknown URL option: XYZ"},
		{source.Options{URL: "oracle://pombo:s3nha@db/ERP?ca=/nowhere/ca.pem"}, "/nowhere/ca.pem"},
		{source.Options{URL: "oracle://pombo:s3nha@db/ERP?ca=" + filepath.Join(folder, "tnsnames.ora")}, "has no certificate"},
		{source.Options{URL: "oracle://pombo:s3nha@db/ERP?wallet=/nowhere"}, "/nowhere/cwallet.sso"},
		{source.Options{DSN: "pombo/s3nha@db:1521/ERP", User: "pombo", Password: "s3nha"}, "the address cannot be read; write DB_DSN=host:1521/service"},
		{source.Options{DSN: "db:1521", User: "pombo", Password: "s3nha"}, "the address names no service"},
		{source.Options{DSN: "db:15x1/ERP", User: "pombo", Password: "s3nha"}, "the address cannot be read"},
		{source.Options{DSN: "(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=ERP)))", User: "pombo", Password: "s3nha"}, "see the host, the service or SID"},
		{source.Options{DSN: "ldap://oid:389/ERP,cn=OracleContext,dc=hospital", User: "pombo", Password: "s3nha"}, "names of an LDAP directory are not supported; run tnsping"},
		{source.Options{DSN: "db:1521/ERP", User: "pombo[erp]", Password: "s3nha"}, "a second account in brackets, which is not supported; log in as one account"},
		{source.Options{DSN: "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=x)(PORT=1)(CONNECT_DATA=(SID=X)))", User: "pombo", Password: "s3nha"}, "the descriptor cannot be read; see"},
		{source.Options{DSN: "PRODUCA", User: "pombo", Password: "s3nha"}, `tnsnames.ora has no alias "PRODUCA"; did you mean PRODUCAO? (DB_DSN)`},
	} {
		c.o.Drivers, c.o.Mapping, c.o.TNSAdmin = []source.Driver{oracle.Driver}, small(), folder
		t.Run(c.want, func(t *testing.T) {
			_, err := source.Open(t.Context(), c.o)
			sourcetest.WantError(t, err, true, "open the source: ", c.want)
		})
	}
	_, err := source.Open(t.Context(), source.Options{Drivers: []source.Driver{oracle.Driver}, DSN: "PRODUCAO", User: "pombo", Password: "s3nha", Mapping: small()})
	sourcetest.WantError(t, err, true, "set TNS_ADMIN to the folder of tnsnames.ora")
}

// TCPS believes the authority in the file that is named, and no other.
func TestOracle_TCPSTrustsOnlyTheNamedAuthority(t *testing.T) {
	nightly.WithoutRace(t)
	certificate, file := authority(t)
	d := startOracle(t, oracletest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}})
	pendingTable(t, d, "NOTIFICACAO", 3)
	_, port, err := net.SplitHostPort(d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []source.Options{
		{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP?ca=" + file},
		{DSN: "tcps://" + d.Addr() + "/ERP?ca=" + file, User: "pombo", Password: "s3nha"},
	} {
		o.Mapping, o.Timeout = small(), 10*time.Second
		table := openOracleWith(t, o)
		mustPage(t, table, "", 10)
		mustSettle(t, table, pombo.SettleDone, batchOf(1)...)
	}
	// A listener that hands the connection on wants a second handshake, which is held
	// against the same authority.
	d.Resend(1)
	table := openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP?ca=" + file, Mapping: small(), Timeout: 10 * time.Second})
	mustPage(t, table, "", 10)
	d.Resend(0)
	table = openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP?ssl=true", Mapping: small(), Timeout: 10 * time.Second})
	_, err = table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, true, "certificate", "give the certificate of the server's authority")
	table = openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@localhost:" + port + "/ERP?ca=" + file, Mapping: small(), Timeout: 10 * time.Second})
	_, err = table.Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, true, "localhost", "the name that its certificate has")
}

// An old server that knows only RSA, which Go's TLS does not offer by itself.
func TestOracle_OldTLS(t *testing.T) {
	nightly.WithoutRace(t)
	certificate, file := authority(t)
	d := startOracle(t, oracletest.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{certificate}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}})
	_, err := openOracleWith(t, source.Options{URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP?ca=" + file, Mapping: small(), Timeout: 10 * time.Second}).Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, true, "GODEBUG=tlsrsakex=1")
}

// authority makes a certificate for 127.0.0.1 that vouches for itself.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
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

func TestAliases(t *testing.T) {
	const erp = "(DESCRIPTION = (ADDRESS = (HOST = a)) )"
	for content, want := range map[string]map[string]string{
		"":                                   {},
		"# nothing\n\n":                      {},
		"ERP=(A=1)":                          {"ERP": "(A=1)"},
		"ERP = (A=1) LIXO\nRH = (B=(C=2))\n": {"ERP": "(A=1)", "RH": "(B=(C=2))"},
		"IFILE = /etc/tns.ora\nERP=(A=1)":    {"ERP": "(A=1)"},
		"ERP, RH ,\n FIN = # três\r\n (A=1)": {"ERP": "(A=1)", "RH": "(A=1)", "FIN": "(A=1)"},
		"ERP =\n (DESCRIPTION =\n  (ADDRESS =\t(HOST = a))\n )\n": {"ERP": erp},
		"ERP=(A=1))\nRH=(B=2)": {"ERP": "(A=1)", "RH": "(B=2)"},
		"ERP=(A=1":             {},
		"#ERP=(A=1)\nRH=(B=2)": {"RH": "(B=2)"},
		"=(A=1)":               {},
	} {
		if diff := cmp.Diff(want, oracle.Aliases(content)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", content, diff)
		}
	}
}

// Whatever stands in the file, a descriptor has its brackets closed.
func FuzzAliases(f *testing.F) {
	f.Add("ERP, RH = (DESCRIPTION = (ADDRESS = (HOST = a)(PORT=1521)) # c\n )\nIFILE=x\n")
	f.Add("=(=)=()(")
	f.Fuzz(func(t *testing.T, content string) {
		for name, d := range oracle.Aliases(content) {
			if name == "" || strings.ContainsAny(name, "\n=") || strings.Count(d, "(") != strings.Count(d, ")") || !strings.HasPrefix(d, "(") || !strings.HasSuffix(d, ")") {
				t.Errorf("%q = %q", name, d)
			}
		}
	})
}

// Whatever stands in a setting, opening ends with a table or with an *Error that
// keeps the password to itself.
func FuzzOracle_Address(f *testing.F) {
	for _, s := range []string{"db:1521/ERP", "//[::1]:1521/ERP:dedicated/ERP1?wallet=x", "tcps://a,b:2484/s?ssl=true", "(DESCRIPTION=(ADDRESS=(HOST=a)(PORT=1))(CONNECT_DATA=(SID=x)))", "oracle://a:b@c/d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, o := range []source.Options{{DSN: s, User: "pombo", Password: "h5Kx-9fQ2"}, {URL: "oracle://pombo:h5Kx-9fQ2@" + s}} {
			o.Drivers, o.Mapping = []source.Driver{oracle.Driver}, small()
			table, err := source.Open(t.Context(), o)
			if err == nil {
				_ = table.Close()
			} else if strings.Contains(fmt.Sprint(err), "h5Kx-9fQ2") {
				t.Errorf("error tells the password: %v", err)
			}
		}
	})
}

// Two sites are tried in turn, but not after one that refuses the account.
func TestOracle_TriesTwoSites(t *testing.T) {
	first, second := startOracle(t, oracletest.Options{}), startOracle(t, oracletest.Options{})
	pendingTable(t, second, "NOTIFICACAO", 1)
	site := func(d *oracletest.Double) string {
		host, port, _ := net.SplitHostPort(d.Addr())
		return "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=" + host + ")(PORT=" + port + "))(CONNECT_DATA=(SERVICE_NAME=ERP)))"
	}
	o := source.Options{DSN: "(DESCRIPTION_LIST=" + site(first) + site(second) + ")", User: "pombo", Password: "s3nha", Mapping: small(), Timeout: 10 * time.Second}
	first.Refuse(12528)
	mustPage(t, openOracleWith(t, o), "", 1)
	first.Refuse(1033) // the database behind it, a standby that is not open
	mustPage(t, openOracleWith(t, o), "", 1)
	second.Down()
	_, err := openOracleWith(t, o).Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, false, "the database is starting, stopping or not open yet (ORA-01033)")
	first.Refuse(0)
	if err := second.Up(); err != nil {
		t.Fatal(err)
	}
	second.Forget()
	o.Password = "errada"
	_, err = openOracleWith(t, o).Page(t.Context(), "", 1)
	sourcetest.WantError(t, err, true, "ORA-01017")
	if first.WrongLogins() != 1 || second.WrongLogins() != 0 {
		t.Errorf("%d and %d wrong logins, want one in all", first.WrongLogins(), second.WrongLogins())
	}
}
