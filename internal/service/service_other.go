//go:build !windows && !linux

package service

import (
	"context"
	"errors"
)

// DefaultFolder is where the data of a service would lie.
func DefaultFolder(name string) string { return "/var/lib/" + name }

// DefaultEnvFile is the file of its settings.
func DefaultEnvFile(name, _ string) string { return "/etc/" + name + "/pombo.env" }

func notHere() error {
	return &Failure{message: "Pombo is a service of Windows and of systemd only", hint: "have whatever starts the programs here call pombo start, restart it unless it ends with 78, and stop it by SIGTERM", cause: errors.ErrUnsupported}
}

// NeedsPassword reports whether an account can only be used with its password: none is here.
func NeedsPassword(string) bool { return false }

// Install is for Windows and Linux.
func Install(context.Context, Options) error { return notHere() }

// Uninstall is for Windows and Linux.
func Uninstall(context.Context, string, bool, func(string)) error { return notHere() }

// Start is for Windows and Linux.
func Start(context.Context, string) error { return notHere() }

// Stop is for Windows and Linux.
func Stop(context.Context, string) error { return notHere() }

// Query is for Windows and Linux.
func Query(context.Context, string) (Status, error) { return Status{}, notHere() }
