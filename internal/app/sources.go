package app

import (
	"pombo/internal/source"
	"pombo/internal/source/oracle"
	"pombo/internal/source/postgres"
	"pombo/internal/source/sqlite"
)

// sourceDrivers are the databases that the company's table may be in. Oracle accepts any
// DB_DSN, so it comes last.
var sourceDrivers = []source.Driver{sqlite.Driver, postgres.Driver, oracle.Driver}
