package source_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/internal/source/postgres"
	"pombo/internal/source/sqlite"
	"pombo/test/sourcetest"
)

// drivers are in the order of internal/app.
var drivers = []source.Driver{sqlite.Driver, postgres.Driver, oracle.Driver}

// Whatever stands in DB_URL or DB_DSN, opening ends with a table or with an error
// that keeps the password to itself. No connection is made. (Oracle's addresses
// have FuzzOracle_Address.)
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"@db:5432/erp?sslmode=require", "@[::1]/x", "@a,b:1/c", "%@/", " host=a port=b", "' sslmode='x", ".db?mode=ro", ":memory:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const secret = "q7Hidden7q"
		for _, o := range []source.Options{
			{URL: "postgres://pombo:" + secret + s},
			{URL: "postgres://pombo:" + s + secret + "@h/d"},
			{DSN: "host=h password=" + secret + s},
			{DSN: "postgres://h/d?" + s, User: "pombo", Password: secret},
			{URL: "sqlite:" + t.TempDir() + "/" + s},
			{URL: s + "://pombo:" + secret + "@h"},
		} {
			o.Drivers, o.Mapping = drivers, sourcetest.Defaults()
			table, err := source.Open(t.Context(), o)
			if err == nil {
				_ = table.Close()
			} else if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) && !strings.Contains(s, secret) {
				t.Errorf("the error tells the password: %v", err)
			}
		}
	})
}

func TestOpen_Refuses(t *testing.T) {
	for url, want := range map[string]string{
		"":                          "DB_URL",
		"sqlite:":                   "no file is named",
		"mysql://u:s3nha@host/base": `unknown kind of database "mysql"; DB_URL starts with oracle:, postgres: or sqlite:`,
	} {
		_, err := source.Open(t.Context(), source.Options{Drivers: drivers, URL: url, Mapping: sourcetest.Defaults()})
		sourcetest.WantError(t, err, true, want)
		if strings.Contains(err.Error(), "s3nha") {
			t.Errorf("the error holds the password: %v", err)
		}
	}
	m := sourcetest.Defaults()
	m.Table = "ERP.NOTIFICACAO"
	_, err := source.Open(t.Context(), source.Options{Drivers: drivers, URL: "sqlite:x.db", Mapping: m})
	sourcetest.WantError(t, err, true, "no schema ERP")
}

// Without DB_URL the form of DB_DSN says which database it names.
func TestOpen_ByDSN(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgresql://db/erp?sslmode=disable": "SELECT set_config",
		"host=db dbname=erp sslmode=disable":  "SELECT set_config",
		"db:1521/ERP":                         "ALL_TAB_COLUMNS",
		"(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=db)(PORT=1521))(CONNECT_DATA=(SID=ERP)))": "ALL_TAB_COLUMNS",
	} {
		table, err := source.Open(t.Context(), source.Options{Drivers: drivers, DSN: dsn, User: "u", Password: "p", Mapping: sourcetest.Defaults()})
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if !slices.ContainsFunc(table.SQL(), func(s source.Statement) bool { return strings.Contains(s.Text, want) }) {
			t.Errorf("%s opens a table whose statements lack %s", dsn, want)
		}
		_ = table.Close()
	}
}
