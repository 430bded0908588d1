//go:build unix

package postgrestest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"sync"
	"syscall"
)

const supported = true

// account returns the account that the server runs as when root runs the tests; nil when it
// can run as we do.
var account = sync.OnceValue(func() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid) // on Unix they are numbers
			gid, _ := strconv.Atoi(u.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil // initdb will say that it does not run as root
})

// handOver gives a path to the server's account.
func handOver(path string) error {
	c := account()
	if c == nil {
		return nil
	}
	return os.Chown(path, int(c.Uid), int(c.Gid))
}

// prepare has the program run as the server's account, and out of reach of the
// terminal's Ctrl-C, which would stop it before the tests.
func prepare(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: account()}
	dieWithUs(c.SysProcAttr)
}

// interrupt asks for a fast shutdown: sessions are cut, nothing is lost.
func (p *process) interrupt() { _ = p.Signal(syscall.SIGINT) } // it may have ended by itself

// kill ends the server and its children. They are listed first: each is a group
// of its own and nobody's child once the server is gone.
func (p *process) kill() {
	children := children(p.Pid)
	_ = p.Signal(syscall.SIGKILL)
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// freeze stops the server and its children where they stand, and returns their pids. The server comes first: it could start another child meanwhile.
func (p *process) freeze() []int {
	_ = p.Signal(syscall.SIGSTOP)
	pids := append(children(p.Pid), p.Pid)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	return pids
}

func wake(pid int) { _ = syscall.Kill(pid, syscall.SIGCONT) }
