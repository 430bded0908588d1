package document

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestPath is longer than any path that a row needs.
const longestPath = 1024

// devices are names that Windows takes for devices, with any ending and in any folder.
var devices = []string{
	"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
	"COM0", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "COM¹", "COM²", "COM³",
	"LPT0", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "LPT¹", "LPT²", "LPT³",
}

// clean checks a path that a row names and returns it with slashes. What is not a plain
// way down is refused on every system alike: a table is filled by one machine and read on
// another. The folder is then opened as a root that nothing leads out of, so this is the
// message for people and not the only wall.
func clean(s string) (string, error) {
	s = strings.ReplaceAll(strings.TrimSpace(s), `\`, "/")
	switch {
	case s == "":
		return "", missing("the row names no file")
	case len(s) > longestPath || !utf8.ValidString(s):
		return "", refused("the path is too long or is not text")
	case strings.HasPrefix(s, "/"):
		return "", refused("the path begins at the top; write the way from DOCUMENTS_DIR on")
	case strings.ContainsRune(s, ':'):
		return "", refused("the path has a colon, as drives, addresses and hidden streams have; write the way from DOCUMENTS_DIR on")
	}
	for part := range strings.SplitSeq(s, "/") {
		base, _, _ := strings.Cut(part, ".")
		base = strings.ToUpper(strings.TrimRight(base, " "))
		switch {
		case part == "" || part == ".":
			return "", refused("the path has an empty part")
		case part == "..":
			return "", refused("the path leads up; only files below DOCUMENTS_DIR are sent")
		case strings.ContainsFunc(part, unicode.IsControl) || strings.ContainsAny(part, `<>"|?*`):
			return "", refused("the path has a character that names of files do not have")
		case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || strings.HasPrefix(part, " "):
			return "", refused("a part of the path begins or ends with a blank, or ends with a full stop")
		case slices.Contains(devices, base):
			return "", refused("the path names a device of Windows")
		}
	}
	return path.Clean(s), nil
}
