package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo"
)

// stuckConsole accepts nothing until it is freed, as a console in which a user
// has clicked.
type stuckConsole struct {
	freed chan struct{}
	bytes.Buffer
}

func (c *stuckConsole) Write(p []byte) (int, error) {
	<-c.freed
	return c.Buffer.Write(p)
}

// A blocked console delays neither the log file nor the caller; dropped lines are counted,
// and the last lines come when it is freed.
func TestConsole_IsNotWaitedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.log")
	synctest.Test(t, func(t *testing.T) {
		stuck := &stuckConsole{freed: make(chan struct{})}
		console := NewConsole(stuck, "text")
		logger, closer, err := OpenLog(Options{Console: console}) // no file: its writer has goroutines of its own
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		const lines = 10_000
		long := strings.Repeat("x", 300)
		for i := range lines {
			logger.Info(long, "i", i)
		}
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("it was waited for %s", waited)
		}
		close(stuck.freed)
		synctest.Wait() // it is empty again
		logger.Info("the last")
		if err := errors.Join(closer.Close(), console.Close()); err != nil {
			t.Fatal(err)
		}
		shown := strings.Count(stuck.String(), long)
		var lost int
		for line := range strings.Lines(stuck.String()) {
			if _, number, ok := strings.Cut(line, "lines not shown here: the console did not accept them lines="); ok {
				if _, err := fmt.Sscan(number, &lost); err != nil {
					t.Fatal(err)
				}
			}
		}
		if lost == 0 || shown+lost != lines {
			t.Errorf("%d lines shown and %d reported as dropped, want %d together", shown, lost, lines)
		}
		if !strings.HasSuffix(stuck.String(), "the last\n") {
			t.Errorf("the last line is not there")
		}
	})
	// The file has them all, whatever the console does.
	stuck := &stuckConsole{freed: make(chan struct{})}
	console := NewConsole(stuck, "text")
	logger, closer, err := OpenLog(Options{File: file, Console: console})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		logger.Info("hello")
	}
	text, err := os.ReadFile(file)
	if n := strings.Count(string(text), "hello"); n != 100 || err != nil {
		t.Errorf("the file has %d lines, want 100 (%v)", n, err)
	}
	close(stuck.freed)
	if err := errors.Join(closer.Close(), console.Close()); err != nil {
		t.Fatal(err)
	}
}

// An orderly stop does not wait for ever either.
func TestConsole_ClosesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &stuckConsole{freed: make(chan struct{})}
		console := NewConsole(stuck, "text")
		fmt.Fprintln(console, "hello")
		begun := time.Now()
		if err := console.Close(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != consoleEnd {
			t.Errorf("Close took %s, want %s", took, consoleEnd)
		}
		close(stuck.freed)
		<-console.ended
		if got := stuck.String(); got != "hello\n" {
			t.Errorf("the console got %q", got)
		}
	})
}

// refusing is a rotating writer that cannot put its file aside while it refuses.
type refusing struct {
	refuses bool
	bytes.Buffer
}

func (w *refusing) Write(p []byte) (int, error) {
	if w.refuses {
		return 0, errors.New("size rotation failed: can't rename log file: sharing violation")
	}
	return w.Buffer.Write(p)
}
func (w *refusing) Close() error { return nil }

func TestRotated_TriesAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	synctest.Test(t, func(t *testing.T) {
		var reported []string
		w := &refusing{refuses: true}
		file := &rotated{name: name, writer: w, failed: func(err error) { reported = append(reported, err.Error()) }}
		write := func(line string) {
			t.Helper()
			if _, err := file.Write([]byte(line + "\n")); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		write("one")
		write("two")
		time.Sleep(rotateAgain)
		write("three") // tried in vain
		w.refuses = false
		write("four") // not tried yet
		time.Sleep(rotateAgain)
		write("five")
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if got := string(text); got != "one\ntwo\nthree\nfour\n" || err != nil {
			t.Errorf("the old file has %q (%v)", got, err)
		}
		if got := w.String(); got != "five\n" {
			t.Errorf("after the rotation %q was written", got)
		}
		if len(reported) != 1 || !strings.Contains(reported[0], "sharing violation") {
			t.Errorf("reported %q, want once", reported)
		}
	})
}

// The same with the real writer: a name this long is one that the file may have
// and what is put aside may not.
func TestOpenLog_FileThatCannotBePutAside(t *testing.T) {
	name := filepath.Join(t.TempDir(), strings.Repeat("l", 235)+".log")
	written := nearlyFull(t, name)
	var console bytes.Buffer
	logger, closer, err := OpenLog(Options{File: name, Console: &console})
	if err != nil {
		t.Fatal(err)
	}
	megabyte := strings.Repeat("x", 1<<20)
	lines := fileMegabytes + 5 - written
	for range lines {
		logger.Info(megabyte)
	}
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte(megabyte)); n != lines {
		t.Errorf("the file has %d lines, want %d", n, lines)
	}
	for where, said := range map[string]string{"file": string(text), "console": console.String()} {
		if n := strings.Count(said, "cannot be rotated"); n != 1 {
			t.Errorf("the %s says %d times that it cannot be rotated, want once", where, n)
		}
	}
}

// The first of a kind is written, then one a minute with the count, and what is
// left at the end.
func TestOpenLog_SumsUpRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger, closer, err := OpenLog(Options{Console: &out})
		if err != nil {
			t.Fatal(err)
		}
		fail := func(n int) { logger.Error("not recorded", "n", n, "often", pombo.Often("record")) }
		for i := range 5279 {
			fail(i)
			time.Sleep(10 * time.Millisecond)
		}
		logger.Error("not recorded", "often", pombo.Often("other"))
		time.Sleep(time.Minute) // one summary
		fail(-1)
		time.Sleep(10 * time.Second)
		fail(-2)
		time.Sleep(3 * time.Minute) // one more, and a minute of peace
		fail(-3)
		fail(-4)
		slog.NewLogLogger(logger.Handler().WithAttrs([]slog.Attr{slog.Any("often", pombo.Often("http"))}), slog.LevelWarn).Print("Accept error")
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, after, _ := strings.Cut(line, " - ")
			got = append(got, strings.TrimSpace(after))
		}
		want := []string{
			"ERROR - not recorded n=0", "ERROR - not recorded", // one of each kind
			"ERROR - not recorded n=5278 times=5278",
			"ERROR - not recorded n=-1 times=1", "ERROR - not recorded n=-2 times=1",
			"ERROR - not recorded n=-3", "WARNING - Accept error",
			"ERROR - not recorded n=-4 times=1",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("log:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
