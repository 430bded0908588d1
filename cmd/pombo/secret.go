package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/term"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/secretfile"
)

type secretCommand struct {
	Set secretSetCommand `cmd:"" help:"Keep a secret in a file of its own instead of .env."`
}

type secretSetCommand struct {
	Name    string `arg:"" help:"Name of the variable: ${secrets}."`
	File    string `placeholder:"FILE" help:"Where to keep it; without it in secrets, beside the settings."`
	Systemd bool   `help:"Keep it as an encrypted credential of systemd."`
}

func (secretSetCommand) Help() string {
	return `It asks for the secret without showing it, or takes the only line of the standard input, and writes it for Pombo's account and administrators alone. On Windows the file is encrypted for this machine (DPAPI): a copy of it says nothing elsewhere. It then says which line the settings need (NAME_FILE); it does not change them.

With --systemd it runs systemd-creds, and the unit needs LoadCredentialEncrypted=NAME.

Examples:

    pombo secret set KEYBLIP
    pombo secret set DB_PASSWORD < password.txt
    pombo secret set KEYBLIP --env-file /etc/pombo/pombo.env
    pombo secret set DB_PASSWORD --systemd`
}

func (c secretSetCommand) Run(ctx context.Context, s *shell) error {
	name := strings.ToUpper(c.Name)
	if !slices.Contains(config.Secrets(), name) {
		return wrongUse(fmt.Errorf("%s is not the name of a secret", c.Name), "write one of "+strings.Join(config.Secrets(), ", "))
	}
	switch {
	case c.Systemd && runtime.GOOS != "linux":
		return wrongUse(errors.New("there is no systemd here"), "leave --systemd away")
	case c.Systemd && c.File != "":
		return wrongUse(errors.New("--file and --systemd exclude each other"), "give one of them")
	}
	secret, err := s.readSecret(ctx, name)
	if err != nil {
		return err
	}
	if p := config.CheckSecret(name, secret.Reveal()); p != nil {
		return hinted{fmt.Errorf("%s %s", name, p.Message), p.Hint}
	}
	if c.Systemd {
		return s.keepAsCredential(ctx, name, secret)
	}
	path := c.File
	if path == "" {
		path = secretfile.Path(s.envFile, name)
	}
	if err := secretfile.Write(path, s.envFile, name, secret.Reveal()); err != nil {
		return hinted{fmt.Errorf("keep %s: %w", name, err), "run this as an administrator (as root), or as the account that Pombo runs as"}
	}
	s.printf("%s\n", path)
	s.tellNext(name, path)
	return nil
}

// tellNext says how the settings must name the file of a secret.
func (s *shell) tellNext(name, path string) {
	settings, _, _ := config.Load(s.envFile, s.environ, config.NeedAll) // their problems do not matter here
	line := name + "_FILE=" + filepath.ToSlash(path)
	switch from := settings.From(name); {
	case from == "file "+path || from == "file "+filepath.ToSlash(path):
		s.sayf("Pombo reads it when it starts next")
	case from == "" || from == "default":
		s.sayf("write %s into %s", line, s.envFile)
	case from == "environment":
		s.sayf("take %s out of the environment, and write %s into %s", name, line, s.envFile)
	case strings.HasPrefix(from, s.envFile):
		s.sayf("write %s in the place of %s (%s)", line, name, from)
	default:
		s.sayf("%s now comes from another place (%s): write %s into %s instead", name, from, line, s.envFile)
	}
}

// readSecret asks for a secret in a console, or takes the line that is piped in.
func (s *shell) readSecret(ctx context.Context, name string) (pombo.Private, error) {
	if console, ok := s.stdin.(*os.File); ok && term.IsTerminal(int(console.Fd())) {
		return s.askSecret(ctx, name, int(console.Fd()))
	}
	lines, err := s.readLines(ctx)
	if _, nothing := errors.AsType[usageError](err); nothing {
		return "", wrongUse(errors.New("there is no secret on the standard input"), "put it there, on one line, or run this in a console")
	}
	if err != nil {
		return "", err
	}
	lines = slices.DeleteFunc(lines, func(l pombo.Private) bool { return strings.TrimSpace(l.Reveal()) == "" })
	if len(lines) > 1 {
		return "", wrongUse(fmt.Errorf("there are %d lines on the standard input", len(lines)), "write the secret on one line, and nothing else")
	}
	return lines[0], nil
}

// askSecret reads from a console without showing what is typed. The end of ctx restores
// the console.
func (s *shell) askSecret(ctx context.Context, name string, console int) (pombo.Private, error) {
	before, err := term.GetState(console)
	if err != nil {
		return "", fmt.Errorf("prepare the console: %w", err)
	}
	_, _ = fmt.Fprintf(s.stderr, "%s (it is not shown): ", name)
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() { // after ctx it ends with the process, at the latest
		text, err := term.ReadPassword(console)
		done <- read{text, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(console, before) // nothing else can be done
		return "", ctx.Err()
	case r := <-done:
		s.sayf("") // the Enter was not shown either
		switch {
		case r.err != nil:
			return "", fmt.Errorf("read the secret: %w", r.err)
		case strings.TrimSpace(string(r.text)) == "":
			return "", wrongUse(errors.New("nothing was typed"), "paste or type the secret, then press Enter")
		}
		return pombo.Private(r.text), nil
	}
}

// encryptedStore is where systemd looks for encrypted credentials by their names.
const encryptedStore = "/etc/credstore.encrypted"

// keepAsCredential makes systemd encrypt a secret for this machine.
func (s *shell) keepAsCredential(ctx context.Context, name string, secret pombo.Private) error {
	if err := os.MkdirAll(encryptedStore, 0o700); err != nil {
		return hinted{err, "run this as root"}
	}
	path := filepath.Join(encryptedStore, name)
	encrypt := exec.CommandContext(ctx, "systemd-creds", "encrypt", "--name="+name, "-", path) //nolint:gosec // the name is one of ours
	encrypt.Stdin = strings.NewReader(secret.Reveal())
	if said, err := encrypt.CombinedOutput(); err != nil {
		return hinted{fmt.Errorf("systemd-creds: %w: %s", err, oneLine(string(said))), "it takes root and systemd 250 or newer; else run this without --systemd"}
	}
	s.printf("%s\n", path)
	s.sayf("add LoadCredentialEncrypted=%s to the unit (systemctl edit pombo), take %[1]s out of the settings, and restart it", name)
	return nil
}
