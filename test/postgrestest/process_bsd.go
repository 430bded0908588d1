//go:build unix && !linux

package postgrestest

import "syscall"

// Elsewhere the server of a test that was killed must be stopped by hand, and
// its children end by themselves when they see that it is gone.

func dieWithUs(*syscall.SysProcAttr) {}

func bind() (release func()) { return func() {} }

func children(int) []int { return nil }
