package config

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/configuration.md and .env.example anew")

// TestVariables_AreInTheDocuments holds the two files that are made from the table against it.
func TestVariables_AreInTheDocuments(t *testing.T) {
	for _, d := range []struct {
		path  string
		write func(io.Writer) error
	}{
		{"../../docs/configuration.md", writeReference},
		{"../../.env.example", writeExampleFile},
	} {
		t.Run(filepath.Base(d.path), func(t *testing.T) {
			var b bytes.Buffer
			if err := d.write(&b); err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(d.path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			have, err := os.ReadFile(d.path)
			if err != nil {
				t.Fatalf("%v (go test ./internal/config -update writes it)", err)
			}
			// A checkout on Windows may have CR LF.
			if diff := cmp.Diff(strings.ReplaceAll(string(have), "\r\n", "\n"), b.String()); diff != "" {
				t.Errorf("%s is not what the table says; run go test ./internal/config -update\n(-file +table)\n%s", d.path, diff)
			}
		})
	}
}

// TestTable holds the table against itself: each default and each example is
// read without complaint, and no name stands twice.
func TestTable(t *testing.T) {
	t.Chdir("testdata") // where the file of the example for HOLIDAYS_FILE is
	seen := map[string]bool{}
	for _, g := range groups {
		for _, v := range g.variables {
			if seen[v.name] {
				t.Errorf("%s stands twice", v.name)
			}
			seen[v.name] = true
			if v.doc == "" || strings.ContainsAny(v.doc, "|\n") || !strings.HasSuffix(v.doc, ".") {
				t.Errorf("%s: documentation %q", v.name, v.doc)
			}
			if v.starter && v.standard != "" {
				t.Errorf("%s is in the first part of .env.example and has a default", v.name)
			}
			for _, s := range []string{v.standard, v.example} {
				if s == "" {
					continue
				}
				if p := v.set(&Config{}, s); p != nil {
					t.Errorf("%s=%s: %s", v.name, s, p.Message)
				}
			}
		}
	}
}

// TestExampleFile_LacksOnlyRequiredSettings: .env.example as it is complains only of what must be filled
// in; filled in and with every # before a default taken away, of nothing.
func TestExampleFile_LacksOnlyRequiredSettings(t *testing.T) {
	content, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := Load(write(t, ".env", string(content)), nil, NeedAll)
	var names []string
	for _, p := range problems(t, err) {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"KEYBLIP", "TEMPLATE_NAME", "DB_DSN"}, names); diff != "" || len(warnings) > 0 {
		t.Errorf("as it is: warnings %v, problems (-want +got)\n%s", warnings, diff)
	}

	full := regexp.MustCompile(`(?m)^#([A-Z_]+=)`).ReplaceAllString(string(content), "$1")
	full = strings.Replace(full, "\nBLIP_URL=", "\n#BLIP_URL=", 1)
	for name, value := range map[string]string{"KEYBLIP": goodKey, "TEMPLATE_NAME": "t", "DB_DSN": "db:1521/X", "DB_USER": "u", "DB_PASSWORD": "'p$x #1'"} {
		full = strings.Replace(full, "\n"+name+"=\n", "\n"+name+"="+value+"\n", 1)
	}
	c, warnings, err := Load(write(t, ".env", full), nil, NeedAll)
	if err != nil || len(warnings) > 0 {
		t.Errorf("filled in: err = %v, warnings = %v", err, warnings)
	}
	if got, want := c.Source.Password.Reveal(), "p$x #1"; got != want {
		t.Errorf("password = %q, want %q", got, want)
	}
}
