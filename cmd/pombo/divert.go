package main

import (
	"bufio"
	"log/slog"
	"os"
	"regexp"
)

// divert makes a file for what the Oracle driver prints by itself, such as the warning
// that the password expires soon: it goes to the log, and not into the output of the
// commands. nil = it could not be made.
func divert(log func() *slog.Logger) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			printed(log(), lines.Text())
		}
	}()
	return w
}

var oracleCode = regexp.MustCompile(`ORA-[0-9]{5}`)

// printed logs what was printed. It logs only the code of a warning: the database's
// words might quote a row.
func printed(log *slog.Logger, line string) {
	switch code := oracleCode.FindString(line); code {
	case "":
	case "ORA-28002", "ORA-28011":
		log.Warn("the password of the source's account expires soon", "code", code)
	default:
		log.Warn("the database warns about something", "code", code)
	}
}
