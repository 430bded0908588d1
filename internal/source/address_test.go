package source_test

import (
	"fmt"
	"strings"
	"testing"

	"pombo/internal/source"
)

// Whatever stands in DB_URL or DB_DSN, opening ends with a table or with an error
// that keeps the password to itself. No connection is made. (Oracle's addresses
// have FuzzOracleAddress.)
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
			o.Drivers, o.Mapping = source.AllDrivers, small()
			table, err := source.Open(t.Context(), o)
			if err == nil {
				_ = table.Close()
			} else if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) && !strings.Contains(s, secret) {
				t.Errorf("the error tells the password: %v", err)
			}
		}
	})
}
