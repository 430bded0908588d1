package sqlite

import (
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"pombo/internal/source"
)

func (d *dialect) Explain(err error) source.Explanation {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return source.Explanation{Class: source.Transient}
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return source.Explanation{Class: source.Transient, Hint: "another program holds the file; it is tried again by itself"}
	case sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_SCHEMA:
		return source.Explanation{Class: source.Transient}
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH:
		return source.Explanation{Class: source.Refused, Detail: constraintMessage(e)}
	case sqlite3.SQLITE_FULL:
		return source.Explanation{Class: source.Permanent, Hint: "the disk is full: make room on the disk of " + d.path}
	case sqlite3.SQLITE_READONLY:
		if e.Code() == sqlite3.SQLITE_READONLY_DBMOVED {
			return source.Explanation{Class: source.Transient, Hint: "the file was replaced; it is opened again by itself"}
		}
		return source.Explanation{Class: source.Permanent, Hint: "give the account that runs Pombo the right to write " + d.path + " and its folder"}
	case sqlite3.SQLITE_CANTOPEN:
		return source.Explanation{Class: source.Permanent, Hint: "see whether the file " + d.path + " is there and may be read (DB_URL); Pombo does not create it"}
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return source.Explanation{Class: source.Permanent, Hint: "give the account that runs Pombo the right to read and write " + d.path}
	case sqlite3.SQLITE_NOTADB:
		return source.Explanation{Class: source.Permanent, Hint: d.path + " is not an SQLite file: correct DB_URL"}
	case sqlite3.SQLITE_CORRUPT:
		return source.Explanation{Class: source.Permanent, Hint: "restore " + d.path + " from a copy"}
	case sqlite3.SQLITE_IOERR:
		return source.Explanation{Class: source.Transient, Hint: "see whether the disk or the network share of " + d.path + " is in order"}
	case sqlite3.SQLITE_NOMEM:
		return source.Explanation{Class: source.Transient}
	}
	switch {
	case strings.Contains(e.Error(), "cannot modify"):
		return source.Explanation{Class: source.Permanent, Hint: "map the table itself, or give the view an INSTEAD OF UPDATE trigger (DB_TABLE)"}
	case strings.Contains(e.Error(), "no such"):
		return source.Explanation{Class: source.Permanent, Hint: "compare the mapping with the table, its triggers and its views (pombo sql)"}
	}
	return source.Explanation{Class: source.Permanent}
}

// constraintMessage says what refuses a row. A trigger's own message may name a person,
// so it is not repeated.
func constraintMessage(e *sqlite.Error) string {
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return "a trigger of the table refuses the change"
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return "a CHECK of the table refuses the new values"
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return "a foreign key of the table does not know the new code"
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return "a written column may not be empty (NOT NULL)"
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return "a unique index does not take the new values twice"
	case sqlite3.SQLITE_CONSTRAINT_DATATYPE:
		return "a written column is of another type than the new value"
	default:
		return "a constraint of the table refuses the change"
	}
}
