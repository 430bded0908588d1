package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"

	"pombo/internal/wait"
)

// DefaultFolder is where the data of a service lies.
func DefaultFolder(name string) string { return "/var/lib/" + name }

// DefaultEnvFile is the file of its settings.
func DefaultEnvFile(name, _ string) string { return "/etc/" + name + "/pombo.env" }

// manager is systemd on this machine. Changing something takes root.
func manager(ctx context.Context, change bool) (systemd, error) {
	// That folder is there where systemd runs the machine, as sd_booted(3) has it.
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return systemd{}, &Failure{message: "systemd does not run this machine", hint: "have whatever starts the programs here call pombo start, restart it unless it ends with 78, and stop it by SIGTERM"}
	}
	if change && os.Geteuid() != 0 {
		return systemd{}, &Failure{message: "only root may change the services of this machine", hint: "run the same with sudo"}
	}
	return systemd{run: runner(ctx), user: ids, chown: os.Chown}, nil
}

func runner(ctx context.Context) func(name string, args ...string) (string, error) {
	return func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the programs are named above, and checkName has seen the name
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(said.String()))
		}
		return out.String(), nil
	}
}

func ids(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	uid, err = strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(err, gidErr)
}

// NeedsPassword reports whether an account can only be used with its password: none is here.
func NeedsPassword(string) bool { return false }

// Install makes the service, or changes the one that is there.
func Install(ctx context.Context, o Options) error {
	if err := checkName(o.Name); err != nil {
		return err
	}
	if o.Firewall {
		return &Failure{message: "the firewall is Windows' only", hint: "leave --firewall out, and open the port with the firewall of this machine"}
	}
	if o.Root != "" {
		return systemd{root: o.Root}.install(o)
	}
	m, err := manager(ctx, true)
	if err != nil {
		return err
	}
	return m.install(o)
}

// Uninstall stops the service and takes it away; with alsoData its settings and its data,
// too. The user stays: files elsewhere may be its own.
func Uninstall(ctx context.Context, name string, alsoData bool, _ func(string)) error {
	if err := checkName(name); err != nil {
		return err
	}
	m, err := manager(ctx, true)
	if err != nil {
		return err
	}
	status, err := m.query(name)
	if err != nil {
		return err
	}
	if err := m.uninstall(name); err != nil || !alsoData {
		return err
	}
	if status.Folder != "" {
		err = purge(status.Folder)
	}
	return errors.Join(err, os.RemoveAll("/etc/"+name))
}

func (m systemd) mustExist(name string) error {
	status, err := m.query(name)
	if err == nil && status.State == NotInstalled {
		err = notInstalled(name)
	}
	return err
}

// Start starts the service, and returns when it has run for a moment.
func Start(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	m, err := manager(ctx, true)
	if err != nil {
		return err
	}
	if err := m.mustExist(name); err != nil {
		return err
	}
	if err := m.systemctl("start", name); err != nil {
		return err
	}
	for range 10 { // a wrong setting ends it at once
		if err := wait.For(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		status, err := m.query(name)
		if err != nil {
			return err
		}
		if status.State == Failed || status.State == Stopped || status.State == Starting && status.ExitCode != 0 {
			return &Failure{message: fmt.Sprintf("it ended with %d (%s)", status.ExitCode, status.Exit), hint: "journalctl -u " + name + " and the log have the cause"}
		}
	}
	return nil
}

// Stop stops the service in order, and returns when its process has ended.
func Stop(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	m, err := manager(ctx, true)
	if err != nil {
		return err
	}
	if err := m.mustExist(name); err != nil {
		return err
	}
	return m.systemctl("stop", name)
}

// Query tells how the service is.
func Query(ctx context.Context, name string) (Status, error) {
	if err := checkName(name); err != nil {
		return Status{}, err
	}
	m, err := manager(ctx, false)
	if err != nil {
		return Status{}, err
	}
	return m.query(name)
}
