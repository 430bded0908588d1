package config

import (
	"os"
	"runtime"
	"strings"

	"pombo"
)

// place is where the process was started. A service and a task of Windows that
// nobody gave a folder start in System32, and there the ledger of the default
// settings would be a second one: whatever is pending goes out again.
type place struct {
	folder     string
	systemRoot string // C:\Windows; "" = this is not Windows
}

// here is the place of this process.
func here() place {
	if runtime.GOOS != "windows" {
		return place{}
	}
	folder, err := os.Getwd()
	if err != nil {
		return place{}
	}
	return place{folder, os.Getenv("SystemRoot")}
}

// inSystem reports whether the folder is one of Windows itself.
func (p place) inSystem() bool {
	if p.systemRoot == "" {
		return false
	}
	flat := func(path string) string {
		return strings.TrimRight(strings.ToLower(strings.ReplaceAll(path, "/", `\`)), `\`) + `\`
	}
	return strings.HasPrefix(flat(p.folder), flat(p.systemRoot))
}

// relative reports whether a path of Windows follows the working folder.
func relative(path string) bool {
	if path == "" || path[0] == '\\' || path[0] == '/' {
		return false
	}
	return len(path) < 3 || path[1] != ':' || path[2] != '\\' && path[2] != '/'
}

// checkPlace refuses files that would lie in a folder of Windows.
func (l *loader) checkPlace(c *Config) {
	c.systemFolder = l.at.inSystem()
	if !c.systemFolder {
		return
	}
	for _, f := range []struct{ name, path string }{
		{"LEDGER_URL", sqlitePath(c.Ledger.URL)},
		{"DB_URL", sqlitePath(c.Source.URL)},
		{"LOG_FILE", c.Log.File},
	} {
		if relative(f.path) {
			l.report(f.name, trouble("names a file in the folder in which Pombo was started, and that is "+l.at.folder,
				`have pombo service install make the service, which has a folder of its own; in a task, set "Start in" to Pombo's folder; or write the whole path, such as C:\ProgramData\Pombo\data\pombo.db`))
		}
	}
}

// sqlitePath is the path of an SQLite file; "" = it is another database.
func sqlitePath(url pombo.Private) string {
	scheme, path, _ := strings.Cut(url.Reveal(), ":")
	if !strings.EqualFold(scheme, "sqlite") {
		return ""
	}
	return path
}
