// Package document opens what the header of a message is made of when Pombo uploads it:
// a file below one folder, or the bytes in a column of the row.
//
// A file is named by the row, and so by the system that fills the table: the name leads nowhere but
// down (path.go). What is opened is read whole, once, and judged by its content and its
// name before anything is asked of Blip (kind.go): WhatsApp would refuse it later, out of
// sight. Nothing of it is kept.
//
// How it fails: with an *Error, which says whether the row is at fault, whether the
// document may still come, or whether the folder or the table is away. A share that hangs
// costs one look after the other a few seconds and then nothing: for a while all files
// are away at once, and what hangs in the operating system is left behind.
package document

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"pombo"
)

// Source has the BLOBs of rows. pombo.ErrNotFound says that the row is gone.
type Source interface {
	BlobSize(ctx context.Context, rowKey string, slot pombo.Slot) (int64, error)
	Blob(ctx context.Context, rowKey string, slot pombo.Slot) ([]byte, error)
}

// Options is what a Library is made of.
type Options struct {
	Dir    string // of the files; "" = there are none
	Source Source // of the BLOBs; nil = there are none
}

const (
	// memory bounds the bytes of all documents that are open: one of the largest, or
	// hundreds of the usual ones.
	memory = 128 << 20
	// looks is how many files are looked at or read at once.
	looks = 8
	// lookTime is how long a share may take to say what a file is, readTime how long
	// to hand it over.
	lookTime = 10 * time.Second
	readTime = time.Minute
	// awayFor is how long a share that did not answer is left alone.
	awayFor = 15 * time.Second
)

// Library opens documents. It is safe for concurrent use.
type Library struct {
	opts   Options
	memory *semaphore.Weighted
	looks  chan struct{}

	mu    sync.Mutex
	away  time.Time // since when the share has not answered; zero = it did
	again time.Time // it is left alone until then
}

// New returns a library. It opens nothing.
func New(o Options) *Library {
	return &Library{opts: o, memory: semaphore.NewWeighted(memory), looks: make(chan struct{}, looks)}
}

// Document is an open document. The caller closes it.
type Document struct {
	Name  string // as the person sees it
	Type  string // of its content, as in Content-Type
	Bytes []byte

	release func()
}

// Close frees the memory of the document. It may be called again, and on nil.
func (d *Document) Close() {
	if d == nil || d.release == nil {
		return
	}
	d.release()
	d.release, d.Bytes = nil, nil
}

// Whose says what an Error means for the row.
type Whose uint8

// What an error can mean.
const (
	// OfRow: the row is at fault; another try would fail in the same way.
	OfRow Whose = iota
	// MayCome: the document is not there, or not yet.
	MayCome
	// Changing: somebody is writing it at this moment.
	Changing
	// Away: the folder or the table cannot be read; no row is at fault.
	Away
	// Gone: there is no such row any more.
	Gone
)

// Error says why a document cannot be opened. It names neither the file nor anything
// in it, so it is safe to log and to show.
type Error struct {
	Whose  Whose
	Reason pombo.Reason
	Detail string // what is wrong, lower case and without a full stop
	Err    error  // the cause, without a path; may be nil
}

// Error returns the reason and the detail.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Detail }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func missing(detail string) *Error {
	return &Error{Whose: MayCome, Reason: pombo.DocumentMissing, Detail: detail}
}

func refused(format string, args ...any) *Error {
	return &Error{Reason: pombo.DocumentRefused, Detail: fmt.Sprintf(format, args...)}
}

func away(detail string, err error) *Error {
	return &Error{Whose: Away, Reason: pombo.DocumentAway, Detail: detail, Err: err}
}

// Open opens the document of a parameter of a row. shown is the name that the person is to
// see; "" = that of the file. The error is an *Error, or that of ctx.
func (l *Library) Open(ctx context.Context, rowKey string, p pombo.Param, shown string) (*Document, error) {
	header, store, ok := p.Slot.Upload()
	if !ok {
		return nil, refused("%s: takes no document", p.Slot)
	}
	var d *Document
	var err error
	if store == pombo.StoreBlob {
		d, err = l.blob(ctx, rowKey, p.Slot, header)
	} else {
		d, err = l.file(ctx, p.Value.Reveal(), header)
	}
	if err != nil {
		return nil, err
	}
	name := shown
	if name == "" {
		name = d.Name
	}
	if path.Ext(name) == "" {
		name += path.Ext(d.Name)
	}
	if d.Name, d.Type, err = identify(header, name, d.Bytes); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// admit checks a size and waits for as much memory.
func (l *Library) admit(ctx context.Context, header pombo.Slot, size int64) (release func(), err error) {
	switch most := limits[header]; {
	case size == 0:
		return nil, missing("the document is empty")
	case size > most:
		return nil, &Error{Reason: pombo.DocumentTooLarge, Detail: fmt.Sprintf("it has %s, and WhatsApp takes %s in %s", megabytes(size), megabytes(most), header)}
	}
	if err := l.memory.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { l.memory.Release(size) }), nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// blob reads the bytes in a column of the row.
func (l *Library) blob(ctx context.Context, rowKey string, slot, header pombo.Slot) (*Document, error) {
	if l.opts.Source == nil || rowKey == "" {
		return nil, refused("%s: is a column of the table, and this message does not come from it", slot)
	}
	size, err := l.opts.Source.BlobSize(ctx, rowKey, slot)
	if err != nil {
		return nil, ofTable(ctx, err)
	}
	release, err := l.admit(ctx, header, size)
	if err != nil {
		return nil, err
	}
	b, err := l.opts.Source.Blob(ctx, rowKey, slot)
	switch {
	case err != nil:
		release()
		return nil, ofTable(ctx, err)
	case int64(len(b)) != size:
		release()
		return nil, &Error{Whose: Changing, Reason: pombo.DocumentMissing, Detail: "the column was being written"}
	}
	return &Document{Bytes: b, release: release}, nil
}

func ofTable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, pombo.ErrNotFound):
		return &Error{Whose: Gone, Reason: pombo.Withdrawn, Detail: "the row is no longer there", Err: err}
	}
	return away("the column with the document cannot be read", err)
}
