package access

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
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

// Accounts returns the SIDs that Pombo runs as here: that of this process, the virtual
// account of the service with this name, and the account that the service is given.
func Accounts(service string) []string {
	all := []string{ServiceSID(service)}
	if user, err := windows.GetCurrentProcessToken().GetTokenUser(); err == nil {
		all = append(all, user.User.Sid.String())
	}
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\`+service, registry.QUERY_VALUE)
	if err != nil {
		return all // there is no such service
	}
	defer key.Close() //nolint:errcheck // it was only read
	account, _, err := key.GetStringValue("ObjectName")
	if err != nil {
		return all
	}
	if sid, _, _, err := windows.LookupSID("", strings.TrimPrefix(account, `.\`)); err == nil {
		all = append(all, sid.String())
	}
	return all
}

// Name returns the name of an account, or its SID when nobody knows it.
func Name(sid string) string {
	if name, ok := names[sid]; ok {
		return name
	}
	id, err := windows.StringToSid(sid)
	if err != nil {
		return sid
	}
	account, domain, _, err := id.LookupAccount("")
	if err != nil {
		return sid
	}
	return domain + `\` + account
}
