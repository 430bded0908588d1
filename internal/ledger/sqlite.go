package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	modernc "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"pombo"
)

//go:embed migration/sqlite/*.sql
var sqliteMigrations embed.FS

// sqlite is the ledger in one file. The write-ahead log with synchronous=FULL
// makes each commit one sync of the disk, after which it survives a loss of power.
type sqlite struct {
	path      string
	exclusive bool
	events    bool // changes write their events
	writing   bool // the triggers that write them are there; the writer alone asks
	write     *sql.DB
	lock      *flock.Flock
	file      *os.File // locked too; nil = by another process, or not exclusively

	found   os.FileInfo                 // the file that was opened
	wal     atomic.Pointer[os.FileInfo] // its log, as the first check found it
	damaged atomic.Pointer[error]       // what SQLite said when it found damage
}

// Memory: the writer keeps the pages that it works on (the newest rows, the
// claimed rows, the ends of the indexes), the readers next to nothing.
const (
	writerCache = 12 << 10 // KiB
	readerCache = 1 << 10  // KiB, each
	readers     = 4
)

// busyTimeout is how many milliseconds a connection waits for another one.
const busyTimeout = 10_000

func (s *sqlite) open(ctx context.Context) (write, read *sql.DB, err error) {
	if s.path == "" {
		return nil, nil, errors.New("its address names no file (LEDGER_URL, for instance sqlite:data/pombo.db)")
	}
	// Before anything is left in the file or beside it: is this the place for one?
	if s.path, err = Locate(s.path); err != nil {
		return nil, nil, err
	}
	_, unknown := recognize(ctx, s.path)
	if _, ofSystem := errors.AsType[*fs.PathError](unknown); unknown != nil && !ofSystem && !errors.Is(unknown, pombo.ErrNotFound) {
		return nil, nil, s.explain(unknown)
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o750); err != nil {
		return nil, nil, fmt.Errorf("create its folder: %w; set LEDGER_URL to a place where this user may write", err)
	}
	s.lock = flock.New(s.path + ".lock")
	held, err := s.lock.TryLock()
	if err != nil {
		return nil, nil, fmt.Errorf("lock %s: %w; the folder of the ledger has to be writable for this user", s.lock.Path(), err)
	}
	defer func() {
		if err != nil {
			if write != nil {
				_ = write.Close()
			}
			_ = s.close()
			write, read = nil, nil
		}
	}()
	if !held && s.exclusive {
		return nil, nil, fmt.Errorf("another pombo is running on %s; stop it first, or give this one a file of its own with LEDGER_URL", s.path)
	}
	if held {
		switch alone, err := s.take(); {
		case err != nil:
			return nil, nil, fmt.Errorf("open %s: %w; give this user the right to read and write it", s.path, err)
		case !alone:
			return nil, nil, fmt.Errorf("another pombo is running on %s, which has a second name (a hard link); stop it first, or give this one a file of its own with LEDGER_URL", s.path)
		}
		tighten(s.path)
		if !s.exclusive {
			// Before SQLite opens the file: see close.
			if err := s.letGo(); err != nil {
				return nil, nil, err
			}
		}
		if unknown != nil {
			if err := stamp(ctx, s.path); err != nil {
				return nil, nil, s.explain(err)
			}
		}
	}
	if write, err = s.pool(1, writerCache, ""); err != nil {
		return nil, nil, err
	}
	s.write = write
	if err := s.migrate(ctx, write, held); err != nil {
		return write, nil, s.explain(err)
	}
	if read, err = s.pool(readers, readerCache, "&_pragma=query_only(1)"); err != nil {
		return write, nil, err
	}
	if s.found, err = fileOf(s.path); err != nil {
		return write, read, errors.Join(err, read.Close())
	}
	if held && !s.exclusive {
		err = s.lock.Unlock()
	}
	return write, read, err
}

// pool opens connections to the file. With secure_delete what a change
// leaves behind is overwritten at once (a row is rewritten at each step, and its old
// places could not be found again when the person must be forgotten). Measured, it
// costs less CPU than the difference between two runs.
//
// The size of pages is SQLite's own: larger ones were not faster, and took 20 MiB
// more with 8 KiB, 50 with 16. (The driver runs the settings in the order of their
// names, whatever their order here, so page_size would come after the first write.)
func (s *sqlite) pool(size, cache int, more string) (*sql.DB, error) {
	c, err := modernc.NewConnector(fileURI(s.path) +
		"?_pragma=busy_timeout(" + strconv.Itoa(busyTimeout) + ")&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=secure_delete(ON)&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)&_pragma=journal_size_limit(67108864)" +
		"&_pragma=cache_size(-" + strconv.Itoa(cache) + ")" + more)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// fileURI writes a path as SQLite reads it in a URI.
func fileURI(path string) string {
	p := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	if filepath.VolumeName(path) != "" && !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/data becomes file:/C:/data
	}
	return "file:" + p
}

// migrate brings the schema up to date. Only the holder of the lock may: another
// process could be working with the schema as it is.
func (s *sqlite) migrate(ctx context.Context, db *sql.DB, locked bool) error {
	scripts, err := fs.Sub(sqliteMigrations, "migration/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, scripts, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("%s was written by a newer pombo (schema %d, this program knows %d); install the newer program again, or name another file in LEDGER_URL", s.path, have, want)
	case have == want:
		return nil
	case !locked:
		return fmt.Errorf("%s has the schema of an older pombo, which is running on it; restart that one with this version first", s.path)
	}
	_, err = p.Up(ctx)
	return err
}

func (s *sqlite) text(name statement) string  { return sqliteCatalogue().text(name) }
func (s *sqlite) limits() (statement, string) { return "", "" }

func (s *sqlite) second() dialect              { return nil }
func (s *sqlite) shared() bool                 { return false }
func (s *sqlite) stableFor(time.Duration) bool { return true }
func (s *sqlite) prepares() bool               { return true }

func (s *sqlite) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return ctx, func() {}
}

// transact takes the lock at once: a transaction that reads first could find it
// taken when it wants to write, and would have to start again.
func (s *sqlite) transact(tx *txn, group []*write) (err error) {
	if tx.conn == nil {
		tx.ctx = context.Background()
		if tx.conn, err = s.write.Conn(tx.ctx); err != nil {
			return err
		}
	}
	if err := s.writeEvents(tx); err != nil {
		return err
	}
	if err := tx.exec(sqlBeginTransaction); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// SQLite may have rolled back by itself, and then says so.
			_ = tx.exec(sqlRollback)
		}
	}()
	for _, b := range batches(group) {
		if err := s.each(tx, b.statement, b.rows, b.hit); err != nil {
			return err
		}
		b.share()
	}
	if err := tx.functions(group); err != nil {
		return err
	}
	return tx.exec(sqlCommit)
}

// writeEvents has changes of state write their events: by triggers of this connection alone,
// because triggers stored in the file would slow each step even without events.
func (s *sqlite) writeEvents(tx *txn) error {
	if !s.events || s.writing {
		return nil
	}
	for _, trigger := range []statement{sqlOutboxOfChange, sqlOutboxOfFallback, sqlOutboxOfIntake} {
		if _, err := tx.conn.ExecContext(tx.ctx, "DROP TRIGGER IF EXISTS temp."+string(trigger)); err != nil {
			return err
		}
		if _, err := tx.conn.ExecContext(tx.ctx, s.text(trigger)); err != nil {
			return err
		}
	}
	s.writing = true
	return nil
}

// each runs the prepared statement row by row. Measured, this takes half the
// time of one statement over a JSON array: there is no network to save. It talks
// to the driver itself, because database/sql takes its locks and copies the parameters
// for each row.
func (s *sqlite) each(tx *txn, name statement, rows [][]any, hit []bool) error {
	stmt, err := tx.direct(name)
	if err != nil {
		return err
	}
	var args []driver.NamedValue
	for i, row := range rows {
		args = args[:0]
		for k, v := range row {
			if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return err
			}
			args = append(args, driver.NamedValue{Ordinal: k + 1, Value: v})
		}
		r, err := stmt.ExecContext(tx.ctx, args)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return err
		}
		hit[i] = n > 0
	}
	return nil
}

// sqliteHints are the errors that an operator can correct.
var sqliteHints = map[int]string{
	code.SQLITE_FULL:     "the disk of the ledger is full; make room, and it goes on by itself",
	code.SQLITE_READONLY: "the ledger may not be written; give this user the right to write the file and its folder",
	code.SQLITE_NOTADB:   "this file is not a ledger; name another one in LEDGER_URL",
	code.SQLITE_CANTOPEN: "the ledger cannot be opened; give this user the right to read and write the file and its folder",
	code.SQLITE_BUSY:     "another program holds the ledger; close what has it open (a database browser, a backup)",
	code.SQLITE_IOERR:    "the disk of the ledger reports an error; see the system's log",
	code.SQLITE_CORRUPT:  "the ledger is damaged; stop pombo, keep the file, and restore it from a backup or start a new one",
}

// explain says what to do about the errors that an operator can correct.
func (s *sqlite) explain(err error) error {
	var e *modernc.Error
	if !errors.As(err, &e) {
		return err
	}
	what, ok := sqliteHints[e.Code()&0xff]
	if !ok {
		return err
	}
	err = fmt.Errorf("%s (%s): %w", what, s.path, err)
	if c := e.Code() & 0xff; c == code.SQLITE_CORRUPT || c == code.SQLITE_NOTADB {
		s.damaged.Store(&err)
	}
	return err
}

// intact: SQLite meets damage only where it happens to read, and goes on with files
// that have been deleted, until they are closed.
func (s *sqlite) intact() error {
	if found := s.damaged.Load(); found != nil {
		return *found
	}
	now, err := fileOf(s.path)
	if err != nil || !os.SameFile(now, s.found) {
		return s.gone(s.path, err)
	}
	now, err = fileOf(s.path + "-wal")
	if err == nil && s.wal.CompareAndSwap(nil, &now) {
		return nil
	}
	if first := s.wal.Load(); first != nil && (err != nil || !os.SameFile(now, *first)) {
		return s.gone(s.path+"-wal", err)
	}
	return nil
}

func (s *sqlite) gone(file string, err error) error {
	what := "was replaced by another file"
	if err != nil {
		what = "is gone"
	}
	return errors.Join(fmt.Errorf("%s %s while pombo works on it, and what it records is lost when it stops; stop it, restore the ledger from a backup or start a new one with pombo recover", file, what), err)
}

// isolatesFailures: an error of the whole file affects each write. A full disk may have
// room for a smaller one.
func (s *sqlite) isolatesFailures(err error) bool {
	var e *modernc.Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Code() & 0xff {
	case code.SQLITE_BUSY, code.SQLITE_IOERR, code.SQLITE_READONLY, code.SQLITE_CORRUPT, code.SQLITE_NOTADB:
		return false
	}
	return true
}

// purge empties the write-ahead log, which has the pages as they were before.
// Emptying it keeps all writers out while it waits for a reader to end, so each try waits only
// for a moment.
func (s *sqlite) purge(ctx context.Context, read *sql.DB) (err error) {
	const tries = 20
	conn, err := read.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA busy_timeout="+strconv.Itoa(busyTimeout))
		err = errors.Join(err, e, conn.Close())
	}()
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout=50"); err != nil {
		return err
	}
	for range tries {
		var busy, pages, moved int
		if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
			return err
		}
		if busy == 0 {
			return nil
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("the write-ahead log beside the ledger, which may still hold what was erased, is in use and could not be emptied; close what else has the ledger open (a database browser, a backup), then do the same again")
}
