package config

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
)

// redacted stands for a secret that is set.
const redacted = "[secret]"

// setting is one line of Print.
type setting struct {
	group, name string
	shown       string // redacted; "" = nothing
	from        string // "" = nowhere
}

// Print writes every variable with its value and where it came from, secrets
// redacted. It works on what Load returned beside an error, too; a value that
// was refused is shown as it was written, unless it is a secret or could hide
// one.
func (c Config) Print(w io.Writer) error {
	var b bytes.Buffer
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	group := ""
	for _, s := range c.settings {
		if s.group != group {
			if group != "" {
				fmt.Fprintln(tw)
			}
			group = s.group
			fmt.Fprintln(tw, group)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", s.name, orDash(s.shown), orDash(s.from))
	}
	_ = tw.Flush() // a buffer takes everything
	_, err := w.Write(b.Bytes())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	// A tab or a line break would tear the columns.
	return strings.Join(strings.Fields(s), " ")
}

// showURL shows an address without its password and without its query, where
// passwords may stand too. What does not split beyond doubt is not shown.
func showURL(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "sqlite:") && !strings.Contains(s, "://") {
		return s
	}
	if !splits(s) {
		return redacted
	}
	u, _ := url.Parse(s) // splits has parsed it
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += u.User.Username()
		if _, has := u.User.Password(); has {
			shown += ":" + redacted
		}
		shown += "@"
	}
	shown += u.Host + u.Path
	if u.RawQuery != "" {
		shown += "?" + redacted
	}
	return shown
}

// showDSN shows a descriptor or host:port/service; one in which somebody has
// put a user and a password is not shown.
func showDSN(s string) string {
	if strings.Contains(s, "@") || strings.Contains(s, "://") || namesPassword(s) {
		return redacted
	}
	return s
}
