package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"pombo/internal/api"
	"pombo/internal/config"
	"pombo/internal/loopback"
	"pombo/internal/service"
)

type serviceCommand struct {
	Install   serviceInstallCommand   `cmd:"" help:"Make the service, or change the one that is there."`
	Uninstall serviceUninstallCommand `cmd:"" help:"Stop and remove the service; settings and data stay."`
	Start     serviceStartCommand     `cmd:"" help:"Start the service, and wait until it runs."`
	Stop      serviceStopCommand      `cmd:"" help:"Stop the service in order, and wait for the end of its process."`
	Status    serviceStatusCommand    `cmd:"" help:"Say how the service is."`
	Run       serviceRunCommand       `cmd:"" hidden:"" help:"Be the service: for Windows' service manager alone."`
}

// named is the flag that all these commands take.
type named struct {
	Name string `default:"pombo" help:"Name of the service (${default})."`
}

type serviceInstallCommand struct {
	named
	Folder   string            `placeholder:"FOLDER" help:"Where its data lies: C:\\ProgramData\\Pombo, or /var/lib/pombo."`
	Account  string            `placeholder:"ACCOUNT" help:"Account it runs as: NT SERVICE\\pombo, which needs no password, or the user pombo."`
	Start    service.StartMode `enum:",delayed,auto,manual" default:"" help:"When it starts by itself: delayed (some minutes after the machine; Windows only), auto or manual."`
	Firewall bool              `help:"Windows: let other machines of the domain reach API_ADDR and DESK_ADDR."`
	Root     string            `hidden:"" help:"Write the unit below this folder, and do nothing else."`

	accountKept bool
}

func (serviceInstallCommand) Help() string {
	return `On Windows it becomes a service with an account of its own, NT SERVICE\pombo, which may read its settings and write in its folder, C:\ProgramData\Pombo, and nothing else. Windows starts it with the machine and after a crash, not after a wrong setting. On Linux it becomes a unit of systemd with the user pombo, settings in /etc/pombo/pombo.env and data in /var/lib/pombo. It takes an administrator, or root. Done again, it changes the service that is there, after an update from a zip for instance; what is not given stays as it is. When a step fails, those before it are undone.

Examples:

    pombo service install
    pombo service install --folder "D:\Pombo" --start auto
    pombo service install --account "EMPRESA\svc-pombo$"`
}

func (c serviceInstallCommand) Run(ctx context.Context, s *shell) error {
	if c.Root == "" {
		if there, err := service.Query(ctx, c.Name); err == nil {
			c.keep(there)
		}
	}
	o, err := c.options(s)
	if err != nil {
		return err
	}
	if err := service.Install(ctx, o); err != nil {
		return err
	}
	for _, task := range tasks() {
		s.sayf("note: the task %q starts Pombo, too. With a ledger of its own it would send what the service sends: end and delete it, and move its data folder to %s before the service starts", task, o.Folder)
	}
	s.printf("the service %s is installed; its settings are in %s, its data is in %s\n", o.Name, o.EnvFile, o.Folder)
	if c.Root == "" {
		s.printUnready(o)
	}
	return nil
}

func (c serviceInstallCommand) options(s *shell) (service.Options, error) {
	o := service.Options{Name: c.Name, Folder: c.Folder, Account: c.Account, Start: c.Start, Firewall: c.Firewall, Root: c.Root}
	o.Note = func(text string) { s.sayf("note: %s", text) }
	if o.Folder == "" {
		o.Folder = service.DefaultFolder(c.Name)
	}
	if o.Start == "" {
		o.Start = service.StartDelayed
	}
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return o, fmt.Errorf("find this program: %w", err)
	}
	o.Program = program
	if o.Folder, err = filepath.Abs(o.Folder); err != nil {
		return o, err
	}
	o.EnvFile = service.DefaultEnvFile(c.Name, o.Folder)
	if s.envFile != config.DefaultFile {
		if o.EnvFile, err = filepath.Abs(s.envFile); err != nil {
			return o, err
		}
		if own := service.DefaultEnvFile(c.Name, o.Folder); windowsPath(own) && o.EnvFile != own {
			return o, wrongUse(errors.New("on Windows the settings of the service lie in its folder"), "put them into "+own+", and leave --env-file out")
		}
	}
	if !c.accountKept && service.NeedsPassword(o.Account) {
		if o.Password, err = s.askPassword(o.Account); err != nil {
			return o, err
		}
	}
	if c.Firewall {
		o.Ports = s.openPorts(o)
	}
	return o, nil
}

// windowsPath reports whether a whole path is one of Windows.
func windowsPath(path string) bool { return len(path) > 1 && (path[1] == ':' || path[0] == '\\') }

// askPassword reads the password of an account, without showing it where somebody types.
func (s *shell) askPassword(account string) (string, error) {
	_, _ = fmt.Fprintf(s.stderr, "password of %s: ", account)
	if in, ok := s.stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		password, err := term.ReadPassword(int(in.Fd()))
		s.sayf("")
		return string(password), err
	}
	lines, err := s.readLines(context.Background())
	if err != nil {
		return "", err
	}
	s.sayf("")
	return lines[0].Reveal(), nil
}

// openPorts are those that other machines are meant to reach.
func (s *shell) openPorts(o service.Options) (ports []int) {
	c, _, _ := config.Load(o.EnvFile, nil, config.NeedAll) // its problems are reported later
	for _, addr := range []string{c.API.Addr, c.Desk.Addr} {
		_, port, err := net.SplitHostPort(addr)
		n, numberErr := strconv.Atoi(port)
		if err == nil && numberErr == nil && n > 0 && !loopback.Host(addr) {
			ports = append(ports, n)
		}
	}
	if len(ports) == 0 {
		o.Note("--firewall opens nothing: API_ADDR and DESK_ADDR are for this machine only")
	}
	return ports
}

// printUnready says what is missing before the service can start. It has the settings of
// its file, not those of this console.
func (s *shell) printUnready(o service.Options) {
	// Relative names begin there for the service. An administrator's console is in System32,
	// where they would be refused.
	_ = os.Chdir(o.Folder)
	_, warnings, err := config.Load(o.EnvFile, nil, config.NeedAll)
	for _, w := range warnings {
		s.sayf("pombo: warning: %s", w)
	}
	if err != nil {
		s.sayf("it cannot start yet: %v", err)
		return
	}
	s.printf("pombo service start starts it\n")
}

type serviceUninstallCommand struct {
	named
	Purge bool `help:"Remove its settings, its ledger and its logs, too. Afterwards nobody knows what was sent."`
}

func (serviceUninstallCommand) Help() string {
	return `The service stops first, in order. Settings, ledger and logs stay where they are; a later installation continues with them.

Examples:

    pombo service uninstall
    pombo service uninstall --purge`
}

func (c serviceUninstallCommand) Run(ctx context.Context, s *shell) error {
	err := service.Uninstall(ctx, c.Name, c.Purge, func(text string) { s.sayf("note: %s", text) })
	if err != nil {
		return err
	}
	s.printf("the service %s is removed\n", c.Name)
	return nil
}

type serviceStartCommand struct {
	named
	Remembered bool `hidden:"" help:"Only if it was running when an installer stopped it."`
}

func (serviceStartCommand) Help() string {
	return `It returns when Pombo answers requests (on Linux: when it has run for two seconds). When it ends instead, the command says with which exit code: 78 is a wrong configuration.

Examples:

    pombo service start`
}

func (c serviceStartCommand) Run(ctx context.Context, s *shell) error {
	if c.Remembered {
		if was, err := wasRunning(ctx, c.Name, time.Now()); err != nil || !was {
			return err
		}
	}
	if err := service.Start(ctx, c.Name); err != nil {
		return err
	}
	s.printf("the service %s runs\n", c.Name)
	return nil
}

type serviceStopCommand struct {
	named
	Remember bool `hidden:"" help:"For an installer: start --remembered starts it again if it was running."`
}

func (serviceStopCommand) Help() string {
	return `The answers to what was sent are waited for and recorded. When the command returns, the process has ended, and its program can be replaced.

Examples:

    pombo service stop`
}

func (c serviceStopCommand) Run(ctx context.Context, s *shell) error {
	if c.Remember {
		if err := rememberRunning(ctx, c.Name); err != nil {
			s.sayf("note: it will not be started again by itself: %v", err)
		}
	}
	if err := service.Stop(ctx, c.Name); err != nil {
		return err
	}
	s.printf("the service %s has stopped\n", c.Name)
	return nil
}

type serviceStatusCommand struct {
	named
	JSON bool `help:"Print JSON."`
}

func (serviceStatusCommand) Help() string {
	return `State, process, how it ended last, when it starts, account and folder, and what GET /readyz says. It needs no administrator. The exit code is 0 when the service runs and is ready.

Examples:

    pombo service status
    pombo service status --json`
}

func (c serviceStatusCommand) Run(ctx context.Context, s *shell) error {
	status, err := service.Query(ctx, c.Name)
	if err != nil {
		return err
	}
	if status.State == service.Running {
		addReadiness(ctx, &status)
	}
	if err := s.show(c.JSON, status, func() { s.printService(status) }); err != nil {
		return err
	}
	if status.Ready == nil || !*status.Ready {
		return errShown
	}
	return nil
}

// addReadiness asks the API of the service. Without the right to read its settings it asks
// where it is by default, without a token.
func addReadiness(ctx context.Context, status *service.Status) {
	c, _, _ := config.Load(service.DefaultEnvFile(status.Name, status.Folder), nil, config.NeedAll) // as far as they can be read
	addr := c.API.Addr
	if addr == "" {
		addr = "127.0.0.1:5000"
	}
	client := api.NewClient(selfURL(addr), c.API.Token.Reveal(), &http.Client{Timeout: 5 * time.Second})
	ready, err := client.Ready(ctx)
	if err != nil && len(ready.Checks) == 0 {
		return // nobody has answered
	}
	status.Ready = &ready.Ready
	for _, check := range ready.Checks {
		if !check.OK {
			status.Checks = append(status.Checks, check.Name)
		}
	}
}

func (s *shell) printService(status service.Status) {
	s.fact("service", status.Name)
	s.fact("state", strings.ReplaceAll(status.State, "_", " "))
	if status.PID > 0 {
		s.fact("process", strconv.Itoa(status.PID))
	}
	if status.Exit != "" {
		s.fact("last end", fmt.Sprintf("%d, %s", status.ExitCode, status.Exit))
	}
	s.fact("starts", string(status.Start))
	s.fact("account", status.Account)
	s.fact("folder", status.Folder)
	s.fact("program", status.Program)
	switch {
	case status.Ready == nil && status.State == service.Running:
		s.fact("ready", "the API does not answer")
	case status.Ready != nil && *status.Ready:
		s.fact("ready", "yes")
	case status.Ready != nil:
		s.fact("ready", "no: "+strings.Join(status.Checks, ", "))
	}
}
