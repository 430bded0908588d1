// Package wine tries Pombo for Windows on Linux, under Wine: the installer, the program
// that it brings, the service, an upgrade in the middle of the work, and at night the test
// packages. What Wine does not have (rights on files, restarts after a crash, shutdowns)
// is tried on Windows only: .github/workflows/windows.yml.
//
// ./scripts/test wine runs it. It needs wine, wine64, wixl and msitools.
package wine

import (
	"bytes"
	"context"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if made.folder != "" {
		_ = made.command(context.Background(), "wineserver", "-k").Run() // ends all that runs in it
		_ = made.command(context.Background(), "wineserver", "-w").Run()
		_ = os.RemoveAll(made.folder) // a temporary folder
	}
	os.Exit(code)
}

// machine is a Windows that Wine pretends.
type machine struct {
	folder string // on Linux
	data   string // on Windows, of Pombo
}

// made is the one machine of this process: to make one takes seconds.
var (
	made     machine
	makeOnce sync.Once
	errMade  error
)

// windows returns the machine, and skips the test where it is not asked for.
func windows(tb testing.TB) machine {
	tb.Helper()
	if os.Getenv("POMBO_WINE") != "1" {
		tb.Skip("skipped: ./scripts/test wine runs it")
	}
	for _, name := range []string{"wine", "wineserver", "wixl", "msibuild"} {
		if _, err := exec.LookPath(name); err != nil {
			tb.Skipf("skipped: %s is not installed (Debian: wine wine64 wixl msitools)", name)
		}
	}
	makeOnce.Do(func() { errMade = made.make() })
	if errMade != nil {
		tb.Fatal(errMade)
	}
	m := made
	m.data = `C:\ProgramData\Pombo`
	return m
}

// make sets up a Windows 10 of its own.
func (m *machine) make() (err error) {
	if m.folder, err = os.MkdirTemp("", "pombo-wine-"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if out, err := m.command(ctx, "wineboot", "-i").CombinedOutput(); err != nil {
		return fmt.Errorf("wineboot: %w\n%s", err, out)
	}
	if err := os.WriteFile(m.path(`C:\windows\system32\bcryptprimitives.dll`), randomness(), 0o644); err != nil {
		return err
	}
	if out, err := m.command(ctx, "wine", "winecfg", "/v", "win10").CombinedOutput(); err != nil {
		return fmt.Errorf("winecfg: %w\n%s", err, out)
	}
	// Wine ends its services when the last ordinary program has ended. TestMain ends this one.
	return m.command(context.Background(), "wine", "ping", "-n", "36000", "127.0.0.1").Start()
}

// command is a program of Linux with this machine as its Windows.
func (m machine) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "WINEPREFIX="+filepath.Join(m.folder, "prefix"), "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=", "DISPLAY=")
	return cmd
}

// path is where Linux has a file of the machine.
func (m machine) path(windows string) string {
	return filepath.Join(m.folder, "prefix", "drive_c", filepath.FromSlash(strings.ReplaceAll(strings.TrimPrefix(windows, `C:\`), `\`, "/")))
}

// run runs a program of Windows and returns its exit code, of which Wine passes on the
// lower eight bits, and what it has said.
func (m machine) run(tb testing.TB, name string, args ...string) (int, string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // clean-ups run programs, too
	defer cancel()
	cmd := m.command(ctx, "wine", append([]string{name}, args...)...)
	var out bytes.Buffer // a file, so that a service which keeps it open is not waited for
	file, err := os.CreateTemp(m.folder, "out")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	began := time.Now()
	err = cmd.Run()
	if _, readErr := file.Seek(0, 0); readErr == nil {
		_, _ = out.ReadFrom(file)
	}
	tb.Logf("%s %s: %d after %v", name, strings.Join(args, " "), cmd.ProcessState.ExitCode(), time.Since(began).Round(time.Millisecond))
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		tb.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// must runs a program of Windows that has to end with 0.
func (m machine) must(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	code, out := m.run(tb, name, args...)
	if code != 0 {
		tb.Fatalf("%s %s ended with %d:\n%s", name, strings.Join(args, " "), code, out)
	}
	return out
}

// until waits until something is so.
func until(tb testing.TB, limit time.Duration, what string, so func() bool) {
	tb.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !so(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// randomness is a library that Wine 8 lacks and every program of Go starts with. It has one
// function, which another library of Wine has under another name.
func randomness() []byte {
	const (
		library, function = "bcryptprimitives.dll\x00", "ProcessPrng\x00"
		standIn           = "advapi32.SystemFunction036\x00"
		address           = 0x1000 // of the only section
		headers, table    = 0x200, 40
	)
	le := binary.LittleEndian
	names := address + table + 4 + 4 + 2 // behind one function, one name, one number
	var section bytes.Buffer
	put := func(to *bytes.Buffer, values ...any) {
		for _, v := range values {
			_ = binary.Write(to, le, v) // a buffer takes everything
		}
	}
	put(&section, uint32(0), uint32(0), uint32(0), uint32(names), uint32(1), uint32(1), uint32(1),
		uint32(address+table), uint32(address+table+4), uint32(address+table+8))
	put(&section, uint32(names+len(library)+len(function)), uint32(names+len(library)), uint16(0))
	section.WriteString(library + function + standIn)
	size := uint32(section.Len())
	section.Write(make([]byte, headers-section.Len()))

	optional := pe.OptionalHeader64{
		Magic: 0x20b, SizeOfInitializedData: headers, BaseOfCode: address, ImageBase: 0x180000000,
		SectionAlignment: address, FileAlignment: headers, MajorOperatingSystemVersion: 6, MajorSubsystemVersion: 6,
		SizeOfImage: 2 * address, SizeOfHeaders: headers, Subsystem: pe.IMAGE_SUBSYSTEM_WINDOWS_GUI, DllCharacteristics: pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
		SizeOfStackReserve: 1 << 20, SizeOfStackCommit: 1 << 12, SizeOfHeapReserve: 1 << 20, SizeOfHeapCommit: 1 << 12, NumberOfRvaAndSizes: 16,
	}
	// A forwarder is told from a function by its address, which lies within the table.
	optional.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT] = pe.DataDirectory{VirtualAddress: address, Size: size}
	var file bytes.Buffer
	file.WriteString("MZ")
	file.Write(make([]byte, 58))
	put(&file, uint32(64))
	file.WriteString("PE\x00\x00")
	put(&file, pe.FileHeader{
		Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: uint16(binary.Size(optional)),
		Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE | pe.IMAGE_FILE_LARGE_ADDRESS_AWARE | pe.IMAGE_FILE_DLL,
	}, optional)
	put(&file, pe.SectionHeader32{
		Name: [8]uint8{'.', 'e', 'd', 'a', 't', 'a'}, VirtualSize: size, VirtualAddress: address,
		SizeOfRawData: headers, PointerToRawData: headers, Characteristics: pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ,
	})
	file.Write(make([]byte, headers-file.Len()))
	file.Write(section.Bytes())
	return file.Bytes()
}
