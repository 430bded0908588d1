//go:build !windows

package secretfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func seal(_, secret string) ([]byte, error) { return []byte(secret + "\n"), nil }

func unseal(string, []byte) ([]byte, error) { return nil, ErrSystem }

// makeFolder makes the folder for those who may read the settings.
func makeFolder(path, settings string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return like(path, settings, 0o700, 0o050)
}

func protect(path, settings string) error { return like(path, settings, 0o600, 0o040) }

// like gives a file owner and group of the settings, where this user may, and lets the
// group in, by the given bits, if it may read the settings: so root writes what the
// service reads.
func like(path, settings string, mode, group fs.FileMode) error {
	info, err := os.Stat(settings)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Chmod(path, mode)
	}
	if err != nil {
		return err
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	if ok && os.Geteuid() == 0 {
		if err := os.Chown(path, int(of.Uid), int(of.Gid)); err != nil {
			return err
		}
		if info.Mode().Perm()&0o040 != 0 {
			mode |= group
		}
	}
	return os.Chmod(path, mode)
}
