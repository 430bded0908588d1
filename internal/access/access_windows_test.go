package access

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// onWine reports whether this is Wine, which keeps no lists of rights: it answers that
// it has set one, and shows one made of the mode.
func onWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

func TestProtect_SDDL(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	list := Private([]string{ServiceSID("pombo-of-no-test")}, false)
	if err := Protect(file, list); err != nil {
		t.Fatal(err)
	}
	got, err := SDDL(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Strangers(got); err != nil {
		t.Errorf("what Windows writes is not understood: %v", err)
	}
	if entries := list[strings.IndexByte(list, '('):]; !onWine() && !strings.HasSuffix(got, entries) {
		t.Errorf("SDDL = %s, want %s at its end", got, entries)
	}
	for _, wrong := range []string{"", "D:NO_ACCESS_CONTROL", "O:BA", "D:(A;;ZZ;;;BA)"} {
		if err := Protect(file, wrong); err == nil {
			t.Errorf("Protect takes %q", wrong)
		}
	}
	if err := Protect(file+".none", list); err == nil {
		t.Error("a file that is not there was protected")
	}
	if _, err := SDDL(file + ".none"); err == nil {
		t.Error("a file that is not there has rights")
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	for _, folder := range []bool{false, true} {
		list := Private(ServiceAccounts("pombo"), folder)
		if strangers, err := Strangers(list, Accounts("pombo")...); err != nil || len(strangers) > 0 {
			t.Errorf("Private = %s, which lets %v in, %v", list, strangers, err)
		}
		if !strings.Contains(list, ServiceSID("pombo")) {
			t.Errorf("Private = %s, which keeps the service out", list)
		}
	}
}

func TestAccounts_Name(t *testing.T) {
	t.Parallel()
	all := Accounts("pombo-of-no-test")
	if len(all) != 2 || all[0] != ServiceSID("pombo-of-no-test") || !strings.HasPrefix(all[1], "S-1-5-") {
		t.Errorf("Accounts = %q, want the service's and mine", all)
	}
	if slices.Contains(all, Name(all[1])) {
		t.Errorf("my SID %s has no name", all[1])
	}
	if got := Name("S-1-5-21-1-2-3-4"); got != "S-1-5-21-1-2-3-4" {
		t.Errorf("the name of nobody is %q, want the SID", got)
	}
}
