package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ReadKey reads the key that MakeKey has written. The error is fs.ErrNotExist when it has
// not yet.
func ReadKey(file string) (Key, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Key{}, fmt.Errorf("read the audit key: %w", err)
	}
	key, err := NewKey(strings.TrimSpace(string(content)))
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w: put the file back from a backup, or take it away; without the old key nobody is found in older lines", file, err)
	}
	return key, nil
}

// MakeKey reads the key of a file, or makes a new one that only this user may read.
func MakeKey(file string) (Key, error) {
	key, err := ReadKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return Key{}, fmt.Errorf("make the audit key: %w", err)
	}
	// It comes into being whole, under its name, or not at all.
	f, err := os.CreateTemp(filepath.Dir(file), ".audit.key-*") // 0600
	if err != nil {
		return Key{}, fmt.Errorf("make the audit key: %w", err)
	}
	_, err = f.WriteString(rand.Text() + rand.Text() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return Key{}, errors.Join(fmt.Errorf("make the audit key: %w", err), os.Remove(f.Name()))
	}
	return ReadKey(file)
}
