//go:build !windows

package access

import (
	"cmp"
	"errors"
	"fmt"
)

// Protect gives a file or folder the rights that sddl names, on Windows.
func Protect(path, _ string) error {
	return fmt.Errorf("set the rights of %s by SDDL: %w", path, errors.ErrUnsupported)
}

// SDDL returns the rights of a file or folder, on Windows.
func SDDL(path string) (string, error) {
	return "", fmt.Errorf("read the rights of %s as SDDL: %w", path, errors.ErrUnsupported)
}

// Accounts returns the SIDs that Pombo runs as, on Windows.
func Accounts(string) []string { return nil }

// Name returns the name of an account of Windows, if every machine has it, or its SID.
func Name(sid string) string {
	return cmp.Or(names[sid], sid)
}
