package setup

import (
	"slices"

	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/internal/source/postgres"
	"pombo/internal/source/sqlite"
)

// Drivers are the databases that the company's table may be in. Oracle accepts any
// DB_DSN, so it comes last.
var Drivers = []source.Driver{sqlite.Driver, postgres.Driver, oracle.Driver}

// DefaultPort is the port of a database whose address names none; "" = it has none.
func DefaultPort(scheme string) string {
	for _, d := range Drivers {
		if slices.Contains(d.Schemes, scheme) {
			return d.Port
		}
	}
	return ""
}
