package config

import (
	"strings"
	"testing"
)

// Relative names follow the working folder, and a second ledger in System32 sends
// everything again.
func TestPlace_RefusesTheWindowsFolder(t *testing.T) {
	at := func(folder string) place { return place{folder, `C:\Windows`} }
	for _, test := range []struct {
		name string
		at   place
		set  []string
		want string // the variables that are refused
	}{
		{"the defaults", at(`C:\WINDOWS\System32`), nil, "LEDGER_URL DB_URL LOG_FILE"},
		{"the Windows folder itself", at(`c:/windows`), nil, "LEDGER_URL DB_URL LOG_FILE"},
		{"whole paths", at(`C:\Windows\System32`), []string{`LEDGER_URL=sqlite:C:\pombo\pombo.db`, "DB_URL=sqlite:D:/erp.db", `LOG_FILE=\\server\logs\pombo.log`}, ""},
		{"a drive without a folder", at(`C:\Windows\System32`), []string{"LEDGER_URL=sqlite:C:pombo.db", "DB_URL=postgres://u:p@h/d", "LOG_FILE=-"}, "LEDGER_URL"},
		{"Pombo's own folder", at(`C:\pombo`), nil, ""},
		{"a folder beside it", at(`C:\Windows2`), nil, ""},
		{"another system", place{folder: "/windows/system32"}, nil, ""},
	} {
		c, _, err := load("", good(test.set...), NeedAll, test.at)
		var refused []string
		if err != nil {
			for _, p := range problems(t, err) {
				refused = append(refused, p.Name)
				if !strings.Contains(p.Message, test.at.folder) || !strings.Contains(p.Hint, "Start in") {
					t.Errorf("%s: %s %s", test.name, p, p.Hint)
				}
			}
		}
		for name := range strings.FieldsSeq(test.want) {
			if !strings.Contains(strings.Join(refused, " "), name) {
				t.Errorf("%s: %s is not refused", test.name, name)
			}
		}
		if len(refused) != len(strings.Fields(test.want)) {
			t.Errorf("%s: refused %v, want %s", test.name, refused, test.want)
		}
		// What is wrong is not written there either.
		if err != nil && relative(c.LogAnyway(&Error{Problems: problems(t, err)}).File) {
			t.Errorf("%s: the problems would be written into %s", test.name, test.at.folder)
		}
	}
}
