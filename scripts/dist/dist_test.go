package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var commitTime = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestNumericVersion(t *testing.T) {
	t.Parallel()
	tests := []struct{ version, want string }{
		{"1.2.3", "1.2.3"},
		{"1.3.0-rc.1", "1.3.0"},
		{"0.0.0-20261129104635-07eaf6204c71", "0.0.0"},
		{"255.255.65535", "255.255.65535"},
		{"1.256.0", ""},
		{"1.2", ""},
		{"(devel)", ""},
	}
	for _, tt := range tests {
		got, err := numericVersion(tt.version)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("numericVersion(%q) = %q, %v, want %q", tt.version, got, err, tt.want)
		}
	}
}

func TestUnit(t *testing.T) {
	t.Parallel()
	byHand, err := os.ReadFile(filepath.Join("..", "..", "deploy", "pombo.service"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := unit(string(byHand))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"[Unit]\nConditionPathExists=/etc/pombo/pombo.env\n", "\nUser=pombo\n", "\nExecStart=/usr/bin/pombo start --env-file /etc/pombo/pombo.env\n",
		"\nProtectSystem=strict\n", "\nWantedBy=multi-user.target\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the unit of the package lacks %q", want)
		}
	}
	if strings.Contains(got, "/usr/local/") || strings.HasPrefix(got, "#") {
		t.Error("the unit of the package tells how to install by hand")
	}
	if _, err := unit("[Unit]\nExecStart=/opt/pombo start\n"); err == nil {
		t.Error("a unit with the program elsewhere is taken")
	}
}

func TestIcon(t *testing.T) {
	t.Parallel()
	picture := []byte("the picture")
	got := icon(picture)
	size, at := binary.LittleEndian.Uint32(got[14:]), binary.LittleEndian.Uint32(got[18:])
	if int(size) != len(picture) || !bytes.Equal(got[at:], picture) {
		t.Errorf("the icon says %d bytes at %d of %q", size, at, got)
	}
}

// summary is a summary of an installer with the two times, as bytes.
func summary(kind uint32) []byte {
	const before, header = 100, 28 // whatever stands there
	stream := append([]byte(strings.Repeat("x", before+header)), summaryFormat...)
	stream = binary.LittleEndian.AppendUint32(stream, 48)
	section := binary.LittleEndian.AppendUint32(nil, 56)
	for _, n := range []uint32{3, 1, 32, 12, 32, 13, 44} { // three properties
		section = binary.LittleEndian.AppendUint32(section, n)
	}
	for _, low := range []uint32{7, 8} {
		section = binary.LittleEndian.AppendUint32(section, kind)
		section = binary.LittleEndian.AppendUint64(section, uint64(low))
	}
	return append(stream, section...)
}

func TestDatePackage(t *testing.T) {
	t.Parallel()
	msi := summary(64)
	if err := datePackage(msi, commitTime); err != nil {
		t.Fatal(err)
	}
	const want = 134_404_272_000_000_000 // 100 ns since 1601
	for _, back := range []int{8, 20} {
		if got := binary.LittleEndian.Uint64(msi[len(msi)-back:]); got != want {
			t.Errorf("time %d before the end = %d, want %d", back, got, want)
		}
	}
	if datePackage(summary(19), commitTime) == nil {
		t.Error("a number is taken for a time")
	}
	if datePackage([]byte("no summary"), commitTime) == nil {
		t.Error("a file without a summary is taken")
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	got := table("Environment", "s72 l255", "Environment Name", 1, []string{"Path", "=-*PATH"})
	want := "Environment\tName\r\ns72\tl255\r\nEnvironment\tEnvironment\r\nPath\t=-*PATH\r\n"
	if got != want {
		t.Errorf("table = %q, want %q", got, want)
	}
}

// The same files give the same bytes, whenever they were written and by whom.
func TestArchives_SameBytes(t *testing.T) {
	t.Parallel()
	pack := func() (tarred, zipped []byte) {
		from := filepath.Join(t.TempDir(), "pombo")
		if err := os.WriteFile(from, []byte("a program"), 0o600); err != nil {
			t.Fatal(err)
		}
		files := []file{{name: "pombo", from: from, mode: 0o755}}
		var a, b bytes.Buffer
		if err := errors.Join(writeTar(&a, "pombo-1.2.3", files, commitTime), writeZip(&b, "pombo-1.2.3", files, commitTime)); err != nil {
			t.Fatal(err)
		}
		return a.Bytes(), b.Bytes()
	}
	tarred, zipped := pack()
	again, zippedAgain := pack()
	if !bytes.Equal(tarred, again) || !bytes.Equal(zipped, zippedAgain) {
		t.Error("two archives of the same files differ")
	}

	gz, err := gzip.NewReader(bytes.NewReader(tarred))
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(gz)
	header, err := tr.Next()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(tr)
	if err != nil || header.Name != "pombo-1.2.3/pombo" || header.Mode != 0o755 || !header.ModTime.Equal(commitTime) || string(content) != "a program" {
		t.Errorf("the tar has %s %o %v %q, %v", header.Name, header.Mode, header.ModTime, content, err)
	}
	zr, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil || len(zr.File) != 1 || !zr.File[0].Modified.Equal(commitTime) {
		t.Errorf("the zip has %+v, %v", zr.File, err)
	}
}

func TestOptions_Kinds(t *testing.T) {
	t.Parallel()
	for only, want := range map[string]int{"": len(kinds), "deb,rpm": 2, "exe": 0} {
		got, err := options{only: only}.wanted()
		if len(got) != want || (err != nil) != (want == 0) {
			t.Errorf("-only %q makes %d kinds, %v, want %d", only, len(got), err, want)
		}
	}
}

// What dist has made before goes, and nothing else in the folder does.
func TestMakeEmpty(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "dist")
	for range 2 {
		if err := makeEmpty(folder); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"pombo-1.2.3-windows-amd64.msi", sumsName, "notes.txt"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := makeEmpty(folder); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 || left[0].Name() != "notes.txt" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestWriteSums(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "pombo-1.2.3.zip"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeSums(folder, io.Discard); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, sumsName))
	const want = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  pombo-1.2.3.zip\n"
	if err != nil || string(got) != want {
		t.Errorf("%s = %q, %v, want %q", sumsName, got, err, want)
	}
}
