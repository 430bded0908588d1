package config

import (
	"strings"
	"testing"
	"time"
)

func TestDesk(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     []string
		problem string // part of what is wrong; "" = nothing
		addr    string
	}{
		{"none", []string{"DESK_ADDR=-"}, "", ""},
		{"other machines in clear", []string{"DESK_ADDR=0.0.0.0:5001"}, "would travel in clear", ""},
		{"any address in clear", []string{"DESK_ADDR=:5001"}, "would travel in clear", ""},
		{"with a certificate", []string{"DESK_ADDR=0.0.0.0:5001", "DESK_TLS_CERT=a", "DESK_TLS_KEY=b"}, "", "0.0.0.0:5001"},
		{"half a certificate", []string{"DESK_TLS_CERT=a"}, "DESK_TLS_KEY is not", ""},
		{"its own certificate", []string{"DESK_ADDR=0.0.0.0:5001", "DESK_TLS=own"}, "", "0.0.0.0:5001"},
		{"two certificates", []string{"DESK_TLS=own", "DESK_TLS_CERT=a", "DESK_TLS_KEY=b"}, "both set", ""},
		{"another way to speak TLS", []string{"DESK_TLS=yes"}, "write own", ""},
		{"behind a proxy", []string{"DESK_ADDR=0.0.0.0:5001", "DESK_PROXY_FROM=10.0.0.5"}, "", "0.0.0.0:5001"},
		{"behind any proxy", []string{"DESK_PROXY_FROM=0.0.0.0/0"}, "anybody could say who they are", ""},
		{"a header of anybody", []string{"DESK_PROXY_HEADER=X-User"}, "everybody could write", ""},
		{"in clear on purpose", []string{"DESK_ADDR=0.0.0.0:5001", "DESK_PLAIN_HTTP=yes"}, "", "0.0.0.0:5001"},
		{"a host with a port", []string{"DESK_HOSTS=desk:5001"}, "not a list of names", ""},
		{"a name that is no value", []string{"DESK_NAME=button0"}, "not a value of a message", ""},
		{"a short key", []string{"AUDIT_KEY=abc"}, "can be guessed", ""},
		{"a short memory", []string{"AUDIT_RETENTION=30d"}, "at least 180d", ""},
		{"a ledger that is shared", []string{"DESK_ADDR=127.0.0.1:1", "LEDGER_URL=postgres://db/pombo"}, "the same", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := Load("", append(good(), c.set...), NeedAll)
			switch {
			case c.problem == "" && err != nil:
				t.Error(err)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Errorf("err = %v, want it to say %q", err, c.problem)
			case c.problem == "" && got.Desk.Addr != c.addr:
				t.Errorf("address = %q, want %q", got.Desk.Addr, c.addr)
			}
		})
	}
}

// Who has not asked for the desk goes on sending without one.
func TestDesk_SharedLedgerWithoutKey(t *testing.T) {
	got, warnings, err := Load("", append(good(), "LEDGER_URL=postgres://db/pombo"), NeedAll)
	if err != nil || got.Desk.Addr != "" || len(warnings) != 1 || warnings[0].Name != "AUDIT_KEY" {
		t.Errorf("address %q, warnings %v, err = %v, want no desk and a warning", got.Desk.Addr, warnings, err)
	}
}

func TestAuditRetention(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "5Y": 5 * 365 * 24 * time.Hour, "180d": 180 * 24 * time.Hour} {
		got, _, err := Load("", append(good(), "AUDIT_RETENTION="+text), NeedAll)
		if err != nil || got.Desk.AuditRetention != want {
			t.Errorf("%s = %v (%v), want %v", text, got.Desk.AuditRetention, err, want)
		}
	}
}
