package postgrestest

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// dieWithUs has the kernel stop the server when we end without saying so.
func dieWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGINT }

func bind() (release func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// children lists the processes that a process has started.
func children(parent int) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended meanwhile
		}
		// pid (name) state parent …; the name may hold blanks and brackets.
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
