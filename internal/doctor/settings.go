package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"pombo/internal/access"
	"pombo/internal/disk"
)

// DiagnoseSettings looks who else may read the file of the settings and the files of
// secrets that it names, as far as there are any: they hold the key of the bot and the
// password of the database. It also looks who may replace the program.
func DiagnoseSettings(ctx context.Context, file string, secrets ...string) []Finding {
	found := check(ctx, "configuration", "privacy", func(context.Context) []Finding {
		return private("keys and passwords are in it", append([]string{file}, secrets...)...)
	})
	return append(found, check(ctx, "configuration", "program", func(context.Context) []Finding {
		path, err := os.Executable()
		if err != nil {
			return nil // nothing depends on it
		}
		return unchanged(path)
	})...)
}

// serviceName is that of Windows' service, whose account may read what is Pombo's.
const serviceName = "pombo"

// private warns about files that others may read. It reports the first open one.
func private(why string, files ...string) []Finding {
	seen := ""
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			continue // other checks tell
		}
		var found []Finding
		if runtime.GOOS == "windows" {
			sddl, err := access.SDDL(file)
			if err != nil {
				return doubt(fmt.Sprintf("who may read %s cannot be told: %v, and %s", file, err, why), "see its properties in Explorer, under Security")
			}
			found = judgeList(why, file, sddl, access.Accounts(serviceName))
		} else {
			found = judgeMode(why, file, info)
		}
		if found != nil {
			return found
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

// judgeMode judges a mode. That the group may read a file is as it should be where the
// file is root's and the group that of the service.
func judgeMode(why, file string, info fs.FileInfo) []Finding {
	switch mode := info.Mode().Perm(); {
	case mode&0o006 != 0:
		return doubt(fmt.Sprintf("every user of this machine may read %s, and %s", file, why), "chmod o= "+file)
	case mode&0o060 != 0 && disk.OwnedByUs(info):
		return doubt(fmt.Sprintf("the group of %s may read it, and %s", file, why), "chmod g= "+file)
	}
	return nil
}

// judgeList judges a list of rights. ours are the accounts that Pombo runs as; a service
// that the list lets in counts as one, because it may have been given another name.
func judgeList(why, file, sddl string, ours []string) []Finding {
	services, _ := access.Services(sddl) // Strangers tells what is wrong with it
	ours = append(slices.Clone(ours), services...)
	strangers, err := access.Strangers(sddl, ours...)
	switch {
	case err != nil:
		return doubt(fmt.Sprintf("who may read %s cannot be told: %v, and %s", file, err, why), "see its properties in Explorer, under Security")
	case len(strangers) == 0:
		return nil
	}
	return doubt(fmt.Sprintf("%s may read %s, and %s", accounts(strangers), file, why), shut(file, strangers, ours))
}

// accounts lists who was found, in the words of Windows.
func accounts(list []access.Grant) string {
	var words []string
	for _, g := range list {
		words = append(words, access.Name(g.SID))
	}
	if last := len(words) - 1; last > 0 {
		return strings.Join(words[:last], ", ") + " and " + words[last]
	}
	return words[0]
}

// shut is how to take a file from strangers: with its folder, because SQLite makes new
// files beside the ledger, unless the folder is a whole disk.
func shut(file string, strangers []access.Grant, ours []string) string {
	path, err := filepath.Abs(file)
	if err != nil {
		path = file
	}
	folder := filepath.Dir(path)
	if filepath.Dir(folder) == folder {
		return "move it into a folder of its own, such as C:\\ProgramData\\Pombo, which pombo service install shuts"
	}
	return "pombo service install shuts Pombo's folder; or, in a console of an administrator: " + access.Icacls(folder, true, strangers, ours...)
}

// unchanged warns of a program that others may replace: they would act as Pombo, or as
// the administrator who runs it next.
func unchanged(program string) []Finding {
	const why = "and what they put in its place would run with the rights of Pombo"
	if runtime.GOOS != "windows" {
		info, err := os.Stat(program)
		if err == nil && info.Mode().Perm()&0o002 != 0 {
			return doubt(fmt.Sprintf("every user of this machine may replace %s, %s", program, why), "chmod o-w "+program)
		}
		return nil
	}
	sddl, err := access.SDDL(program)
	if err != nil {
		return nil // a failure is reported for the settings beside it
	}
	strangers, err := access.Strangers(sddl, access.Accounts(serviceName)...)
	if err != nil {
		return nil
	}
	var may []access.Grant
	for _, s := range strangers {
		if s.Change {
			may = append(may, s)
		}
	}
	if len(may) == 0 {
		return nil
	}
	return doubt(fmt.Sprintf("%s may replace %s, %s", accounts(may), program, why), `put the program into C:\Program Files\Pombo, where only administrators write`)
}
