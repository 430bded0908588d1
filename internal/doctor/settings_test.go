package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestDiagnoseSettings_FileReadableByOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("rights are lists there")
	}
	file := filepath.Join(t.TempDir(), ".env")
	if found := DiagnoseSettings(t.Context(), file); len(found) != 0 {
		t.Errorf("no file: %+v, want nothing", found)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	group := Warn
	if os.Geteuid() == 0 {
		group = OK // a file of root's may be for the group of the service
	}
	for mode, want := range map[os.FileMode]Result{0o600: OK, 0o400: OK, 0o640: group, 0o644: Warn, 0o666: Warn, 0o604: Warn} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		found := DiagnoseSettings(t.Context(), file)
		if len(found) != 1 || found[0].Result != want || want == Warn && !strings.HasPrefix(found[0].Hint, "chmod ") {
			t.Errorf("%04o: %+v, want %s and what to do", mode, found, want)
		}
	}
}

func TestJudgeList(t *testing.T) {
	t.Parallel()
	const svc, service = "S-1-5-21-1-2-3-1109", "S-1-5-80-1-2-3-4-5"
	const shutTo = "O:BAG:BAD:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;" + svc + ")(A;;FR;;;" + service + ")"
	if found := judgeList("keys are in it", "/srv/pombo/.env", shutTo, []string{svc}); found != nil {
		t.Errorf("nobody else: %+v, want nothing", found)
	}
	found := judgeList("keys are in it", "/srv/pombo/.env", shutTo+"(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)", nil)
	if len(found) != 1 || found[0].Result != Warn {
		t.Fatalf("found %+v, want a warning", found)
	}
	// The names are Windows' own; of an account that nobody knows it is the SID.
	if got, want := found[0].Message, " and Authenticated Users may read /srv/pombo/.env, and keys are in it"; !strings.HasSuffix(got, want) || !strings.Contains(got, svc+", ") || strings.Contains(got, service) {
		t.Errorf("message = %q, want … %q", got, want)
	}
	if got := found[0].Hint; runtime.GOOS != "windows" && !strings.Contains(got, `icacls "/srv/pombo" /inheritance:r /remove:g "*`+svc+`" "*S-1-5-32-545" "*S-1-5-11" /grant:r "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F" "*`+service+`:(OI)(CI)M"`) {
		t.Errorf("to do = %q, want icacls", got)
	}
	if found := judgeList("keys are in it", "/.env", "O:BAG:BAD:NO_ACCESS_CONTROL", nil); len(found) != 1 || strings.Contains(found[0].Hint, "icacls") {
		t.Errorf("on a disk's own folder: %+v, want no icacls for the whole disk", found)
	}
	if found := judgeList("keys are in it", "/srv/.env", "?", nil); len(found) != 1 || found[0].Result != Warn {
		t.Errorf("not SDDL: %+v, want a warning", found)
	}
}

// The files of secrets are looked at as well.
func TestDiagnoseSettings_SecretFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("rights are lists there")
	}
	folder := t.TempDir()
	settings, secret := filepath.Join(folder, ".env"), filepath.Join(folder, "KEYBLIP")
	for file, mode := range map[string]os.FileMode{settings: 0o600, secret: 0o644} {
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	found := DiagnoseSettings(t.Context(), settings, secret)
	if len(found) != 1 || found[0].Result != Warn || !strings.Contains(found[0].Message, "KEYBLIP") {
		t.Errorf("found %+v, want a warning about KEYBLIP", found)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("rights are lists there")
	}
	program := filepath.Join(t.TempDir(), "pombo")
	for mode, want := range map[os.FileMode]int{0o755: 0, 0o757: 1} {
		if err := os.WriteFile(program, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(program, mode); err != nil {
			t.Fatal(err)
		}
		if found := unchanged(program); len(found) != want {
			t.Errorf("%04o: %+v, want %d findings", mode, found, want)
		}
	}
}
