package document

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"pombo"
)

// file reads a file below the folder.
func (l *Library) file(ctx context.Context, name string, header pombo.Slot) (*Document, error) {
	if l.opts.Dir == "" {
		return nil, away("DOCUMENTS_DIR is not set", nil)
	}
	name, err := clean(name)
	if err != nil {
		return nil, err
	}
	if err := l.leftAlone(); err != nil {
		return nil, err
	}
	f, _, err := within(ctx, l, lookTime, func() (opened, error) { return l.look(name) }, func(f opened) { _ = f.Close() })
	if err != nil {
		return nil, err
	}
	release, err := l.admit(ctx, header, f.info.Size())
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	b, begun, err := within(ctx, l, readTime, func() ([]byte, error) {
		defer f.Close() //nolint:errcheck // it was only read
		b, err := f.read()
		if err != nil {
			release()
		}
		return b, err
	}, func([]byte) { release() })
	if !begun {
		_ = f.Close() // it was only read
		release()
	}
	if err != nil {
		return nil, err
	}
	return &Document{Name: path.Base(name), Bytes: b, release: release}, nil
}

// opened is an open file with what was known of it then.
type opened struct {
	*os.File
	info fs.FileInfo
}

// look opens a file. It opens the folder each time: a share may have been mounted over
// it meanwhile.
func (l *Library) look(name string) (opened, error) {
	root, err := os.OpenRoot(l.opts.Dir)
	if err != nil {
		return opened{}, away("DOCUMENTS_DIR cannot be opened", cause(err))
	}
	defer root.Close() //nolint:errcheck // it was only read
	for at := range name + "/" {
		if at < len(name) && name[at] != '/' {
			continue
		}
		info, err := root.Lstat(filepath.FromSlash(name[:at]))
		switch {
		case err != nil:
			return opened{}, l.unopened(root, err)
		case info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0: // the latter are junctions of Windows
			return opened{}, refused("the path goes over a link, and links are not followed")
		case at < len(name) && !info.IsDir():
			return opened{}, missing("a part of the path is a file, not a folder")
		case at == len(name) && !info.Mode().IsRegular():
			return opened{}, refused("the path leads to something that is not a file")
		}
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return opened{}, l.unopened(root, err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() { // it was replaced meanwhile
		_ = f.Close()
		return opened{}, l.unopened(root, errors.Join(err, fs.ErrInvalid))
	}
	return opened{f, info}, nil
}

// unopened says what an error about a file means. A share that is not mounted shows as an
// empty folder, and its rows must not fail because of it.
func (l *Library) unopened(root *os.Root, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return away("the file cannot be opened", cause(err))
	}
	folder, err := root.Open(".")
	if err != nil {
		return away("DOCUMENTS_DIR cannot be read", cause(err))
	}
	defer folder.Close() //nolint:errcheck // it was only read
	switch _, err := folder.ReadDir(1); {
	case errors.Is(err, io.EOF):
		return away("DOCUMENTS_DIR is empty, as a share is that is not mounted", nil)
	case err != nil:
		return away("DOCUMENTS_DIR cannot be read", cause(err))
	}
	return missing("there is no such file below DOCUMENTS_DIR")
}

// read reads the file whole, as it was when it was opened.
func (f opened) read() ([]byte, error) {
	changing := &Error{Whose: Changing, Reason: pombo.DocumentMissing, Detail: "the file was being written"}
	b := make([]byte, f.info.Size())
	switch _, err := io.ReadFull(f, b); {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return nil, changing
	case err != nil:
		return nil, away("the file cannot be read", cause(err))
	}
	now, err := f.Stat()
	switch {
	case err != nil:
		return nil, away("the file cannot be read", cause(err))
	case now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime()):
		return nil, changing
	}
	return b, nil
}

// cause is what the system said, without the path, which may have a person's name in it.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return nil
}

// leftAlone returns an error while the share is left alone because it did not answer.
func (l *Library) leftAlone() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.again) {
		return away("DOCUMENTS_DIR does not answer", nil)
	}
	return nil
}

// answered records whether the share answered.
func (l *Library) answered(err error) {
	e, ok := errors.AsType[*Error](err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok && e.Whose == Away {
		if l.away.IsZero() {
			l.away = time.Now()
		}
		return
	}
	l.away, l.again = time.Time{}, time.Time{}
}

// AwayFor returns for how long the folder has been away; 0 when it was not at the last look.
func (l *Library) AwayFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away.IsZero() {
		return 0
	}
	return time.Since(l.away)
}

// within runs f, which asks the file system and may hang for as long as a share does. When
// the time or ctx is over, f is left behind and drop gets what it may still return. begun is
// false when f was not called.
func within[T any](ctx context.Context, l *Library, limit time.Duration, f func() (T, error), drop func(T)) (v T, begun bool, err error) {
	var none T
	hangs := func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.away.IsZero() {
			l.away = time.Now()
		}
		l.again = time.Now().Add(awayFor)
		return away("DOCUMENTS_DIR does not answer", nil)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case l.looks <- struct{}{}:
	case <-timer.C: // all of them hang
		return none, false, hangs()
	case <-ctx.Done():
		return none, false, ctx.Err()
	}
	type result struct {
		v   T
		err error
	}
	done := make(chan result)
	left := make(chan struct{})
	go func() {
		v, err := f()
		<-l.looks
		select {
		case done <- result{v, err}:
		case <-left:
			if err == nil {
				drop(v)
			}
		}
	}()
	select {
	case r := <-done:
		l.answered(r.err)
		return r.v, true, r.err
	case <-timer.C:
		close(left)
		return none, true, hangs()
	case <-ctx.Done():
		close(left)
		return none, true, ctx.Err()
	}
}
