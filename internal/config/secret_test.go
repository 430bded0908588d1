package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pombo/internal/secretfile"
)

// What pombo secret set writes is what NAME_FILE reads.
func TestSecretFile_Written(t *testing.T) {
	t.Parallel()
	settings := filepath.Join(t.TempDir(), "settings.env")
	path := secretfile.Path(settings, "DB_PASSWORD")
	if err := secretfile.Write(path, settings, "DB_PASSWORD", "s3cr3t $ #"); err != nil {
		t.Fatal(err)
	}
	environ := []string{"KEYBLIP=" + goodKey, "TEMPLATE_NAME=t", "DB_DSN=db/X", "DB_USER=u", "DB_PASSWORD_FILE=" + path}
	c, warnings, err := Load("", environ, NeedAll)
	if err != nil || len(warnings) > 0 || c.Source.Password.Reveal() != "s3cr3t $ #" {
		t.Errorf("the password is %q, %v, %v", c.Source.Password.Reveal(), warnings, err)
	}
	if got := c.SecretFiles(); len(got) != 1 || got[0] != path {
		t.Errorf("SecretFiles = %q, want %q", got, path)
	}
	if got := c.From("DB_PASSWORD"); got != "file "+path {
		t.Errorf("From = %q, want the file", got)
	}
}

func TestSecretFile_OfAnotherMachine(t *testing.T) {
	t.Parallel()
	path := write(t, "key", "pombo-dpapi 1\nQUJD\n")
	_, _, err := Load("", []string{"KEYBLIP_FILE=" + path, "TEMPLATE_NAME=t", "DB_URL=sqlite:x"}, NeedAll)
	got := problems(t, err)
	if len(got) != 1 || got[0].Name != "KEYBLIP_FILE" || !strings.Contains(got[0].Hint, "pombo secret set KEYBLIP") {
		t.Errorf("problems = %v, want one of KEYBLIP_FILE", got)
	}
}

// A credential of systemd counts where nothing else does.
func TestLoad_CredentialsComeLast(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, content := range map[string]string{"KEYBLIP": "Key " + goodKey + "\n", "API_TOKEN": "of-the-credential\n", "OTHER": "x"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	c, warnings, err := Load("", []string{"CREDENTIALS_DIRECTORY=" + folder, "API_TOKEN=of-the-environment", "TEMPLATE_NAME=t", "DB_URL=sqlite:x"}, NeedAll)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if c.Blip.Key.Reveal() != goodKey || c.From("KEYBLIP") != "credential KEYBLIP" {
		t.Errorf("the key is from %q", c.From("KEYBLIP"))
	}
	if got := c.API.Token.Reveal(); got != "of-the-environment" {
		t.Errorf("the token is %q, want that of the environment", got)
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"KEYBLIP": "Key a b", "WEBHOOK_SECRET": "short", "DB_TABLE_X": "x"} {
		if p := CheckSecret(name, value); p == nil || strings.Contains(p.Message, value) {
			t.Errorf("CheckSecret(%s, %s) = %v, want a problem that does not show it", name, value, p)
		}
	}
	for name, value := range map[string]string{"KEYBLIP": goodKey, "DB_PASSWORD": " any thing ", "API_TOKEN": "0123456789abcdef"} {
		if p := CheckSecret(name, value); p != nil {
			t.Errorf("CheckSecret(%s) = %v", name, p.Message)
		}
	}
}
