package app

import "pombo/internal/source"

// sourceDrivers are the databases that the company's table may be in. Oracle accepts any
// DB_DSN, so it comes last.
var sourceDrivers = []source.Driver{source.SQLiteDriver, source.PostgresDriver, source.OracleDriver}
