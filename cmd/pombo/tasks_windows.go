package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/windows"
)

// tasks are those of the Task Scheduler that start Pombo. Each is a file of XML in a folder
// of Windows, which an administrator may read.
func tasks() (names []string) {
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil
	}
	folder := filepath.Join(system, "Tasks")
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be read is not ours
		}
		if text, err := os.ReadFile(path); err == nil && startsPombo(text) {
			name, _ := filepath.Rel(folder, path)
			names = append(names, name)
		}
		return nil
	})
	return names
}

// startsPombo reports whether a task names pombo.exe, or the script whose work Pombo does.
// Task files are UTF-16.
func startsPombo(text []byte) bool {
	if wide := bytes.HasPrefix(text, []byte{0xff, 0xfe}); wide {
		units := make([]uint16, 0, len(text)/2)
		for i := 2; i+1 < len(text); i += 2 {
			units = append(units, uint16(text[i])|uint16(text[i+1])<<8)
		}
		text = []byte(string(utf16.Decode(units)))
	}
	lower := strings.ToLower(string(text))
	return strings.Contains(lower, "pombo.exe") || strings.Contains(lower, "notificacao_job")
}
