package access

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// Protect gives a file or folder the owner, group and list of rights (DACL) that
// sddl names; what sddl leaves out stays. What is in a folder inherits from the
// new list at once. To give a file to somebody else takes an administrator.
func Protect(path, sddl string) error {
	descriptor, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return fmt.Errorf("read the list of rights %q: %w", sddl, err)
	}
	control, _, err := descriptor.Control()
	if err != nil {
		return fmt.Errorf("read the list of rights %q: %w", sddl, err)
	}
	dacl, _, err := descriptor.DACL()
	if err == nil && dacl == nil {
		err = errors.New("it would let everybody in") // a list that is null, not empty
	}
	if err != nil {
		return fmt.Errorf("read the list of rights %q: %w", sddl, err)
	}
	owner, _, err := descriptor.Owner()
	if err != nil {
		return fmt.Errorf("read the owner in %q: %w", sddl, err)
	}
	group, _, err := descriptor.Group()
	if err != nil {
		return fmt.Errorf("read the group in %q: %w", sddl, err)
	}
	info := windows.SECURITY_INFORMATION(windows.DACL_SECURITY_INFORMATION | windows.UNPROTECTED_DACL_SECURITY_INFORMATION)
	if control&windows.SE_DACL_PROTECTED != 0 {
		info = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	if owner != nil {
		info |= windows.OWNER_SECURITY_INFORMATION
	}
	if group != nil {
		info |= windows.GROUP_SECURITY_INFORMATION
	}
	if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, info, owner, group, dacl, nil); err != nil {
		return fmt.Errorf("set the rights of %s: %w", path, err)
	}
	return nil
}

// SDDL returns owner, group and list of rights (DACL) of a file or folder.
func SDDL(path string) (string, error) {
	descriptor, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.GROUP_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return "", fmt.Errorf("read the rights of %s: %w", path, err)
	}
	return descriptor.String(), nil
}
