package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"pombo/internal/secretfile"
)

// Load reads the file and the environment (in the form of os.Environ) and
// checks what the needed parts consist of. What the environment says counts
// more than the file; a name that is set to nothing counts as not set, and its
// default applies.
//
// The file may be missing only if it is DefaultFile; "" means no file at all.
//
// The error, if any, is an *Error with all problems. The Config is then filled
// as far as it could be read: good for Print and for nothing else. The warnings
// are for a person to see, whether or not there is an error.
func Load(envFile string, environ []string, need Need) (Config, []Warning, error) {
	return load(envFile, environ, need, here())
}

func load(envFile string, environ []string, need Need, at place) (Config, []Warning, error) {
	l := loader{need: need, file: envFile, at: at, given: map[string]given{}}
	l.readEnvFile()
	l.readEnviron(environ)
	l.readSecretFiles()
	l.readCredentials(environ)
	c := l.fill()
	c.secretFiles = l.secretFiles
	c.Language = cmp.Or(c.Language, localeLanguage(environ))
	l.checkTogether(&c)
	if len(l.problems) == 0 {
		return c, l.warnings, nil
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		_, _, i := lookup(a.Name)
		_, _, j := lookup(b.Name)
		return cmp.Compare(i, j)
	})
	return c, l.warnings, &Error{Problems: l.problems}
}

// given is what somebody wrote for a name.
type given struct {
	text, where string
	line        int      // in the file; 0 = not from there
	problem     *Problem // the file cannot say what was meant
}

type loader struct {
	need     Need
	file     string
	at       place
	missing  bool             // the file is not there
	unread   bool             // it is, and cannot be read, or only in part
	given    map[string]given // by name, ours only
	problems []Problem
	warnings []Warning

	secretFiles []string // that NAME_FILE names
}

// report adds a problem of a variable, unless it lies in a part that nobody
// needs.
func (l *loader) report(name string, p *Problem) {
	if _, need, _ := lookup(name); p == nil || need&l.need == 0 {
		return
	}
	p.Name, p.Where = name, cmp.Or(p.Where, l.given[name].where)
	l.problems = append(l.problems, *p)
}

// readEnvFile puts the assignments of the file into l.given.
func (l *loader) readEnvFile() {
	if l.file == "" {
		return
	}
	text, p := readText(l.file)
	if p != nil {
		if l.missing = errors.Is(p.err, fs.ErrNotExist); l.missing && l.file == DefaultFile {
			// Notepad adds .txt unless told otherwise, and Explorer hides it.
			if _, err := os.Stat(DefaultFile + ".txt"); err == nil {
				l.warnings = append(l.warnings, Warning{Where: DefaultFile + ".txt", What: "is not read: rename it to " + DefaultFile})
			}
			return
		}
		l.unread = true
		l.problems = append(l.problems, Problem{Where: l.file, Message: p.Message, Hint: p.Hint})
		return
	}
	l.take(text)
}

// take puts the assignments of a .env file into l.given, as far as they are ours.
func (l *loader) take(text string) {
	assignments, bad := parseEnvFile(text)
	for _, b := range bad {
		l.unread = true // what it sets nobody knows
		l.problems = append(l.problems, Problem{Where: l.line(b.line), Message: b.what, Hint: b.fix})
	}
	for _, a := range assignments {
		v, _, position := lookup(a.name)
		if position < 0 {
			l.unknown(a.name, l.line(a.line), true)
			continue
		}
		if before, twice := l.given[a.name]; twice {
			l.warnings = append(l.warnings, Warning{a.name, l.line(a.line), fmt.Sprintf("is set on line %d already; the last one counts", before.line)})
		}
		l.given[a.name] = given{text: a.value, where: l.line(a.line), line: a.line, problem: a.judge(v.secret)}
	}
}

func (l *loader) line(n int) string { return fmt.Sprintf("%s line %d", l.file, n) }

// readEnviron lays the environment over what the file said.
func (l *loader) readEnviron(environ []string) {
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name) // there the case of a name has no meaning
		} else if proxy := strings.ToUpper(name); isProxy(proxy) && !hasName(environ, proxy) {
			name = proxy
		}
		v, _, position := lookup(name)
		if position < 0 {
			l.unknown(name, "environment", false)
			continue
		}
		if v.name == "LANGUAGE" && ofSystem(text) {
			continue
		}
		// A shell takes quotes away; "set" of Windows and docker --env-file do not.
		if v.secret && v.name != "KEYBLIP" && len(text) > 1 && text[0] == text[len(text)-1] && (text[0] == '\'' || text[0] == '"') {
			l.warnings = append(l.warnings, Warning{name, "environment", "starts and ends with a quote; the quotes are taken as part of the value"})
		}
		l.given[name] = given{text: text, where: "environment"}
	}
}

// readSecretFiles puts what NAME_FILE points at in the place of NAME.
func (l *loader) readSecretFiles() {
	for _, g := range groups {
		for _, v := range g.variables {
			name := v.name + fileSuffix
			at, ok := l.given[name]
			if !v.secret || !ok || strings.TrimSpace(at.text) == "" || (g.need|v.also)&l.need == 0 {
				continue
			}
			if direct, ok := l.given[v.name]; ok && strings.TrimSpace(direct.text) != "" {
				l.report(name, trouble(fmt.Sprintf("and %s (%s) are both set", v.name, direct.where), "take one of the two away"))
				continue
			}
			if at.problem != nil {
				l.report(name, at.problem)
				continue
			}
			l.secretFiles = append(l.secretFiles, at.text)
			secret, p := readText(at.text)
			if p == nil {
				var err error
				if secret, err = secretfile.Open(v.name, secret); err != nil {
					p = &fileProblem{Problem: *trouble(err.Error(), "run pombo secret set "+v.name+" on this machine")}
				} else if secret = strings.TrimRight(secret, "\n"); secret == "" {
					p = &fileProblem{Problem: *trouble("is empty", "write the secret into it")}
				}
			}
			if p != nil {
				// The path is not shown: who writes the secret itself behind NAME_FILE
				// would find it in the log.
				l.report(name, trouble("names a file that "+p.Message, p.Hint))
				// The secret counts as given, so that it is not reported as missing too.
				l.given[v.name] = given{where: at.where, problem: &Problem{}}
				continue
			}
			l.given[v.name] = given{text: secret, where: "file " + at.text}
		}
	}
}

// credentialsFolder is where systemd puts what a unit's LoadCredential and its like
// name.
const credentialsFolder = "CREDENTIALS_DIRECTORY"

// readCredentials reads secrets that nobody has set from what systemd hands over.
func (l *loader) readCredentials(environ []string) {
	folder := ""
	for _, entry := range environ {
		if path, ok := strings.CutPrefix(entry, credentialsFolder+"="); ok {
			folder = path
		}
	}
	if folder == "" {
		return
	}
	for _, g := range groups {
		for _, v := range g.variables {
			if !v.secret || l.isSet(v.name) || (g.need|v.also)&l.need == 0 {
				continue
			}
			secret, p := readText(filepath.Join(folder, v.name))
			switch {
			case p != nil && errors.Is(p.err, fs.ErrNotExist):
				continue
			case p != nil:
				l.given[v.name] = given{where: "credential " + v.name, problem: trouble("is a credential of systemd that "+p.Message, p.Hint)}
			default:
				l.given[v.name] = given{text: strings.TrimRight(secret, "\n"), where: "credential " + v.name}
			}
		}
	}
}

// fileProblem is a Problem of a file with the cause, for errors.Is.
type fileProblem struct {
	Problem
	err error
}

// readText reads a text file. The problem continues the sentence "the file …".
func readText(path string) (string, *fileProblem) {
	f, err := os.Open(path)
	if err != nil {
		return "", openProblem(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", openProblem(err)
	}
	text, p := decode(content)
	if p != nil {
		return "", &fileProblem{Problem: *p}
	}
	return text, nil
}

// openProblem says why a file could not be read, without its path.
func openProblem(err error) *fileProblem {
	p := trouble("cannot be read", "check that it is a plain file on a disk that works")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p = trouble("does not exist", "check the path and the folder in which Pombo was started")
	case errors.Is(err, fs.ErrPermission):
		p = trouble("may not be read by the user that runs Pombo", "give that user the right to read it")
	}
	return &fileProblem{Problem: *p, err: err}
}

// fill reads every variable into its field and keeps what Print shows.
func (l *loader) fill() Config {
	var c Config
	for _, g := range groups {
		for _, v := range g.variables {
			from := l.given[v.name]
			set := strings.TrimSpace(from.text) != ""
			s := setting{group: g.title, name: v.name}
			switch {
			case from.problem != nil:
				s.from = from.where
				if from.problem.Message != "" { // else it has been reported where it was found
					l.report(v.name, from.problem)
				}
			case set:
				s.from, s.shown = from.where, v.shown(from.text)
				l.report(v.name, v.set(&c, from.text))
			case v.standard != "":
				s.from, s.shown = "default", v.shown(v.standard)
				l.report(v.name, v.set(&c, v.standard))
			case v.required:
				l.report(v.name, l.absent("is not set", v.name))
			}
			c.settings = append(c.settings, s)
		}
	}
	return c
}

// shown returns what may be printed of the variable's text.
func (v variable) shown(text string) string {
	switch {
	case v.show != nil:
		return v.show(text)
	case v.secret:
		return redacted
	}
	return text
}

// absent is the problem of something that must be set and is not; nil when it may
// stand in what could not be read of the file, which is a problem already.
func (l *loader) absent(what, name string) *Problem {
	if l.unread {
		return nil
	}
	file := cmp.Or(l.file, DefaultFile)
	fix := fmt.Sprintf("write %s=… into %s", name, file)
	if l.missing {
		if folder, err := filepath.Abs(filepath.Dir(file)); err == nil {
			fix += fmt.Sprintf(" (there is no %s in %s yet)", filepath.Base(file), folder)
		}
	}
	return trouble(what, fix)
}

// isSet reports whether somebody wrote something for the name; a default does
// not count.
func (l *loader) isSet(name string) bool {
	g := l.given[name]
	return g.problem != nil || strings.TrimSpace(g.text) != ""
}

// unknown warns of a name that looks like ours and is none.
func (l *loader) unknown(name, where string, inFile bool) {
	if len(name) > 64 {
		return // no name of ours, nor close to one
	}
	if !inFile && slices.Contains(systemNames, name) {
		return
	}
	upper := strings.ToUpper(name)
	nearest, distance := nearestName(upper)
	allowed := 1
	if inFile || len(upper) > 6 {
		allowed = 2 // two letters that changed places are two changes
	}
	// In the environment, where everybody's names are, the case counts: "workers"
	// belongs to somebody else.
	near := distance <= allowed && (inFile || name == upper)
	if right := otherNames[upper]; right != "" && (inFile || name == upper) {
		l.warnings = append(l.warnings, Warning{name, where, "is not a variable of Pombo and does nothing; write " + right})
		return
	}
	ours := near || hasPrefix(upper, ownPrefixes) || inFile && hasPrefix(upper, commonPrefixes)
	if !ours {
		return
	}
	what := "is not a variable of Pombo and does nothing"
	if near {
		what += "; did you mean " + nearest + "?"
	} else if _, _, position := lookup(strings.TrimSuffix(upper, fileSuffix)); position >= 0 {
		what += ": only secrets can come from a file"
	}
	l.warnings = append(l.warnings, Warning{name, where, what})
}

// nearestName returns the name of ours that takes the fewest changes.
func nearestName(name string) (nearest string, distance int) {
	distance = 1 << 30
	consider := func(candidate string) {
		if d := levenshtein.ComputeDistance(name, candidate); d < distance {
			nearest, distance = candidate, d
		}
	}
	for _, g := range groups {
		for _, v := range g.variables {
			consider(v.name)
			if v.secret {
				consider(v.name + fileSuffix)
			}
		}
	}
	return nearest, distance
}

func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
