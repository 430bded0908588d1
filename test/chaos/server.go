//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// server is `pombo serve`, which is started again and again.
type server struct {
	name, binary, folder string
	environ              []string
	key, addr            string
	toBlip, toReceiver   *proxy
	toLedger             *proxy // only with PostgreSQL

	mu     sync.Mutex
	cmd    *exec.Cmd
	gone   chan struct{} // closed when cmd has ended
	frozen atomic.Bool
}

// start starts the process without waiting for anything.
func (s *server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.binary, "serve", "--env-file", os.DevNull)
	s.cmd.Dir, s.cmd.Env = s.folder, append(os.Environ(), s.environ...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.gone = make(chan struct{})
	s.frozen.Store(false)
	go func(c *exec.Cmd, gone chan struct{}) {
		_ = c.Wait() // how it ended is in its log
		close(gone)
	}(s.cmd, s.gone)
	return nil
}

func (s *server) logFile() string { return filepath.Join(s.folder, s.name+".log") }

// up starts the process until it serves: with its ledger away it ends by itself,
// as a service manager knows.
func (s *server) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := s.start(); err != nil {
			return err
		}
		for alive := true; alive; {
			if s.healthy(ctx) {
				return nil
			}
			select {
			case <-s.gone:
				alive = false
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				out, _ := os.ReadFile(s.logFile())
				return fmt.Errorf("%s does not come up: %w\n%s", s.name, ctx.Err(), out[max(0, len(out)-2000):])
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (s *server) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/healthz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// signal sends a signal at once; the process may have ended.
func (s *server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(sig)
	}
}

// kill ends the process without giving it a chance, and waits until it is gone.
func (s *server) kill() {
	s.signal(syscall.SIGKILL)
	s.wait()
}

func (s *server) wait() {
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// stop ends the process in order.
func (s *server) stop() error {
	s.signal(syscall.SIGTERM)
	select {
	case <-s.gone:
		return nil
	case <-time.After(time.Minute):
		s.kill()
		return errors.New(s.name + " did not stop within a minute of SIGTERM")
	}
}

func (s *server) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// history asks the process, which must be up, for the history of a notification.
func (s *server) history(ctx context.Context, id string) string {
	out, err := s.run(ctx, "show", id)
	if err != nil {
		return fmt.Sprintf("%s(%v)", out, err)
	}
	return out
}

// command runs a command of the program on the process, which must be up.
func (s *server) command(ctx context.Context, args ...string) error {
	out, err := s.run(ctx, args...)
	if err != nil {
		return fmt.Errorf("pombo %v: %w\n%s", args, err, out)
	}
	return nil
}

func (s *server) run(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, s.binary, append(args, "--env-file", os.DevNull)...)
	c.Env = append(os.Environ(), s.environ...)
	out, err := c.CombinedOutput()
	return string(out), err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
