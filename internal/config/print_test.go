package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pombo"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestPrivate_DoesNotPrint(t *testing.T) {
	s := struct{ Key pombo.Private }{"s3cr3t"}
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", s.Key, "all", s)
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s.Key, s.Key, s.Key, s.Key, &s) + string(js) + log.String()
	if strings.Contains(all, "s3cr3t") || strings.Contains(all, fmt.Sprintf("%x", "s3cr3t")) {
		t.Errorf("the secret is printed: %s", all)
	}
	if s.Key.Reveal() != "s3cr3t" {
		t.Errorf("Reveal = %q", s.Key.Reveal())
	}
}

// TestPrint_HidesWhatWasRefused: pombo config prints although something is
// wrong, and just then secrets stand where they do not belong.
func TestPrint_HidesWhatWasRefused(t *testing.T) {
	for _, set := range []string{
		"DB_URL=oracle://u:12/s3cr3t@db/X",
		"DB_URL=oracle://u:p@q/s3cr3t@db/X",
		"DB_URL=oracle://u:12#s3cr3t@db/X",
		"DB_URL=oracle://u:12?s3cr3t@db/X",
		"DB_URL=oracle://u:s3cr3t%zz@db/X",
		"DB_URL=u/s3cr3t@db:1521/X",
		"DB_URL=postgres://u:p@s3cr3t@db/X",
		"DB_URL=postgresql://u@s3cr3t:p@db/X",
		"DB_URL=oracle://u:s3cr3t@p@db/X",
		"DB_DSN=host=db user=u password = s3cr3t",
		"DB_URL=postgres://u@db/X?password=s3cr3t",
		"DB_URL=sqlite://u:s3cr3t@x",
		"DB_DSN=u/s3cr3t@db:1521/X",
		"BLIP_URL=https://u:s3cr3t@x.example",
		"BLIP_URL=s3cr3t@x.example",
		"API_URL=http://u:s3cr3t@x.example",
		"LEDGER_URL=postgres://u:s3cr3t@db/X",
		"KEYBLIP=s3cr3t s3cr3t",
		"API_TOKEN=s3cr3t s3cr3t",
		"DB_PASSWORD=s3cr3t",
		"HTTPS_PROXY=http://u:s3cr3t@proxy:3128",
		"HTTPS_PROXY=u:s3cr3t@proxy:3128",
		"HTTPS_PROXY=http://s3cr3t:p@proxy:3128",
		"HTTPS_PROXY=http://u:p/s3cr3t@proxy:3128",
	} {
		c, warnings, err := Load("", good(set), NeedAll)
		var b strings.Builder
		if err := c.Print(&b); err != nil {
			t.Fatal(err)
		}
		if all := b.String() + fmt.Sprint(warnings, err) + fmt.Sprintf("%+v", c); strings.Contains(all, "s3cr3t") {
			t.Errorf("%s: the secret is printed:\n%s", set, all)
		}
	}
}

// FuzzShowURL writes addresses as people do, with nothing encoded: what is shown of
// them has no part of the password, and what is taken the driver cuts in the same
// places.
func FuzzShowURL(f *testing.F) {
	f.Add("pombo", "@", "127.0.0.1:1", "/erp")
	f.Add("pombo", "", "127.0.0.1:1", "/erp")
	f.Add("pombo@a", ":", "db", "/erp?sslmode=require")
	f.Add("", "?", "db", "")
	f.Add("u", "/", "db", "/x")
	f.Add("u", "%40", "[::1]:5432", "/x")
	f.Add("u", "#", "a,b", "/x")
	const first, last = "Xk7qX", "Wm3zW"
	f.Fuzz(func(t *testing.T, user, middle, host, rest string) {
		for _, part := range []string{user, middle, host, rest} {
			if strings.Contains(part, first) || strings.Contains(part, last) {
				t.Skip("that is not a password")
			}
		}
		address := "postgres://" + user + ":" + first + middle + last + "@" + host + rest
		if shown := showURL(address); strings.Contains(shown, first) || strings.Contains(shown, last) {
			t.Fatalf("%q is shown as %q", address, shown)
		}
		var c Config
		if databaseURL(func(c *Config) *pombo.Private { return &c.Source.URL }, "postgres")(&c, address) != nil {
			return
		}
		driver, err := pgconn.ParseConfig(c.Source.URL.Reveal())
		if err != nil {
			return // it connects to nothing, and what it says is not shown
		}
		if !strings.Contains(driver.Password, first) || !strings.HasSuffix(driver.Password, last) {
			t.Errorf("%q is taken, and the driver cuts the password to %q", address, driver.Password)
		}
		if all := driver.Host + driver.User + driver.Database; strings.Contains(all, first) || strings.Contains(all, last) {
			t.Errorf("%q is taken, and for the driver a part of the password is something else: %q", address, all)
		}
	})
}
