package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"pombo/test/nightly"
)

// inFolder is held while this process works in the folder of a script.
var inFolder sync.Mutex

// settingNames finds the variables that a script sets.
var settingNames = regexp.MustCompile(`(?m)^(?:\[\S+\] )?env (\w+)=`)

type beginningOf struct{}

// beginning is what a script begins with, under beginningOf.
type beginning struct {
	scripts string // the folder of all of them
	environ []string
}

// runPombo carries out the line of a script
//
//	run [CODE] pombo ARG...
//
// which runs a command that reads no standard input and compares its exit code, 0 if
// there is none. At night it is a process, as exec and exits have it. By day it is a call
// of run: the script starts a hundred of them, and it costs more to start one than all
// that it does.
func runPombo(ts *testscript.TestScript, neg bool, args []string) {
	code := "0"
	if len(args) > 0 && args[0] != "pombo" {
		code, args = args[0], args[1:]
	}
	if neg || len(args) == 0 || args[0] != "pombo" {
		ts.Fatalf("usage: run [CODE] pombo ARG...")
	}
	if nightly.On() {
		exits(ts, false, append([]string{code}, args...))
		return
	}
	from := ts.Value(beginningOf{}).(beginning)
	environ := slices.Clone(from.environ)
	script, err := os.ReadFile(filepath.Join(from.scripts, ts.Name()+".txtar"))
	ts.Check(err)
	for _, m := range settingNames.FindAllSubmatch(script, -1) {
		if value := ts.Getenv(string(m[1])); value != "" {
			environ = append(environ, string(m[1])+"="+value)
		}
	}
	if got := strconv.Itoa(runIn(ts, environ, args[1:])); got != code {
		ts.Fatalf("exit code = %s, want %s", got, code)
	}
}

// runIn runs a command in the folder of a script.
func runIn(ts *testscript.TestScript, environ, args []string) int {
	inFolder.Lock()
	defer inFolder.Unlock()
	before, err := os.Getwd()
	ts.Check(err)
	ts.Check(os.Chdir(ts.MkAbs(".")))
	defer func() { ts.Check(os.Chdir(before)) }()
	return run(context.Background(), args, environ, strings.NewReader(""), ts.Stdout(), ts.Stderr())
}
