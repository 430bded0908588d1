// Package telemetry has the log file in the traditional format, the same records as
// JSON, and the registry of metrics.
//
// A log record is made safe before it is written, not searched for secrets afterwards.
// Every value becomes one scalar: a type that defines how it is logged (slog.LogValuer,
// error, fmt.Stringer, encoding.TextMarshaler) decides itself; of any other struct only
// the type is written, never the fields, because fmt would bypass the masks of the
// fields. So a phone or a text stays masked anywhere in a value.
//
// A record is one line whatever it contains: line breaks, escape sequences and other
// unprintable characters are escaped, so that no value can forge a record. When the file
// cannot be written the console says so once, and each record tries again; logging never
// stops the program and never waits for a Console. A repeated failure (pombo.Often) is
// summarized once a minute.
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

// How the log file rotates: two busy weeks stay within 400 MB at worst, and a tenth of
// that once compressed.
const (
	fileMegabytes = 20 // a file of this size is rotated,
	filesKept     = 20 // this many old files are kept,
	daysKept      = 90 // and none longer than this
)

// fileMode lets the group read: log shippers run as another user.
const fileMode = 0o640

// Options configures the log.
type Options struct {
	File    string     // path of the log file, whose folder is created; "" = no file
	Format  string     // "text" or "json"; "" = text
	Level   slog.Level // records below it are dropped; zero = info
	Console io.Writer  // gets every line too, and must not block (a Console never does); nil = none
	// FileFailed is called once when the file cannot be written or rotated, and must not
	// block; nil = only the console says so.
	FileFailed func(message string, err error)
}

// OpenLog opens the log. If the file cannot be written, the error says which setting to
// change. Close flushes and closes the file and waits for its rotation; it leaves the
// console open.
func OpenLog(opts Options) (*slog.Logger, io.Closer, error) {
	out := &output{console: opts.Console, fileFailed: opts.FileFailed}
	switch opts.Format {
	case "", "text":
		out.format = appendText
	case "json":
		out.format = appendJSON
	default:
		return nil, nil, fmt.Errorf("LOG_FORMAT is %q: use text or json", opts.Format)
	}
	var closer io.Closer = io.NopCloser(nil)
	if opts.File != "" {
		if err := checkWritable(opts.File); err != nil {
			return nil, nil, err
		}
		file := &rotated{name: opts.File, failed: out.notRotated, writer: &timberjack.Logger{
			Filename:    opts.File,
			MaxSize:     fileMegabytes,
			MaxBackups:  filesKept,
			MaxAge:      daysKept,
			LocalTime:   true,
			Compression: "gzip",
			FileMode:    fileMode,
		}}
		out.file, closer = file, file
	}
	return slog.New(&handler{out: out, level: opts.Level}), closing{out, closer}, nil
}

// closing closes a log.
type closing struct {
	out  *output
	file io.Closer
}

// Close writes the pending summaries and closes the file.
func (c closing) Close() error {
	c.out.repeats.close()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.file.Close()
}

// JobLogger returns a logger that writes JSON lines to w, the console of the job.
func JobLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(&handler{out: &output{console: w, format: appendJSON}, level: level})
}

// checkWritable creates the folder and opens the file for appending: the rotating writer
// opens it only with the first record, which is too late for an error.
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
		return fmt.Errorf("open log file: %w: set LOG_FILE to a file that this user can write", err)
	}
	return nil
}

// A format appends one record as one line, with its line break.
type format func(line []byte, at time.Time, level slog.Level, message string, fields []field) []byte

// output is the destination of lines. The handlers derived by With share one, so that its
// mutex keeps lines whole.
type output struct {
	format  format
	file    io.Writer // nil = none
	console io.Writer // nil = none
	scratch sync.Pool // of *scratch

	fileFailed func(message string, err error) // nil = only the console says so

	mu      sync.Mutex
	failing bool // the last write to the file failed
	repeats repeats
}

// scratch is the memory in which one record is built.
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
	const tooBig = 64 << 10 // one huge record must not stay in the pool
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
	if err != nil && !o.failing {
		o.tell(slog.LevelError, "the log file cannot be written; its records are lost until it can", err)
	}
	o.failing = err != nil
	return errors.Join(err, consoleErr)
}

// notRotated logs, to the file and to the console, that the file grows. The caller holds
// the lock.
func (o *output) notRotated(err error) {
	_, _ = o.file.Write(o.tell(slog.LevelWarn, "the log file cannot be rotated and grows until it can: does another program have it open?", err))
}

// tell reports a fault of the file elsewhere, and returns the record of it.
func (o *output) tell(level slog.Level, message string, err error) []byte {
	note := o.note(level, message, err)
	if o.console != nil {
		_, _ = o.console.Write(note)
	}
	if o.fileFailed != nil {
		o.fileFailed(message, err)
	}
	return note
}

// note returns a record of the log about itself.
func (o *output) note(level slog.Level, message string, err error) []byte {
	return o.format(nil, time.Now(), level, message, []field{{"error", slog.StringValue(err.Error())}})
}
