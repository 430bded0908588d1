package setup

import (
	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/internal/source/postgres"
	"pombo/internal/source/sqlite"
)

// Drivers are the databases that the company's table may be in. Oracle accepts any
// DB_DSN, so it comes last.
var Drivers = []source.Driver{sqlite.Driver, postgres.Driver, oracle.Driver}
