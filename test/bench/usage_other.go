//go:build !linux

package main

import (
	"errors"
	"time"
)

var errNotHere = errors.New("what a process uses is read from /proc: run the bench on Linux")

func (p *process) peak() (float64, error) { return 0, errNotHere }

func (p *process) cpu() (time.Duration, error) { return 0, errNotHere }

func ownCPU() time.Duration { return 0 }
