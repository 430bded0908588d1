package ledger

import (
	"strings"
	"testing"
)

// Whatever stands in LEDGER_URL, it is understood or refused with a sentence that
// keeps the password to itself. No connection is made.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"@db:5432/pombo?sslmode=require", "@[::1]/x?host=/tmp", "@a,b:1/c?target_session_attrs=any", "%@/", "@h:99999/d", "@h/d?sslrootcert=/none&sslmode=verify-full", " host=a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		const secret = "q7Hidden7q"
		for _, url := range []string{"postgres://pombo:" + secret + rest, "postgres://pombo:" + rest + secret + "@h/d", "host=h password=" + secret + rest} {
			db, err := postgresPool(url, 1)
			switch {
			case err == nil:
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			case strings.Contains(err.Error(), secret):
				t.Errorf("the error tells the password: %v", err)
			}
		}
	})
}
