package telemetry

import (
	"io"
	"os"
	"time"
)

// rotateAgain is how long after a failed rotation the next one is tried.
const rotateAgain = time.Minute

// rotated is the log file. Rotation renames it, which on Windows fails as long as another
// program reads it (Get-Content -Wait, a backup); the rotating writer then rejects every
// line. Here they continue in the same file, which may outgrow its size, and the rotation
// is tried again a minute later.
type rotated struct {
	name   string
	writer io.WriteCloser // rotates
	// failed is called once when the file cannot be rotated and lines continue in it.
	failed func(err error)

	plain    *os.File  // the same file, while it cannot be rotated
	until    time.Time // when rotation is tried again
	reported bool      // failed was called since the last success
}

// Write appends a line. It is not safe for concurrent use.
func (r *rotated) Write(line []byte) (int, error) {
	if r.plain != nil {
		if time.Now().Before(r.until) {
			return r.plain.Write(line)
		}
		_ = r.plain.Close() // every line is already written
		r.plain = nil
	}
	n, err := r.writer.Write(line)
	if err == nil {
		r.reported = false
		return n, nil
	}
	if n > 0 {
		return n, err // part of the line is in the file: the disk is full
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
	if !r.reported && r.failed != nil {
		r.failed(err)
	}
	r.reported = true
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
