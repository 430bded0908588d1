package config

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestLoad_Layers: environment over file over default, and Print says which it was.
func TestLoad_Layers(t *testing.T) {
	key := write(t, "key", "\ufeffKey "+goodKey+"\r\n\r\n")
	file := write(t, "pombo.env", "# comment\nTEMPLATE_NAME=from_file\nWORKERS=3\nDB_URL=postgres://erp:s3cr3t-password@db/erp?sslmode=disable\nLOG_LEVEL=debug\n")
	c, warnings, err := Load(file, []string{"WORKERS=5", "KEYBLIP_FILE=" + key, "LOG_LEVEL=", "PATH=/bin"}, NeedAll)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("err = %v, warnings = %v", err, warnings)
	}
	if c.Blip.Template != "from_file" || c.Dispatch.Workers != 5 || c.Blip.Key.Reveal() != goodKey || c.Log.Level != slog.LevelInfo {
		t.Errorf("template %q, workers %d, level %v", c.Blip.Template, c.Dispatch.Workers, c.Log.Level)
	}

	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, line := range []string{
		`KEYBLIP +\[secret\] +file ` + regexp.QuoteMeta(key),
		`TEMPLATE_NAME +from_file +` + regexp.QuoteMeta(file) + ` line 2`,
		`WORKERS +5 +environment`,
		`DB_URL +postgres://erp:\[secret\]@db/erp\?\[secret\] +.* line 4`,
		`DB_PASSWORD +- +-`,
		`BLIP_TIMEOUT +20s +default`,
		`LEDGER_URL +sqlite:data/pombo.db +default`,
	} {
		if !regexp.MustCompile(`(?m)^  ` + line + `$`).MatchString(out) {
			t.Errorf("no line %s in\n%s", line, out)
		}
	}
	for _, g := range groups {
		for _, v := range g.variables {
			if !strings.Contains(out, "\n  "+v.name+" ") {
				t.Errorf("%s is not printed", v.name)
			}
		}
	}
	for _, text := range []string{out, fmt.Sprintf("%v %+v %#v", c, c, c)} {
		if strings.Contains(text, goodKey) || strings.Contains(text, "s3cr3t") {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}

func TestLoad_FileMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, warnings, err := Load(DefaultFile, good(), NeedAll); err != nil || len(warnings) > 0 {
		t.Errorf("default file: err = %v, warnings = %v", err, warnings)
	}
	_, _, err := Load(DefaultFile, nil, NeedBlip)
	if ps := problems(t, err); len(ps) != 1 || !strings.Contains(ps[0].Hint, "there is no .env in ") {
		t.Errorf("err = %v, want it to say that there is no .env", err)
	}
	_, _, err = Load("other.env", good(), NeedAll)
	if ps := problems(t, err); len(ps) != 1 || ps[0].Where != "other.env" || !strings.Contains(ps[0].Message, "does not exist") {
		t.Errorf("err = %v, want other.env missing", err)
	}
	if err := os.WriteFile(".env.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, warnings, err := Load(DefaultFile, good(), NeedAll)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "rename it to .env") {
		t.Errorf("err = %v, warnings = %v, want one about .env.txt", err, warnings)
	}
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err = Load("folder", good(), NeedAll)
	if ps := problems(t, err); len(ps) != 1 || !strings.Contains(ps[0].Message, "cannot be read") {
		t.Errorf("err = %v, want a folder refused", err)
	}
}

func TestLoad_SecretFiles(t *testing.T) {
	const secret = "s3cr3t-value"
	good := []string{"TEMPLATE_NAME=t", "DB_DSN=db:1521/X", "DB_USER=u", "KEYBLIP=" + goodKey}
	for _, c := range []struct {
		name string
		set  []string
		says string // "" = it works
	}{
		{"plain", []string{"DB_PASSWORD_FILE=" + write(t, "p", secret)}, ""},
		{"newline", []string{"DB_PASSWORD_FILE=" + write(t, "p", secret+"\n")}, ""},
		{"windows", []string{"DB_PASSWORD_FILE=" + write(t, "p", "\xef\xbb\xbf"+secret+"\r\n")}, ""},
		{"empty direct", []string{"DB_PASSWORD=", "DB_PASSWORD_FILE=" + write(t, "p", secret)}, ""},
		{"both", []string{"DB_PASSWORD=" + secret, "DB_PASSWORD_FILE=" + write(t, "p", secret)}, "both set"},
		{"empty", []string{"DB_PASSWORD_FILE=" + write(t, "p", "\n")}, "is empty"},
		{"utf-16", []string{"DB_PASSWORD_FILE=" + write(t, "p", "\xff\xfes\x003\x00")}, "UTF-16"},
		{"binary", []string{"DB_PASSWORD_FILE=" + write(t, "p", "s\x003\x00")}, "UTF-8"},
		{"long", []string{"DB_PASSWORD_FILE=" + write(t, "p", strings.Repeat("x", maxFile+1))}, "too long"},
		{"the secret itself", []string{"DB_PASSWORD_FILE=" + secret}, "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, _, err := Load("", append(slices.Clip(good), c.set...), NeedAll)
			ps := problems(t, err)
			switch {
			case c.says == "" && (err != nil || cfg.Source.Password.Reveal() != secret):
				t.Errorf("err = %v, password = %q", err, cfg.Source.Password.Reveal())
			case c.says != "" && (len(ps) != 1 || ps[0].Name != "DB_PASSWORD_FILE" || !strings.Contains(ps[0].Message, c.says)):
				t.Errorf("err = %v, want one problem of DB_PASSWORD_FILE with %q", err, c.says)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the secret is in the error: %v", err)
			}
		})
	}
	if got := openProblem(fs.ErrPermission).Message; !strings.Contains(got, "user that runs Pombo") {
		t.Errorf("no permission: %q", got)
	}
}

func TestLoad_UnknownNames(t *testing.T) {
	for _, c := range []struct {
		inFile, environment string
		want                string // "" = nothing is said
	}{
		{"BLIP_TIMOUT=5s", "", "did you mean BLIP_TIMEOUT?"},
		{"KEYBLP=x", "", "did you mean KEYBLIP?"},
		{"DB_DNS=x", "", "did you mean DB_DSN?"},
		{"DB_USERNAME=x", "", "write DB_USER"},
		{"ORACLE_DSN=x", "", "write DB_DSN"},
		{"ORACLE_PASSWORD=x", "", "write DB_PASSWORD"},
		{"ORACLE_HOST=x", "", "write DB_HOST"},
		{"ORACLE_SID=x", "", "write DB_SID"},
		{"keyblip=x", "", "did you mean KEYBLIP?"},
		{"NAMESPCE=x", "", "did you mean NAMESPACE?"},
		{"DB_PASWORD_FILE=x", "", "did you mean DB_PASSWORD_FILE?"},
		{"DB_HOST=x", "", "does nothing beside DB_DSN or DB_URL"},
		{"TEMPLATE_NAME_FILE=x", "", "only secrets can come from a file"},
		{"FLASK_ENV=x\nSECRET_KEY=y", "", ""},
		{"", "BLIP_TIMOUT=5s", "did you mean BLIP_TIMEOUT?"},
		{"", "BLIP_COLOUR=blue", "not a variable of Pombo"},
		{"", "KEYBLP=x", "did you mean KEYBLIP?"},
		{"", "DB_COL_STATU=x", "did you mean DB_COL_STATUS?"},
		{"", "DB_PORT_1521_TCP=tcp://10.0.0.1", ""},
		{"", "API_SERVICE_HOST=10.0.0.1", ""},
		{"", "log_level=x", ""},
		{"", "DB_DIR=x", ""},
		{"", "=C:=C:\\pombo", ""},
		{"", "GREETING", ""},
	} {
		t.Run(c.inFile+c.environment, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.environment == "log_level=x" {
				t.Skip("there the case of a name has no meaning")
			}
			file := write(t, ".env", c.inFile+"\n")
			_, warnings, err := Load(file, good(c.environment), NeedAll)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(warnings); c.want == "" && len(warnings) > 0 || !strings.Contains(got, c.want) {
				t.Errorf("warnings = %s, want %q", got, c.want)
			}
		})
	}
}

func TestLoad_OtherWarnings(t *testing.T) {
	for _, c := range []struct {
		set  string
		want string
	}{
		{"KEYBLIP=abcdef", "KEYBLIP (environment) does not look like a key of Blip"},
		{"KEYBLIP=" + base64.StdEncoding.EncodeToString([]byte("nocolon")), "does not look like"},
		{"KEYBLIP=" + base64.RawStdEncoding.EncodeToString([]byte("bot:access")), ""},
		{"API_TOKEN=short", "only 5 characters"},
		{"WEBHOOK_SECRET=0123456789abcdef", "WEBHOOK_SECRET (environment) is set and API_TOKEN is not"},
		{`API_TOKEN="0123456789abcdef"`, "starts and ends with a quote"},
	} {
		_, warnings, err := Load("", good(c.set), NeedAll)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(warnings); c.want == "" && len(warnings) > 0 || !strings.Contains(got, c.want) {
			t.Errorf("%s: warnings = %s, want %q", c.set, got, c.want)
		}
	}
}
