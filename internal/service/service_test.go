package service

import (
	"errors"
	"strings"
	"testing"
)

func TestEndingOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		code  int
		asked bool
		want  ending
	}{
		{"in order", 0, true, ending{true, 0}},
		{"by itself, in order", 0, false, ending{true, 0}},
		{"a wrong setting stays stopped", 78, false, ending{true, 78}},
		{"wrong use stays stopped", 2, false, ending{true, 2}},
		{"a failure is a crash", 1, false, ending{false, 0}},
		{"a failed stop stays stopped", 1, true, ending{true, 1}},
	} {
		if got := endingOf(test.code, test.asked); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestExitOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		system, own uint32
		code        int
		what        string
	}{
		{0, 0, 0, ""},
		{1077, 0, 0, ""},
		{1066, 78, 78, "wrong configuration"},
		{1066, 1, 1, "it failed"},
		{1067, 0, 1, "without a word"},
		{1053, 0, 1053, "error 1053"},
	} {
		code, what := exitOf(test.system, test.own)
		if code != test.code || !strings.Contains(what, test.what) || (what == "") != (test.what == "") {
			t.Errorf("exitOf(%d, %d) = %d, %q, want %d, %q", test.system, test.own, code, what, test.code, test.what)
		}
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	const sid = "S-1-5-80-1186145496-2513009144-2993342305-3571717426-2937514006"
	for _, test := range []struct{ account, folder, settings string }{
		{
			`NT SERVICE\pombo`,
			"O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" + sid + ")",
			"D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;" + sid + ")",
		},
		{
			`EMPRESA\svc-pombo$`, // its process has the SID of the service, too
			"O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" + sid + ")",
			"D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;" + sid + ")",
		},
		{"LocalSystem", "O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", "D:PAI(A;;FA;;;SY)(A;;FA;;;BA)"},
	} {
		if got := folderRights("pombo", test.account); got != test.folder {
			t.Errorf("folder for %s: %s, want %s", test.account, got, test.folder)
		}
		if got := settingsRights("pombo", test.account); got != test.settings {
			t.Errorf("settings for %s: %s, want %s", test.account, got, test.settings)
		}
	}
}

func TestNeedsPassword(t *testing.T) {
	t.Parallel()
	for account, want := range map[string]bool{
		"": false, `NT SERVICE\pombo`: false, `nt service\x`: false, "LocalSystem": false, `NT AUTHORITY\NetworkService`: false, `EMPRESA\gmsa$`: false,
		`EMPRESA\svc-pombo`: true, `.\ana`: true,
	} {
		if got := needsPassword(account); got != want {
			t.Errorf("needsPassword(%q) = %v, want %v", account, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		o    Options
		want string
	}{
		{
			Options{Name: "pombo", Program: `C:\Program Files\Pombo\pombo.exe`, Folder: `C:\ProgramData\Pombo`},
			`"C:\Program Files\Pombo\pombo.exe" service run --folder "C:\ProgramData\Pombo"`,
		},
		{
			Options{Name: "pombo2", Program: `C:\pombo.exe`, Folder: `D:\`},
			`"C:\pombo.exe" service run --folder "D:\\" --name pombo2`,
		},
		{
			Options{Name: "pombo", Program: `C:\Notificações\pombo.exe`, Folder: `C:\Pombo São João`},
			`"C:\Notificações\pombo.exe" service run --folder "C:\Pombo São João"`,
		},
	} {
		got := commandLine(test.o)
		if got != test.want {
			t.Errorf("command line = %s, want %s", got, test.want)
		}
		if program, folder := partsOf(got); program != test.o.Program || folder != test.o.Folder {
			t.Errorf("parts of %s = %s, %s, want %s, %s", got, program, folder, test.o.Program, test.o.Folder)
		}
	}
	for line, want := range map[string]string{
		`C:\pombo.exe service run --folder C:\x`:            `C:\x`,
		`"C:\pombo.exe" service run --folder="C:\a b"`:      `C:\a b`,
		`"C:\pombo.exe" service run --folder "C:\Pombo\"`:   `C:\Pombo`, // what an installer writes whose folders end so
		`"C:\pombo.exe" start --env-file "C:\x\.env"`:       "",
		`"C:\pombo.exe" service run --name x --folder "D:"`: "D:",
	} {
		if _, folder := partsOf(line); folder != want {
			t.Errorf("folder of %s = %q, want %q", line, folder, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"pombo": true, "Pombo-2_x": true,
		"": false, "-x": false, "a b": false, "../x": false, `a\b`: false, "a/b": false, "pombo.service": false, "ç": false, strings.Repeat("x", 65): false,
	} {
		if err := checkName(name); (err == nil) != want {
			t.Errorf("checkName(%q) = %v, want ok = %v", name, err, want)
		}
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	err := notInstalled("x")
	if !errors.Is(err, errNoService) || err.Error() != `there is no service "x"` {
		t.Errorf("error = %v", err)
	}
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || hinted.Hint() == "" {
		t.Error("it has no hint")
	}
}
