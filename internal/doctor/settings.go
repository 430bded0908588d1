package doctor

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"pombo/internal/disk"
)

// DiagnoseSettings looks who else may read the file of the settings, if there is
// one: it holds the key of the bot and the password of the database.
func DiagnoseSettings(ctx context.Context, file string) []Finding {
	return check(ctx, "configuration", "privacy", func(context.Context) []Finding { return private("keys and passwords are in it", file) })
}

// private warns of files that others may read. That its group may is as it should be
// where the file is root's and the group that of the service.
func private(why string, files ...string) []Finding {
	if runtime.GOOS == "windows" {
		return nil // lists of rights say it there, not the mode
	}
	seen := ""
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			continue // other checks tell
		}
		switch mode := info.Mode().Perm(); {
		case mode&0o006 != 0:
			return doubt(fmt.Sprintf("every user of this machine may read %s, and %s", file, why), "chmod o= "+file)
		case mode&0o060 != 0 && disk.OwnedByUs(info):
			return doubt(fmt.Sprintf("the group of %s may read it, and %s", file, why), "chmod g= "+file)
		}
		if seen == "" {
			seen = file
		}
	}
	if seen == "" {
		return nil
	}
	return good("no other user may read " + seen)
}
