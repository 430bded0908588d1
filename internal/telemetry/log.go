// Package telemetry gives the process its voices: the log file in the
// traditional format, the same records as JSON, and the registry of metrics.
//
// A log record is made safe before it is written, not searched for secrets
// afterwards. Every value becomes one scalar: a type that says how it is to be
// logged (slog.LogValuer, error, fmt.Stringer, encoding.TextMarshaler) is asked;
// a struct that says nothing is named, never printed field by field, because
// fmt would reach past the masks of the fields it holds. So a phone or a text
// that sits anywhere in a value stays masked.
//
// A record is one line whatever it holds: line breaks, escape sequences and
// other characters that do not print are written as escapes, so that no value
// can forge a record. When the file cannot be written the console is told once,
// and writing is tried again with each record; logging never stops the program,
// and a Console is never waited for. A failure that repeats (pombo.Often) is
// summed up once a minute.
package telemetry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/DeRuina/timberjack"
)

// How the log file rolls: what two busy weeks write stays within 400 MB at the
// worst, and a tenth of it once packed.
const (
	fileMegabytes = 20 // a file of this size is put aside
	filesKept     = 20 // and this many of them are kept,
	daysKept      = 90 // none of them longer than this
)

// fileMode lets the group read: what ships logs runs as another user.
const fileMode = 0o640

// Options says where the log goes and how it looks.
type Options struct {
	File    string     // path of the log file; its folder is made; "" = no file
	Format  string     // "text" or "json"; "" = text
	Level   slog.Level // records below it are dropped; zero = info
	Console io.Writer  // gets every line too, and is waited for (a Console is not); nil = none
}

// OpenLog opens the log. The error says which setting to change when the file
// cannot be written. Close flushes and closes the file and waits for its
// rotation; it leaves the console open.
func OpenLog(o Options) (*slog.Logger, io.Closer, error) {
	out := &output{console: o.Console}
	switch o.Format {
	case "", "text":
		out.format = appendText
	case "json":
		out.format = appendJSON
	default:
		return nil, nil, fmt.Errorf("LOG_FORMAT is %q: use text or json", o.Format)
	}
	var closer io.Closer = io.NopCloser(nil)
	if o.File != "" {
		if err := checkWritable(o.File); err != nil {
			return nil, nil, err
		}
		file := &rotated{name: o.File, stuck: out.notPutAside, writer: &timberjack.Logger{
			Filename:    o.File,
			MaxSize:     fileMegabytes,
			MaxBackups:  filesKept,
			MaxAge:      daysKept,
			LocalTime:   true,
			Compression: "gzip",
			FileMode:    fileMode,
		}}
		out.file, closer = file, file
	}
	return slog.New(&handler{out: out, level: o.Level}), closing{out, closer}, nil
}

// closing ends a log.
type closing struct {
	out  *output
	file io.Closer
}

// Close writes what is summed up and closes the file.
func (c closing) Close() error {
	c.out.repeats.close()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.file.Close()
}

// JobLogger writes JSON lines to w, which for the job is the console.
func JobLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(&handler{out: &output{console: w, format: appendJSON}, level: level})
}

// checkWritable makes the folder and opens the file for appending: the rotating
// writer itself opens only with the first record, which is too late to complain.
func checkWritable(name string) error {
	err := os.MkdirAll(filepath.Dir(name), 0o750)
	if err == nil {
		var f *os.File
		f, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, fileMode)
		if err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("open log file: %w: set LOG_FILE to a file that this user may write", err)
	}
	return nil
}

// A format appends one record as one line, with its line break.
type format func(line []byte, at time.Time, level slog.Level, message string, fields []field) []byte

// output is where lines end. The handlers derived by With share one, so its
// mutex keeps lines whole.
type output struct {
	format  format
	file    io.Writer // nil = none
	console io.Writer // nil = none
	scratch sync.Pool // of *scratch

	mu      sync.Mutex
	failing bool // the last write to the file failed
	repeats repeats
}

// scratch is what one record is put together in.
type scratch struct {
	line   []byte
	fields []field
}

func (o *output) take() *scratch {
	if s, ok := o.scratch.Get().(*scratch); ok {
		return s
	}
	return &scratch{line: make([]byte, 0, 512), fields: make([]field, 0, 24)}
}

func (o *output) give(s *scratch) {
	const tooBig = 64 << 10 // one huge record must not stay in memory for good
	if cap(s.line) > tooBig {
		return
	}
	clear(s.fields)
	s.line, s.fields = s.line[:0], s.fields[:0]
	o.scratch.Put(s)
}

func (o *output) write(line []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var consoleErr error
	if o.console != nil {
		_, consoleErr = o.console.Write(line)
	}
	if o.file == nil {
		return consoleErr
	}
	_, err := o.file.Write(line)
	if err != nil && !o.failing && o.console != nil {
		_, _ = o.console.Write(o.note(slog.LevelError, "the log file cannot be written; its records are lost until it can", err))
	}
	o.failing = err != nil
	return errors.Join(err, consoleErr)
}

// notPutAside tells, in the file and on the console, that the file grows. The
// caller has the lock.
func (o *output) notPutAside(err error) {
	note := o.note(slog.LevelWarn, "the log file cannot be put aside and grows until it can: does another program have it open?", err)
	_, _ = o.file.Write(note)
	if o.console != nil {
		_, _ = o.console.Write(note)
	}
}

// note is a record of the log about itself.
func (o *output) note(level slog.Level, message string, err error) []byte {
	return o.format(nil, time.Now(), level, message, []field{{"error", slog.StringValue(err.Error())}})
}
