package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	modernc "modernc.org/sqlite"

	"pombo"
)

// applicationID stands in the header of every SQLite ledger ("POMB"; offset 68 of the
// file), so that no other program's database is mistaken for one.
const applicationID = 0x504f4d42

// sides are the endings of the files that SQLite keeps for a ledger.
var sides = []string{"", "-wal", "-shm"}

// Locate returns the file that a "sqlite:" address leads to, without symbolic
// links: SQLite's log and our lock lie beside the file and go by its name, so two
// names would be two ledgers in one file. The file need not exist. The error names
// a place where no ledger can be: a network drive, whose locks and shared memory
// cannot be relied on, or a folder.
func Locate(path string) (string, error) {
	if err := notRemote(path); err != nil {
		return path, err
	}
	path = followLinks(path, 0)
	if err := notRemote(path); err != nil {
		return path, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path, fmt.Errorf("%s is a folder; name a file in it with LEDGER_URL", path)
	}
	return path, nil
}

func notRemote(path string) error {
	if !remote(path) {
		return nil
	}
	return fmt.Errorf("%s is on a network drive, where a SQLite ledger gets damaged; name a file on a disk of this machine in LEDGER_URL, or share a ledger in PostgreSQL", path)
}

// isUNC reports whether a path of Windows names a server: \\server\share, also in
// its long form \\?\UNC\server\share.
func isUNC(path string) bool {
	p := strings.ReplaceAll(path, "/", `\`)
	if rest, is := strings.CutPrefix(p, `\\?\`); is {
		return strings.HasPrefix(strings.ToUpper(rest), `UNC\`)
	}
	return strings.HasPrefix(p, `\\`) && !strings.HasPrefix(p, `\\.\`)
}

// followLinks resolves the links of a path whose end need not exist: of a file
// that is yet to be made, in a folder that is, or behind a link that leads nowhere.
// What cannot be resolved stays as it is; opening it shows why.
func followLinks(path string, depth int) string {
	const most = 40 // as the kernel
	path, err := filepath.Abs(path)
	if err != nil || depth > most {
		return path
	}
	if found, err := filepath.EvalSymlinks(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return path
		}
		return found
	}
	folder := filepath.Dir(path)
	if folder == path {
		return path
	}
	path = filepath.Join(followLinks(folder, depth+1), filepath.Base(path))
	target, err := os.Readlink(path)
	if err != nil {
		return path
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(path), target)
	}
	return followLinks(target, depth+1)
}

// take opens the file, which it creates if needed, and locks it under whatever
// name: a hard link is another name of the same file. false means that another
// process has it.
func (s *sqlite) take() (held bool, err error) {
	if s.file, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return false, err
	}
	if held, err = lockFile(s.file); err != nil || !held {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	return held, err
}

// close releases both locks. It comes after the pools are closed: POSIX drops a
// process's locks on a file, and SQLite's are among them, with the first descriptor of
// it that is closed.
func (s *sqlite) close() error { return errors.Join(s.letGo(), s.lock.Unlock()) }

func (s *sqlite) letGo() (err error) {
	if s.file != nil {
		err = s.file.Close()
		s.file = nil
	}
	return err
}

// fileOf remembers which file a name leads to.
func fileOf(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil {
		os.SameFile(info, info) // Windows looks for what to compare only when it is asked
	}
	return info, err
}

// tighten takes the rights of group and others from the files of the ledger, which
// hold phones and texts. SQLite gives the files that it makes the rights of the
// database. A file of another user's stays as it is; doctor reports it.
func tighten(path string) {
	if runtime.GOOS == "windows" {
		return // rights are lists there, which the folder hands down
	}
	for _, side := range sides {
		info, err := os.Lstat(path + side)
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			_ = os.Chmod(path+side, info.Mode().Perm()&0o700)
		}
	}
}

// stamp writes the application id into a new file, before anything else and
// before the write-ahead log is switched on, so that it is in the file itself.
func stamp(ctx context.Context, path string) (err error) {
	db, err := plain(path, "?_pragma=busy_timeout("+strconv.Itoa(busyTimeout)+")&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "PRAGMA application_id = "+strconv.Itoa(applicationID))
	return err
}

// plain opens one connection without the settings of a ledger.
func plain(path, query string) (*sql.DB, error) {
	c, err := modernc.NewConnector(fileURI(path) + query)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	return db, nil
}

// recognize returns the version of the schema of a ledger, without changing
// anything. pombo.ErrNotFound: there is no file, or nothing in it.
func recognize(ctx context.Context, path string) (version int64, err error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir(): // first: the size of a folder is 0 on Windows
		return 0, fmt.Errorf("%s is a folder; name a file in it with LEDGER_URL", path)
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0:
		return 0, fmt.Errorf("%s: %w", path, pombo.ErrNotFound)
	case err != nil:
		return 0, err
	}
	// A reader lays the files of the write-ahead log beside the database, unless it is
	// told that nothing changes. So a stranger's file is looked at in this way first.
	// A ledger that somebody has open has its newest pages in its log.
	version, whose, err := look(ctx, path, "?mode=ro&immutable=1")
	if _, e := os.Stat(path + "-wal"); e == nil && whose != stranger {
		version, whose, err = look(ctx, path, "?mode=ro&_pragma=busy_timeout(2000)")
	}
	switch {
	case err != nil:
		return 0, err
	case whose == stranger:
		return 0, fmt.Errorf("%s is the database of another program, not a ledger; nothing was changed in it; name a file of its own in LEDGER_URL, for instance sqlite:data/pombo.db", path)
	case whose == nobody:
		return 0, fmt.Errorf("%s: %w", path, pombo.ErrNotFound)
	}
	return version, nil
}

type owner int

const (
	nobody owner = iota // there is nothing in it yet
	ours
	stranger
)

// look reads the version of the schema and whose the file is. Ledgers of before
// schema 18 have no application id; they are known by their tables, and by goose's
// list of migrations, in which nothing has been run yet where a first start was cut.
func look(ctx context.Context, path, query string) (version int64, whose owner, err error) {
	db, err := plain(path, query)
	if err != nil {
		return 0, nobody, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var id, things, goose, columns int64
	err = db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema WHERE type <> 'index' AND name <> 'sqlite_sequence'),
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'),
		(SELECT count(*) FROM pragma_table_info('notification') WHERE name IN ('lane', 'settle_at', 'row_key', 'history'))`).Scan(&id, &things, &goose, &columns)
	if err != nil {
		return 0, nobody, err
	}
	if goose == 1 {
		// A table of this name need not be goose's.
		err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	}
	switch begun := things > 1 || things == 1 && (goose == 0 || err != nil || version > 0); {
	case id != 0 && id != applicationID:
		return 0, stranger, nil
	case !begun:
		return 0, nobody, nil
	case id == applicationID:
		return version, ours, err
	case goose == 1 && columns == 4 && err == nil:
		return version, ours, nil
	}
	return 0, stranger, nil
}
