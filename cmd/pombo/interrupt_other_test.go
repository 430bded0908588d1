//go:build !windows

package main

import "os"

func underTest() { main() }

// endInOrder asks a process to end.
func endInOrder(p *os.Process, _ string) error { return p.Signal(os.Interrupt) }
