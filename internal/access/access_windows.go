package access

import (
	"errors"
	"fmt"
	"slices"
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
	if err == nil && (dacl == nil || strings.Contains(sddl, "NO_ACCESS_CONTROL")) {
		err = errors.New("it would let everybody in")
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

// Accounts returns the SIDs that Pombo runs as here: the virtual account of the service
// with this name, the account that the service is given, and that of this process.
func Accounts(service string) []string {
	all := ServiceAccounts(service)
	if me := ownSID(); me != "" {
		all = append(all, me)
	}
	return all
}

func ownSID() string {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return ""
	}
	return user.User.Sid.String()
}

// Private returns SDDL for a file, or for a folder and what is made in it: the system,
// administrators and the account that runs this may do everything, the accounts of
// services may read.
func Private(services []string, folder bool) string {
	inherit, read := "", "FR"
	if folder {
		inherit, read = "OICI", "0x1200a9" // read and enter
	}
	var list strings.Builder
	list.WriteString("D:PAI")
	grant := func(rights, sid string) { fmt.Fprintf(&list, "(A;%s;%s;;;%s)", inherit, rights, sid) }
	grant("FA", "SY")
	grant("FA", "BA")
	for _, sid := range services {
		grant(read, sid)
	}
	if me := ownSID(); me != "" && !elevated() && !slices.Contains(services, me) {
		grant("FA", me)
	}
	return list.String()
}

// elevated reports whether this process acts as an administrator: then the right of
// administrators is its own.
func elevated() bool {
	group, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return false
	}
	member, err := windows.Token(0).IsMember(group)
	return err == nil && member
}

// ServiceAccounts returns the SIDs of the virtual account of a service, and of the account
// that it is given.
func ServiceAccounts(service string) []string {
	all := []string{ServiceSID(service)}
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
