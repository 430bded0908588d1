package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is all that is wrong with the configuration, so that it can be fixed
// in one go. It is safe to print: it quotes no secret.
type Error struct {
	Problems []Problem // never empty
}

// Problem is one thing that is wrong, and what to do about it.
type Problem struct {
	Name    string // the variable; "" when it is the file itself
	Where   string // "environment", ".env line 3", "default"; "" when it is set nowhere
	Message string // continues a sentence that starts with the name
	Hint    string // what to do, as a command to the reader
}

// Error lists the problems, two lines each.
func (e *Error) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		b.WriteString("the configuration has a problem:")
	} else {
		fmt.Fprintf(&b, "the configuration has %d problems:", len(e.Problems))
	}
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s\n      %s", p, p.Hint)
	}
	return b.String()
}

// LogAnyway is where a program that cannot start because of e should say so: the
// log that is set, or the usual file when its own settings are what is wrong. It
// names no file where there is none to be.
func (c Config) LogAnyway(e *Error) Log {
	l := c.Log
	wrong := func(name string) func(Problem) bool { return func(p Problem) bool { return p.Name == name } }
	if slices.ContainsFunc(e.Problems, wrong("LOG_FILE")) {
		v, _, _ := lookup("LOG_FILE")
		l.File = v.standard
	}
	if c.systemFolder && relative(l.File) {
		l.File = "" // it would lie in a folder of Windows
	}
	return l
}

// String returns the problem without its fix.
func (p Problem) String() string { return sentence(p.Name, p.Where, p.Message) }

// Warning is something that is probably not what the writer meant. The program
// can go on; a person should see it. It is safe to print.
type Warning struct {
	Name  string
	Where string
	What  string
}

// String returns the warning as one line.
func (w Warning) String() string { return sentence(w.Name, w.Where, w.What) }

// sentence joins a name, its place in brackets and what is said of it.
func sentence(name, where, what string) string {
	switch {
	case name == "" && where == "":
		return what
	case name == "":
		return where + ": " + what
	case where == "":
		return name + " " + what
	default:
		return name + " (" + where + ") " + what
	}
}

// trouble is a Problem of which only the variable's reader knows the words; who
// calls it adds the name and the place.
func trouble(what, fix string) *Problem { return &Problem{Message: what, Hint: fix} }

// quote shows a value that is not a secret, cut to what helps to recognise it.
func quote(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
