package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"
)

// mark is the small file beside a ledger that is a file. It says how far the ledger
// had come: its id, and a number that it counts up every second in which something
// was written. The number is on the disk in the ledger first and in the mark then,
// so the mark is never ahead of a ledger that has lost nothing. It may be behind, and
// then less is noticed, but nothing is reported that did not happen.
//
// What it cannot notice: a mark that was deleted, or put back together with its
// ledger. That looks like a new ledger, or like the old one.
type mark struct {
	Ledger string    `json:"ledger"`
	Count  int64     `json:"count"`
	At     time.Time `json:"at"`
}

// markEvery is how often the mark follows. Within that time a copy can be as new
// as the ledger by its number and yet lack something.
const markEvery = time.Second

// errNoMark: the file is there and cannot be read, after a loss of power, say.
var errNoMark = errors.New("the mark beside the ledger cannot be read")

func (s *sqlite) markPath() string { return s.path + ".mark" }

// readMark returns the mark; zero when there is none.
func (s *sqlite) readMark() (m mark, err error) {
	text, err := os.ReadFile(s.markPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return mark{}, nil
	case err != nil:
		return mark{}, err
	case json.Unmarshal(text, &m) != nil || m.Ledger == "":
		return mark{}, errNoMark
	}
	return m, nil
}

// writeMark replaces the mark whole: it is the old one or the new one.
func (s *sqlite) writeMark(m mark) (err error) {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.markPath()+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(s.markPath()+".new", s.markPath())
}

// keeper keeps the mark of an open ledger.
type keeper struct {
	db     *store
	file   *sqlite
	opened os.FileInfo
	seen   int64 // rows that the writer had changed since it connected, at the last mark
	failed bool  // the last mark was not written, and that was logged
	done   chan struct{}
}

// keepMark looks whether the file is what the mark says, and keeps the mark from
// then on. Only the process that has the lock may.
func (db *store) keepMark(ctx context.Context, s *sqlite) error {
	m, err := s.readMark()
	if err != nil && !errors.Is(err, errNoMark) {
		return err
	}
	unread := err != nil
	k := &keeper{db: db, file: s, seen: -1, done: make(chan struct{})}
	if k.opened, err = os.Stat(s.path); err != nil {
		return err
	}
	var id string
	var count int64
	if err := db.get(ctx, sqlMark, nil, &id, &count); err != nil {
		return err
	}
	why := ""
	switch {
	case unread && count == 0:
		why = "the file is new, and there was one before"
	case m.Ledger == "":
	case m.Ledger != id && count == 0:
		why = "the file is new, and there was another one before"
	case m.Ledger != id:
		why = "the file is another one than before"
	case m.Count > count:
		why = "the file is an older copy"
	}
	if why != "" {
		rows := 0
		now := db.now()
		alive := any(now)
		if !m.At.IsZero() {
			alive = m.At.UnixMilli()
		}
		err := db.do(ctx, func(tx *txn) (err error) {
			if rows, err = tx.change(sqlLose, now); err != nil {
				return err
			}
			return tx.exec(sqlNoteLoss, now, alive, max(count, m.Count)+1, "", 0)
		})
		if err != nil {
			return err
		}
		db.logWentBack(int64(rows), why)
	}
	k.write(ctx)
	db.keeping = k
	go k.run() //nolint:gosec // it lives as long as the ledger is open, not as the call that opened it
	return nil
}

// run follows the ledger until it is closed.
func (k *keeper) run() {
	defer close(k.done)
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.look()
			k.write(context.Background())
		case <-k.db.quitMark:
			k.write(context.Background())
			return
		}
	}
}

// write counts up in the ledger, then in the mark, unless nothing has changed
// since the last time: an idle ledger costs no write.
func (k *keeper) write(ctx context.Context) {
	m := mark{At: time.UnixMilli(k.db.now()).UTC()}
	changed, seen := false, int64(0)
	err := k.db.do(ctx, func(tx *txn) error {
		if err := tx.queryRow(sqlChanges).Scan(&seen); err != nil {
			return err
		}
		if changed = seen != k.seen; !changed {
			return nil
		}
		seen++ // the next statement's
		return tx.queryRow(sqlCountMark).Scan(&m.Ledger, &m.Count)
	})
	if err != nil || !changed {
		return // writers get the error
	}
	err = k.file.writeMark(m)
	if err == nil {
		k.seen = seen // or it is tried again: a backup or a virus scanner holds a file on Windows for a moment
	} else if !k.failed {
		k.db.opts.Logger.Error("the mark beside the ledger was not written: should the ledger be lost, that may go unnoticed", "error", err)
	}
	k.failed = err != nil
}

// look finds out whether the file is still the one that was opened.
func (k *keeper) look() {
	now, err := os.Stat(k.file.path)
	gone := errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(k.opened, now)
	if gone && !k.db.replaced.Swap(true) {
		k.db.opts.Logger.Error("the ledger can no longer be used", "file", k.file.path, "error", errReplaced)
	}
}

var errReplaced = errors.New("the file of the ledger was deleted or replaced while pombo works on it, and what is recorded now is lost when it stops; " +
	"restart pombo: it asks Blip about what may have been sent")
