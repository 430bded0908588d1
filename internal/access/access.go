// Package access knows who may read and change a file or folder, and sets it.
//
// Windows has lists of rights (ACLs), written as SDDL: "D:PAI(A;;FA;;;SY)".
// Everywhere else there are modes. Protect and SDDL are for Windows only and
// return errors.ErrUnsupported elsewhere; the rest is pure and works on both.
package access

import (
	"crypto/sha1" //nolint:gosec // Windows defines the SIDs of services by it; nothing is protected by it
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
)

// ServiceSID returns the SID of the service with this name, which its virtual
// account NT SERVICE\name has. Windows derives it from the name alone, so it is
// known before the service exists.
func ServiceSID(name string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	sum := sha1.Sum(text) //nolint:gosec // see the import
	sid := "S-1-5-80"
	for part := sum[:]; len(part) > 0; part = part[4:] {
		sid += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(part)), 10)
	}
	return sid
}
