package service

import "strings"

// commandLine is what Windows' service manager calls. Every part that may have a blank in
// it is in quotes: C:\Program Files\… without them would run a C:\Program.exe, if
// somebody put one there.
func commandLine(o Options) string {
	line := quoted(o.Program) + " service run --folder " + quoted(o.Folder)
	if o.Name != DefaultName {
		line += " --name " + o.Name
	}
	return line
}

// quoted puts a path in quotes. A backslash at its end would take the quote's meaning away.
func quoted(path string) string {
	end := len(path) - len(strings.TrimRight(path, `\`))
	return `"` + path + strings.Repeat(`\`, end) + `"`
}

// partsOf reads a line that commandLine or an installer has written: the program, and the
// folder behind --folder ("" = there is none).
func partsOf(line string) (program, folder string) {
	var parts []string
	var part strings.Builder
	inQuotes, begun := false, false
	for _, r := range line {
		switch {
		case r == '"':
			inQuotes, begun = !inQuotes, true
		case r == ' ' && !inQuotes:
			if begun {
				parts = append(parts, part.String())
			}
			part.Reset()
			begun = false
		default:
			part.WriteRune(r)
			begun = true
		}
	}
	if begun {
		parts = append(parts, part.String())
	}
	for i, p := range parts {
		switch {
		case i == 0:
			program = p
		case p == "--folder" && i+1 < len(parts):
			folder = parts[i+1]
		case strings.HasPrefix(p, "--folder="):
			folder = strings.TrimPrefix(p, "--folder=")
		}
	}
	if doubled := strings.TrimRight(folder, `\`); len(doubled) < len(folder) { // C:\\ was C:\
		folder = doubled + strings.Repeat(`\`, (len(folder)-len(doubled))/2)
	}
	return program, folder
}
