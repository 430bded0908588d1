package main

import (
	"bufio"
	"log/slog"
	"os"
	"regexp"
)

// divert keeps what the Oracle driver prints by itself, such as the warning that the
// password expires soon, out of the output of the commands: it goes to the log. The
// commands have been given the output itself.
func divert() {
	r, w, err := os.Pipe()
	if err != nil {
		return // it will be printed, and that is all
	}
	os.Stdout, os.Stderr = w, w
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			printed(lines.Text())
		}
	}()
}

var oracleCode = regexp.MustCompile(`ORA-[0-9]{5}`)

// printed logs what was printed. Only the code of a warning is told: the database's
// words might quote a row.
func printed(line string) {
	switch code := oracleCode.FindString(line); code {
	case "":
	case "ORA-28002", "ORA-28011":
		slog.Warn("the password of the source's account expires soon", "code", code)
	default:
		slog.Warn("the database warns about something", "code", code)
	}
}
