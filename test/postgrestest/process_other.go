//go:build !unix

package postgrestest

import "os/exec"

// PostgreSQL can be had on Windows; starting it needs another way to stop it and
// to give up rights, which nothing here has needed so far.
const supported = false

func handOver(string) error { return nil }

func prepare(*exec.Cmd) {}

func bind() (release func()) { return func() {} }

func (p *process) interrupt() { p.kill() }

func (p *process) kill() { _ = p.Process.Kill() }

func (p *process) freeze() []int { return nil }

func wake(int) {}
