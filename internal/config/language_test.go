package config

import (
	"strings"
	"testing"

	"pombo/internal/words"
)

func TestLanguage(t *testing.T) {
	for _, test := range []struct {
		file    string
		environ []string
		want    words.Language
	}{
		{"", nil, words.English},
		{"", []string{"LANG=pt_BR.UTF-8"}, words.Portuguese},
		{"LANGUAGE=en", []string{"LANG=pt_BR.UTF-8"}, words.English},
		{"", []string{"LANGUAGE=pt-BR"}, words.Portuguese},
		{"LANGUAGE=en", []string{"LANGUAGE=pt-BR"}, words.Portuguese},
		// What gettext reads under this name is no setting.
		{"LANGUAGE=pt-BR", []string{"LANGUAGE=en_US:en"}, words.Portuguese},
		{"", []string{"LANGUAGE=fr:pt_BR:en", "LANG=en_US"}, words.Portuguese},
		{"", []string{"LANGUAGE=de_AT:de", "LANG=pt_BR"}, words.Portuguese},
		{"", []string{"LANGUAGE=en_US:pt_BR", "LANG=pt_BR"}, words.English},
	} {
		c, _, err := Load(write(t, ".env", test.file), test.environ, NeedLog)
		if err != nil || c.Language != test.want {
			t.Errorf("file %q, environment %q: %q, %v, want %q", test.file, test.environ, c.Language, err, test.want)
		}
	}
	for _, given := range []string{"brazilian", "pt_BR"} {
		_, _, err := Load(write(t, ".env", "LANGUAGE="+given), nil, NeedLog)
		if err == nil || !strings.Contains(err.Error(), "pt-BR or en") {
			t.Errorf("LANGUAGE=%s: %v, want what to write", given, err)
		}
	}
	if _, _, err := Load(write(t, ".env", ""), []string{"LANGUAGE=brazilian"}, NeedLog); err == nil {
		t.Error("a typo in the environment is not reported")
	}
}
