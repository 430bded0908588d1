package setup

import (
	"strings"
	"testing"

	"pombo/internal/config"
)

// A database that can be opened can be named in DB_URL, and the settings' text says how.
func TestSourceDrivers_SchemesAreSettings(t *testing.T) {
	for _, d := range Drivers {
		if d.System == "" {
			t.Errorf("%s has no System: its statements would be spans of an unknown database", d.Schemes[0])
		}
		for _, scheme := range d.Schemes {
			address := scheme + "://user:password@host/database"
			if d.Port == "" {
				address = scheme + ":file"
			}
			if _, _, err := config.Load("", []string{"DB_URL=" + address}, config.NeedSource); err != nil && strings.Contains(err.Error(), "DB_URL") {
				t.Errorf("DB_URL=%s: %v: add the scheme to DB_URL in internal/config/table.go", address, err)
			}
		}
		_, _, err := config.Load("", []string{"DB_URL=unknown:"}, config.NeedSource)
		if err == nil || !strings.Contains(err.Error(), d.Schemes[0]+":") {
			t.Errorf("error = %v, want it to name %s", err, d.Schemes[0])
		}
	}
}
