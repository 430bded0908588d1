package main

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"
)

func TestDemo_LeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--once", "--rows=3"}, nil, nil, &stdout, &stderr); code != exitDone {
		t.Errorf("exit code = %d, want 0\n%s%s", code, &stdout, &stderr)
	}
}
