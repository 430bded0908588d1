package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// upgradeCode is what all versions of the installer have in common; pombo.wxs has it too.
var upgradeCode = uuid.MustParse("8E0C7F52-4B8E-4B0E-9C53-1D8E2A6B7C40")

// amendments are what wixl 0.101 cannot say, or says differently from WiX.
var amendments = []string{
	// wixl removes the old product at the very end, when its components are the new one's.
	`UPDATE InstallExecuteSequence SET Sequence = 1501 WHERE Action = 'RemoveExistingProducts'`,
	// Execute="rollback" comes out as an immediate action: exe file 18, continue 64, rollback
	// 256, in the script 1024, as the system 2048.
	`UPDATE CustomAction SET Type = 3410 WHERE Action = 'UndoService'`,
	// Only these reach the part of the installer that has the rights of the system.
	`UPDATE Property SET Value = 'ACCOUNT;FOLDER;WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED' WHERE Property = 'SecureCustomProperties'`,
	// The table Environment, which nothing reads otherwise.
	`INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('RemoveEnvironmentStrings', 3300)`,
	`INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('WriteEnvironmentStrings', 5200)`,
}

// tables are those that wixl cannot write, as Windows Installer imports and exports them.
func tables(numbers string) map[string]string {
	code := braced(upgradeCode)
	upgradeTypes := strings.Join([]string{"s38", "S20", "S20", "S255", "i4", "S255", "s72"}, " ")
	return map[string]string{
		// The program's folder at the end of the machine's PATH, and gone with the program.
		"Environment": table("Environment", "s72 l255 L255 s72", "Environment Name Value Component_", 1,
			[]string{"Path", "=-*PATH", "[~];[INSTALLDIR]", "Program"}),
		// 1 keeps the features, 512 counts the same version as an older one, because two
		// commits without a tag have the same numbers; 2 only looks for a newer one.
		"Upgrade": table("Upgrade", upgradeTypes, "UpgradeCode VersionMin VersionMax Language Attributes Remove ActionProperty", 5,
			[]string{code, "", numbers, "", "513", "", "WIX_UPGRADE_DETECTED"},
			[]string{code, numbers, "", "", "2", "", "WIX_DOWNGRADE_DETECTED"}),
	}
}

// table writes a table, of whose columns the first ones are the key.
func table(name, types, columns string, key int, rows ...[]string) string {
	names := strings.Fields(columns)
	lines := [][]string{names, strings.Fields(types), append([]string{name}, names[:key]...)}
	var b strings.Builder
	for _, line := range append(lines, rows...) {
		b.WriteString(strings.Join(line, "\t") + "\r\n")
	}
	return b.String()
}

// makeInstaller makes the installer for Windows.
func makeInstaller(ctx context.Context, r *release, t target) error {
	program, err := r.program(ctx, t)
	if err != nil {
		return err
	}
	numbers, err := numericVersion(r.version)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	// wixl looks where it is run before it looks beside pombo.wxs. What the commit has under the
	// same name would be taken from there, with the time of the clone.
	const files = "msi/files"
	if err := r.writeIn(files+"/pombo.exe", content); err != nil {
		return err
	}
	for to, from := range map[string]string{
		"msi/pombo.wxs": "deploy/windows/pombo.wxs", files + "/env.example": ".env.example", files + "/LICENSE.txt": "LICENSE",
		files + "/README.md": "README.md", files + "/README.pt-BR.md": "README.pt-BR.md",
	} {
		if err := r.copyIn(from, to); err != nil {
			return err
		}
	}
	picture, err := os.ReadFile("deploy/windows/pombo.png")
	if err != nil {
		return err
	}
	if err := r.writeIn(files+"/pombo.ico", icon(picture)); err != nil {
		return err
	}
	// A version is one product. Its package is another one whenever the program is.
	product := uuid.NewSHA1(upgradeCode, []byte(r.version))
	sum := sha256.Sum256(content)
	pkg := uuid.NewSHA1(product, sum[:])
	path := filepath.Join(r.work, "msi", "pombo.msi")
	if _, err := r.command(ctx, nil, "wixl", "--arch", "x64", "-D", "Version="+numbers, "-D", "Product="+braced(product), "-o", path,
		filepath.Join(r.work, "msi", "pombo.wxs")); err != nil {
		return err
	}
	args := []string{path}
	added := tables(numbers)
	for _, name := range slices.Sorted(maps.Keys(added)) {
		file := filepath.Join("msi", name+".idt")
		if err := r.writeIn(file, []byte(added[name])); err != nil {
			return err
		}
		args = append(args, "-i", filepath.Join(r.work, file))
	}
	for _, query := range amendments {
		args = append(args, "-q", query)
	}
	args = append(args, "-s", "Pombo "+r.version, "Pombo", "x64;1046", braced(pkg))
	if out, err := r.command(ctx, nil, "msibuild", args...); err != nil {
		return err
	} else if bytes.Contains(out, []byte("fail")) { // it ends with 0 after a query that failed
		return fmt.Errorf("msibuild: %s", out)
	}
	made, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := datePackage(made, r.time); err != nil {
		return err
	}
	to := filepath.Join(r.out, r.name(t)+".msi")
	if err := os.WriteFile(to, made, 0o644); err != nil {
		return err
	}
	return r.sign(ctx, to)
}

func braced(id uuid.UUID) string { return "{" + strings.ToUpper(id.String()) + "}" }

// icon is a picture of 256 by 256 points as an icon of Windows.
func icon(png []byte) []byte {
	var b bytes.Buffer
	b.Write([]byte{0, 0, 1, 0, 1, 0})        // an icon with one picture
	b.Write([]byte{0, 0, 0, 0, 1, 0, 32, 0}) // 0 stands for 256 points
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(png))))
	b.Write(binary.LittleEndian.AppendUint32(nil, 22)) // where it begins
	b.Write(png)
	return b.Bytes()
}

// summaryFormat is the head of the section with the summary information: the id of its format.
var summaryFormat = []byte{0xe0, 0x85, 0x9f, 0xf2, 0xf9, 0x4f, 0x68, 0x10, 0xab, 0x91, 0x08, 0x00, 0x2b, 0x27, 0xb3, 0xd9}

// datePackage writes one time over the two that msibuild takes from the clock: when the
// package was made and when it was saved.
func datePackage(msi []byte, at time.Time) error {
	const (
		created, saved = 12, 13
		typeTime       = 64
		sectionAt      = 48 // in the stream; the id stands at 28, behind the header
	)
	id := bytes.Index(msi, summaryFormat)
	if id < 0 || bytes.Contains(msi[id+1:], summaryFormat) {
		return errors.New("the installer has no summary, or two")
	}
	section := id - 28 + sectionAt
	ticks := uint64(at.Unix()+11_644_473_600) * 10_000_000 // 100 ns since 1601
	changed := 0
	for i := range int(binary.LittleEndian.Uint32(msi[section+4:])) {
		property := msi[section+8+8*i:]
		if number := binary.LittleEndian.Uint32(property); number != created && number != saved {
			continue
		}
		value := msi[section+int(binary.LittleEndian.Uint32(property[4:])):]
		if binary.LittleEndian.Uint32(value) != typeTime {
			return errors.New("a time in the installer's summary is none")
		}
		binary.LittleEndian.PutUint64(value[4:], ticks)
		changed++
	}
	if changed != 2 {
		return fmt.Errorf("the installer's summary has %d of 2 times", changed)
	}
	return nil
}
