package service

import (
	"strings"

	"pombo/internal/access"
)

// The lists of rights (ACLs) of the service's files on Windows. They do not inherit: what
// C:\ProgramData gives to all users ends here.
const (
	system = "(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)" // Windows itself, and administrators: everything, also below
	modify = "0x1301bf"                         // read, write, run, delete; not change the rights
	file   = "D:PAI(A;;FA;;;SY)(A;;FA;;;BA)"    // the same for one file
	folder = "O:BAG:BAD:PAI" + system           // owned by the administrators
)

// folderRights is for the folder and what lies in it: the service may change its files.
func folderRights(name, account string) string {
	if isSystem(account) {
		return folder
	}
	return folder + "(A;OICI;" + modify + ";;;" + access.ServiceSID(name) + ")"
}

// settingsRights is for the file of settings, with the key and the passwords: the service
// may read it, and cannot change where it sends to.
func settingsRights(name, account string) string {
	if isSystem(account) {
		return file
	}
	return file + "(A;;FR;;;" + access.ServiceSID(name) + ")"
}

// ownAccount is the account that Windows makes for each service: it has no password and no
// rights but those that its SID is given.
func ownAccount(name string) string { return `NT SERVICE\` + name }

// isSystem reports whether the account may do anything anyway.
func isSystem(account string) bool {
	switch strings.ToLower(account) {
	case "localsystem", `nt authority\system`, `.\localsystem`:
		return true
	}
	return false
}

// needsPassword reports whether Windows asks for the password of the account: not for
// those of services and machines, nor for those that Active Directory looks after (gMSA).
func needsPassword(account string) bool {
	lower := strings.ToLower(account)
	return account != "" && !isSystem(account) && !strings.HasPrefix(lower, `nt service\`) && !strings.HasPrefix(lower, `nt authority\`) &&
		!strings.HasSuffix(lower, "$")
}
