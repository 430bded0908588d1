package config

import (
	"net/url"
	"slices"
	"strings"

	"pombo"
)

// Network is the way to what lies beyond the company: Blip, and the receiver of events.
type Network struct {
	Proxy   pombo.Private // a URL, perhaps with user and password; "" = straight
	NoProxy string        // the hosts that are reached without it, as NO_PROXY names them
}

var networkGroup = group{
	title: "The network",
	need:  NeedBlip,
	about: "The way to Blip, to the place where Blip keeps documents, and to EVENTS_URL. These are the names that other programs know, so the environment may have them already; " +
		"there they may be in lower case. A service of Windows and a systemd unit have no environment of a user: write them into .env.",
	variables: []variable{
		{
			name: "HTTPS_PROXY", secret: true, also: NeedDispatch, example: "http://proxy.example.com:3128", show: showProxy,
			doc: "Proxy that connections go through (HTTP CONNECT): `http://host:port`, `https://…` or `socks5://…`. User and password, if it wants any, stand in front of the host, `user:password@`, percent-encoded as in DB_URL; of the ways to sign in only Basic is known, not NTLM. Not set = straight. This machine itself is always reached without it.",
			set: proxy,
		},
		{
			name: "NO_PROXY", also: NeedDispatch, example: "erp.example.com,10.0.0.0/8",
			doc: "Hosts that are reached without HTTPS_PROXY, with commas between: a name (with all names below it), `.example.com` (only those below it), an address, a network such as `10.0.0.0/8`, or `*` for all.",
			set: noProxy,
		},
	},
}

// proxyNames are the names that other programs know in lower case too.
var proxyNames = []string{"HTTPS_PROXY", "NO_PROXY"}

func isProxy(name string) bool { return slices.Contains(proxyNames, name) }

// hasName reports whether an environment sets a name.
func hasName(environ []string, name string) bool {
	return slices.ContainsFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
}

// proxy is the URL of a proxy; without a scheme it is http. A problem quotes nothing:
// in an address that is written wrongly the password may be anywhere.
func proxy(c *Config, s string) *Problem {
	const write = "write it as http://proxy:3128, or http://user:password@proxy:3128 with @ / # ? % in the password percent-encoded (@ is %40)" //nolint:gosec // a pattern
	s = withScheme(s)
	if !splits(s) {
		return trouble("is not the address of a proxy", write)
	}
	u, _ := url.Parse(s) // splits has parsed it
	switch {
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return trouble("is not the address of a proxy that Pombo can use", "write one that begins with http://, https:// or socks5://")
	case u.Hostname() == "", strings.TrimRight(u.Path, "/") != "", u.RawQuery != "":
		return trouble("is not the address of a proxy", write)
	}
	u.Path = ""
	c.Network.Proxy = pombo.Private(u.String())
	return nil
}

// withScheme is the address of a proxy with the scheme that it has if it says none.
func withScheme(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		return "http://" + s
	}
	return s
}

// showProxy shows an address of a proxy without the user, whose name is often that of
// a person.
func showProxy(s string) string {
	if s = withScheme(s); !splits(s) {
		return redacted
	}
	u, _ := url.Parse(s) // splits has parsed it
	if u.User != nil {
		return u.Scheme + "://" + redacted + "@" + u.Host
	}
	return u.Scheme + "://" + u.Host
}

// noProxy is a list of hosts.
func noProxy(c *Config, s string) *Problem {
	if s = strings.TrimSpace(s); strings.ContainsAny(s, ";<>") {
		return trouble("has a character that no host has", "put commas between the hosts; <local> of Windows' settings is not known here: write the names")
	}
	c.Network.NoProxy = s
	return nil
}
