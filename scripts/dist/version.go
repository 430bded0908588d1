package main

import (
	"fmt"
	"regexp"
	"strconv"
)

var semantic = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)([-+].*)?$`)

// numericVersion is the three numbers that Windows can compare: 1.3.0-rc.1 is 1.3.0.
func numericVersion(version string) (string, error) {
	parts := semantic.FindStringSubmatch(version)
	if parts == nil {
		return "", fmt.Errorf("%q is not a version like 1.2.3", version)
	}
	// What Windows Installer has room for.
	for i, most := range []int{255, 255, 65535} {
		if n, err := strconv.Atoi(parts[i+1]); err != nil || n > most {
			return "", fmt.Errorf("version %s: Windows Installer takes at most 255.255.65535", version)
		}
	}
	return parts[1] + "." + parts[2] + "." + parts[3], nil
}
