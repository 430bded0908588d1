//go:build !windows

package main

// tasks are those of Windows' Task Scheduler that start Pombo; elsewhere there are none.
func tasks() []string { return nil }
