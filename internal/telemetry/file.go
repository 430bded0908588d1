package telemetry

import (
	"io"
	"os"
	"time"
)

// rotateAgain is how long a file that could not be put aside is written on.
const rotateAgain = time.Minute

// rotated is the log file. Putting it aside means renaming it, which on Windows
// fails for as long as somebody looks at it (Get-Content -Wait, a backup); the
// rotating writer then refuses every line. Here they go on into the same file,
// which may outgrow its size, and the rotation is tried again a minute later.
type rotated struct {
	name   string
	writer io.WriteCloser // rotates
	// stuck is told once that the file cannot be put aside, when lines are
	// written on.
	stuck func(err error)

	plain *os.File  // the same file, while it cannot be put aside
	until time.Time // and until when that is not tried again
	told  bool
}

// Write appends a line. Only one goroutine may call it.
func (r *rotated) Write(line []byte) (int, error) {
	if r.plain != nil {
		if time.Now().Before(r.until) {
			return r.plain.Write(line)
		}
		_ = r.plain.Close() // each line was written when it came
		r.plain = nil
	}
	n, err := r.writer.Write(line)
	if err == nil {
		r.told = false
		return n, nil
	}
	if n > 0 {
		return n, err // a part of the line is in the file: the disk is full
	}
	plain, openErr := os.OpenFile(r.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, fileMode)
	if openErr != nil {
		return 0, err
	}
	if n, writeErr := plain.Write(line); writeErr != nil {
		_ = plain.Close()
		return n, writeErr
	}
	r.plain, r.until = plain, time.Now().Add(rotateAgain)
	if !r.told && r.stuck != nil {
		r.stuck(err)
	}
	r.told = true
	return len(line), nil
}

// Close closes the file and waits for its rotation.
func (r *rotated) Close() error {
	if r.plain != nil {
		_ = r.plain.Close()
		r.plain = nil
	}
	return r.writer.Close()
}
