//go:build !windows

package access

import (
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
