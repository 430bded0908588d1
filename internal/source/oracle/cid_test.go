package oracle_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"pombo/internal/source"
	"pombo/test/nightly"
	"pombo/test/oracletest"
)

// A listener parses what the client says of itself, and takes no folder with blanks,
// brackets or accents. Nothing of the kind is sent, however the database is named and
// also to where a listener sends us on.
func TestOracle_ConnectDataIsPlain(t *testing.T) {
	nightly.WithoutRace(t)
	name := os.Args[0]
	t.Cleanup(func() { os.Args[0] = name })
	os.Args[0] = `C:\Program Files (x86)\Notificação=1\pombo.exe`
	t.Setenv("USER", `HOSPITAL\joão (TI)`)
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 1)
	host, port, _ := strings.Cut(d.Addr(), ":")
	for form, o := range map[string]source.Options{
		"URL":        {URL: "oracle://pombo:s3nha@" + d.Addr() + "/ERP"},
		"EZConnect":  {DSN: d.Addr() + "/ERP", User: "pombo", Password: "s3nha"},
		"descriptor": {DSN: "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=" + host + ")(PORT=" + port + "))(CONNECT_DATA=(SERVICE_NAME=ERP)(CID=(PROGRAM=C:\\x y)(HOST=ç)(USER=a b))))", User: "pombo", Password: "s3nha"},
	} {
		t.Run(form, func(t *testing.T) {
			o.Mapping, o.Timeout = small(), 10*time.Second
			d.Forget()
			d.Redirect(d.Addr())
			mustPage(t, openOracleWith(t, o), "", 1)
			connects := 0
			for _, c := range d.Calls() {
				if c.Step != oracletest.Connect {
					continue
				}
				connects++
				cid := regexp.MustCompile(`\(CID=\(PROGRAM=([A-Za-z0-9._-]+)\)\(HOST=([A-Za-z0-9._-]+)\)\(USER=([A-Za-z0-9._-]+)\)\)`).FindStringSubmatch(c.Data)
				if cid == nil || cid[1] != "pombo" || cid[3] != "jo_o__TI_" {
					t.Errorf("connect data = %s", c.Data)
				}
			}
			if connects != 2 {
				t.Errorf("%d connections, want one and one more after a redirect", connects)
			}
		})
	}
}
