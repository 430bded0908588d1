package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretDoesNotPrint(t *testing.T) {
	s := struct{ Key Secret }{"s3cr3t"}
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

// TestPrintHidesWhatWasRefused: pombo config prints although something is
// wrong, and just then secrets stand where they do not belong.
func TestPrintHidesWhatWasRefused(t *testing.T) {
	for _, set := range []string{
		"DB_URL=oracle://u:12/s3cr3t@db/X",
		"DB_URL=oracle://u:p@q/s3cr3t@db/X",
		"DB_URL=oracle://u:12#s3cr3t@db/X",
		"DB_URL=oracle://u:12?s3cr3t@db/X",
		"DB_URL=oracle://u:s3cr3t%zz@db/X",
		"DB_URL=u/s3cr3t@db:1521/X",
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
