package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// OwnedByUs: nobody asks here.
func OwnedByUs(fs.FileInfo) bool { return false }

// Writable reports whether files can be made in a folder. What the lists of
// rights amount to for this account only a try tells: a file that is gone again
// at once.
func Writable(folder string) error {
	f, err := os.CreateTemp(folder, "pombo-doctor-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// FreeBytes is the room that this user has on the disk of a folder.
func FreeBytes(folder string) (free uint64, err error) {
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
