package config

import (
	"strings"
	"testing"
)

func TestProxy_Addresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"proxy:3128":                     "http://proxy:3128",
		" http://proxy.example.com ":     "http://proxy.example.com",
		"http://proxy:3128/":             "http://proxy:3128",
		"https://u:p%40w@proxy:3128":     "https://u:p%40w@proxy:3128",
		"socks5://10.0.0.1:1080":         "socks5://10.0.0.1:1080",
		"http://[2001:db8::1]:3128":      "http://[2001:db8::1]:3128",
		"u:p@proxy:3128":                 "http://u:p@proxy:3128",
		"http://u:s3cr3t@x@proxy:3128":   "",
		"http://u:s3/cr3t@proxy:3128":    "",
		"http://u:s3#cr3t@proxy:3128":    "",
		"http://proxy:3128/proxy.pac":    "",
		"ftp://proxy:3128":               "",
		"http://:3128":                   "",
		"DIRECT":                         "http://DIRECT",
		"http://proxy:3128?user=s3cr3t":  "",
		"http://u:s3cr3t%zz@proxy:3128/": "",
	} {
		var c Config
		p := proxy(&c, text)
		if got := c.Network.Proxy.Reveal(); got != want || (p == nil) != (want != "") {
			t.Errorf("HTTPS_PROXY=%s: %q, %v, want %q", text, got, p, want)
		}
		if p != nil && strings.Contains(p.Message+p.Hint, "s3") {
			t.Errorf("HTTPS_PROXY=%s: the problem shows the secret: %s %s", text, p.Message, p.Hint)
		}
		if shown := showProxy(text); strings.Contains(shown, "s3") || strings.Contains(shown, "cr3t") || strings.Contains(shown, "p%40w") || strings.Contains(shown, "u:") {
			t.Errorf("HTTPS_PROXY=%s is shown as %s", text, shown)
		}
	}
}

// What other programs have in the environment counts, in either case; the file's
// counts where the environment says nothing.
func TestProxy_Places(t *testing.T) {
	t.Parallel()
	file := write(t, "settings.env", "HTTPS_PROXY=http://of-the-file:1\nNO_PROXY=a.example\n")
	for name, test := range map[string]struct {
		environ             []string
		wantProxy, wantNone string
	}{
		"file":       {nil, "http://of-the-file:1", "a.example"},
		"upper case": {[]string{"HTTPS_PROXY=http://up:1", "NO_PROXY=b.example"}, "http://up:1", "b.example"},
		"lower case": {[]string{"https_proxy=http://low:1", "no_proxy=c.example"}, "http://low:1", "c.example"},
		"both":       {[]string{"https_proxy=http://low:1", "HTTPS_PROXY=http://up:1", "no_proxy=c.example"}, "http://up:1", "c.example"},
		"http too":   {[]string{"HTTP_PROXY=http://other:1", "http_proxy=http://other:1"}, "http://of-the-file:1", "a.example"},
	} {
		c, warnings, err := Load(file, append(good(), test.environ...), NeedAll)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, %v", name, warnings, err)
		}
		if c.Network.Proxy.Reveal() != test.wantProxy || c.Network.NoProxy != test.wantNone {
			t.Errorf("%s: %q and %q, want %q and %q", name, c.Network.Proxy.Reveal(), c.Network.NoProxy, test.wantProxy, test.wantNone)
		}
	}
	_, warnings, err := Load(write(t, "other.env", "HTTP_PROXY=http://proxy:1\n"), good(), NeedAll)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].What, "write HTTPS_PROXY") {
		t.Errorf("HTTP_PROXY in the file: %v, %v, want to hear of HTTPS_PROXY", warnings, err)
	}
}

func TestNoProxy_WindowsList(t *testing.T) {
	t.Parallel()
	if p := noProxy(&Config{}, "*.local;<local>"); p == nil || !strings.Contains(p.Hint, "commas") {
		t.Errorf("NO_PROXY=*.local;<local>: %v, want to hear of commas", p)
	}
}
