package main

import (
	"runtime"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

func (versionCommand) Help() string {
	return `Examples:

    pombo version
    pombo version --json`
}

// version says which program this is, from what the Go linker wrote into it.
type version struct {
	Version  string `json:"version"` // "(devel)" when built from a working copy
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // the working copy had changes
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func readVersion() version {
	v := version{Version: "unknown", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.time":
			v.Time = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v
}

func (c versionCommand) Run(s *shell) error {
	v := readVersion()
	if c.JSON {
		return s.printJSON(v)
	}
	s.printf("pombo %s %s %s/%s\n", v.Version, v.Go, v.OS, v.Arch)
	if v.Commit != "" {
		changed := ""
		if v.Modified {
			changed = ", with changes"
		}
		s.printf("commit %s of %s%s\n", v.Commit, v.Time, changed)
	}
	return nil
}
