package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestPrinted(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, line := range []string{"&{28002 0 ORA-28002: the password will expire within 6 days", "}", "query ID:  77", "ORA-24344: success with Maria"} {
		printed(logger, line)
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "expires soon") || !strings.Contains(got, "ORA-24344") || strings.Contains(got, "Maria") {
		t.Errorf("log = %s", got)
	}
}
