package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pombo/internal/service"
)

// keep fills in what was not given from the installed service. An update must not move it
// to another folder, where it would begin a ledger that knows nothing of what was sent.
func (c *serviceInstallCommand) keep(there service.Status) {
	if c.Folder == "" {
		c.Folder = there.Folder
	}
	if c.Account == "" {
		c.Account, c.accountKept = there.Account, there.Account != "" // with its password
	}
	if c.Start == "" {
		c.Start = there.Start
	}
}

// An installer stops the service, replaces the program, and starts the service if it was
// running. Only a file in the service's folder can remember that from one step to the
// next.
const (
	restartMark = ".restart"
	// restartWithin is how long the mark counts. After an installation on another day,
	// the operator starts Pombo when the settings are right.
	restartWithin = time.Hour
)

// rememberRunning marks a service that runs.
func rememberRunning(ctx context.Context, name string) error {
	there, err := service.Query(ctx, name)
	if err != nil || there.Folder == "" || there.State != service.Running && there.State != service.Starting {
		return err
	}
	return os.WriteFile(filepath.Join(there.Folder, restartMark), nil, 0o600)
}

// wasRunning reports whether the service was running when an installer stopped it, and
// removes the mark.
func wasRunning(ctx context.Context, name string, now time.Time) (bool, error) {
	there, err := service.Query(ctx, name)
	if err != nil || there.Folder == "" {
		return false, err
	}
	mark := filepath.Join(there.Folder, restartMark)
	info, err := os.Stat(mark)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return now.Sub(info.ModTime()) < restartWithin, os.Remove(mark)
}
