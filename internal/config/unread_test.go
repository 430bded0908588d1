package config

import (
	"path/filepath"
	"testing"
)

// What stands in a file that could not be read is not called missing.
func TestLoad_UnreadIsNotMissing(t *testing.T) {
	for name, content := range map[string]string{
		"UTF-16":         "\xff\xfeK\x00E\x00",
		"binary":         "KEYBLIP=a\x00b",
		"an open quote":  "API_TOKEN='0123456789abcdef\nKEYBLIP=" + goodKey + "\n",
		"not a NAME=":    "TEMPLATE_NAME exam_ready\n",
		"it is a folder": "",
	} {
		file := filepath.Dir(write(t, "settings.env", content))
		if content != "" {
			file = filepath.Join(file, "settings.env")
		}
		_, _, err := Load(file, nil, NeedAll)
		for _, p := range problems(t, err) {
			if p.Name != "" {
				t.Errorf("%s: %s", name, p)
			}
		}
	}
}
