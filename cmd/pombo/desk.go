package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/config"
	"pombo/internal/desk"
)

type deskCommand struct {
	Open deskOpenCommand `cmd:"" default:"withargs" help:"Print a link that is good once, and open it where there is a desktop."`
	User deskUserCommand `cmd:"" help:"Keep the accounts of the desk."`
}

type deskOpenCommand struct {
	Print bool `help:"Only print the link."`
}

func (deskOpenCommand) Help() string {
	return `It makes a link to the operator's desk of the Pombo that runs on this machine. Whoever opens it first, within five minutes and on this machine, is its administrator for that session. Who can read the key beside the ledger (or AUDIT_KEY) can make one; everybody else needs an account: see pombo desk user add.

Examples:

    pombo desk open
    pombo desk open --print`
}

func (c deskOpenCommand) Run(ctx context.Context, s *shell) error {
	settings, key, err := s.deskKey()
	if err != nil {
		return err
	}
	link := deskURL(settings.Desk) + desk.NewLink(key, machineAccount(), time.Now())
	s.printf("%s\n", link)
	if !c.Print && hasDesktop() {
		if err := openInBrowser(ctx, link); err != nil {
			s.sayf("the browser could not be opened (%v): open the link yourself", err)
		}
	}
	s.sayf("the link is good once, for five minutes, on this machine")
	return nil
}

type deskUserCommand struct {
	Add     deskUserAddCommand     `cmd:"" help:"Make an account, and print the link on which its password is set."`
	List    deskUserListCommand    `cmd:"" help:"List the accounts."`
	Invite  deskUserInviteCommand  `cmd:"" help:"Print a new link on which an account sets its password."`
	Disable deskUserDisableCommand `cmd:"" help:"Keep an account from signing in, and end its sessions."`
}

type deskUserAddCommand struct {
	Name    string     `arg:"" help:"Name of the account."`
	Role    pombo.Role `required:"" enum:"viewer,operator,admin" help:"What it may do: viewer, operator or admin."`
	Uncover bool       `help:"It may see the phone and the text of single messages, each with a purpose."`
	Export  bool       `help:"It may export lists with phones."`
	Audit   bool       `help:"It may read the audit trail."`
	Resend  bool       `help:"It may send one message again whose row was corrected, without being an operator."`
	JSON    bool       `help:"Print JSON."`
}

func (deskUserAddCommand) Help() string {
	return `The link is good once, for 24 hours. Hand it over in person: whoever opens it first chooses the password. Where a proxy signs people in (DESK_PROXY_HEADER), the account needs no password.

Examples:

    pombo desk user add ana --role operator
    pombo desk user add bia --role viewer --uncover`
}

func (c deskUserAddCommand) Run(ctx context.Context, s *shell) error {
	var grants []string
	for name, given := range map[string]bool{"uncover": c.Uncover, "export": c.Export, "audit": c.Audit, "resend": c.Resend} {
		if given {
			grants = append(grants, name)
		}
	}
	return s.askDesk(ctx, desk.UserRequest{Do: "add", Name: c.Name, Role: c.Role, Grants: grants}, c.JSON)
}

type deskUserListCommand struct {
	JSON bool `help:"Print JSON."`
}

func (deskUserListCommand) Help() string {
	return `Accounts with their roles and when they signed in last.

Examples:

    pombo desk user list
    pombo desk user list --json`
}

func (c deskUserListCommand) Run(ctx context.Context, s *shell) error {
	return s.askDesk(ctx, desk.UserRequest{Do: "list"}, c.JSON)
}

type deskUserInviteCommand struct {
	Name string `arg:"" help:"Name of the account."`
	JSON bool   `help:"Print JSON."`
}

func (deskUserInviteCommand) Help() string {
	return `For somebody who has lost the password or the first link. The old password stays until the new one is set.

Examples:

    pombo desk user invite ana`
}

func (c deskUserInviteCommand) Run(ctx context.Context, s *shell) error {
	return s.askDesk(ctx, desk.UserRequest{Do: "invite", Name: c.Name}, c.JSON)
}

type deskUserDisableCommand struct {
	Name string `arg:"" help:"Name of the account."`
	JSON bool   `help:"Print JSON."`
}

func (deskUserDisableCommand) Help() string {
	return `Its sessions end at once. The account stays, because the audit trail names it; the page Users can switch it on again.

Examples:

    pombo desk user disable ana`
}

func (c deskUserDisableCommand) Run(ctx context.Context, s *shell) error {
	return s.askDesk(ctx, desk.UserRequest{Do: "disable", Name: c.Name}, c.JSON)
}

// deskKey reads the settings of the desk and the key with which this command proves
// that it may read the data folder. Only the running Pombo creates the key.
func (s *shell) deskKey() (config.Config, audit.Key, error) {
	c, err := s.load(config.NeedDesk | config.NeedLedger)
	if err != nil {
		return c, audit.Key{}, err
	}
	if c.Desk.Addr == "" {
		return c, audit.Key{}, hinted{errors.New("there is no desk"), "set DESK_ADDR to 127.0.0.1:5001, and AUDIT_KEY if the ledger is in PostgreSQL, and start Pombo again"}
	}
	var key audit.Key
	if secret := c.Desk.AuditKey.Reveal(); secret != "" {
		key, err = audit.NewKey(secret)
	} else {
		key, err = audit.ReadKey(c.AuditKeyFile())
	}
	if err != nil {
		return c, key, hinted{err, "start Pombo once, which makes the key, and run this as the user of the service or as an administrator"}
	}
	return c, key, nil
}

// deskURL is where this machine reaches its own desk.
func deskURL(d config.Desk) string {
	address := selfURL(d.Addr)
	if d.OwnTLS || d.TLSCert != "" {
		address = "https" + strings.TrimPrefix(address, "http")
	}
	return address
}

// askDesk makes the running desk do something with accounts, and prints the answer.
func (s *shell) askDesk(ctx context.Context, ask desk.UserRequest, asJSON bool) error {
	settings, key, err := s.deskKey()
	if err != nil {
		return err
	}
	ask.Account = machineAccount()
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	address := deskURL(settings.Desk)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/desk/cli/users", bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(settings.Desk.Hosts) > 0 {
		r.Host = net.JoinHostPort("localhost", r.URL.Port())
	}
	desk.Sign(key, r, body, time.Now())
	client := &http.Client{Timeout: askTime, Transport: &http.Transport{
		// It goes to this machine only, whose certificate names other hosts, and what is
		// sent is signed and good once.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	defer client.CloseIdleConnections()
	answered, err := client.Do(r)
	if err != nil {
		return hinted{fmt.Errorf("no answer from the desk: %w", err), "pombo serve (or pombo start) must be running, with DESK_ADDR as here"}
	}
	defer answered.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answered.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("read the answer of the desk: %w", err)
	}
	var answer desk.UserAnswer
	if err := json.Unmarshal(text, &answer); err != nil {
		return hinted{fmt.Errorf("the desk at %s answered %s", address, answered.Status), "run this with the settings of the running Pombo: AUDIT_KEY, or the key beside the ledger, must be the same"}
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	if answer.Invite != "" {
		answer.Invite = inviteBase(settings.Desk, address) + answer.Invite
	}
	if asJSON {
		return s.printJSON(answer)
	}
	if answer.Invite != "" {
		s.printf("%s\n", answer.Invite)
		s.sayf("the link is good once, for 24 hours; whoever opens it first chooses the password")
		return nil
	}
	if len(answer.Users) == 0 {
		s.sayf("there are none")
		return nil
	}
	g := newGrid("name", "role", "may also", "last sign-in", "")
	for _, u := range answer.Users {
		seen, note := "never", ""
		if !u.Seen.IsZero() {
			seen = clock(u.Seen)
		}
		switch {
		case u.Disabled:
			note = "disabled"
		case !u.HasPassword:
			note = "no password yet"
		}
		g.add(u.Name, u.Role, strings.Join(u.Grants, ", "), seen, note)
	}
	s.printf("%s", g)
	return nil
}

// inviteBase is the address under which other people open the desk, as far as it is
// known.
func inviteBase(d config.Desk, own string) string {
	if len(d.Hosts) == 0 {
		return own
	}
	if len(d.ProxyFrom) > 0 {
		return "https://" + d.Hosts[0]
	}
	scheme, rest, _ := strings.Cut(own, "://")
	_, port, err := net.SplitHostPort(rest)
	if err != nil {
		return own
	}
	return scheme + "://" + net.JoinHostPort(d.Hosts[0], port)
}

// machineAccount is the account that runs the command, according to the machine.
func machineAccount() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return cmp.Or(os.Getenv("USER"), os.Getenv("USERNAME"), "unknown")
}

// hasDesktop reports whether a browser can be opened where this runs.
func hasDesktop() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return os.Getenv("SSH_CONNECTION") == ""
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

func openInBrowser(ctx context.Context, link string) error {
	name, args := "xdg-open", []string{link}
	switch runtime.GOOS {
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", link}
	case "darwin":
		name = "open"
	}
	return exec.CommandContext(context.WithoutCancel(ctx), name, args...).Start() //nolint:gosec // the link is ours
}
