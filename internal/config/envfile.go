package config

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/joho/godotenv"
)

// maxFile is far more than any .env or secret file has; a longer one is
// something else.
const maxFile = 256 << 10

// assignment is one NAME=value of a .env file and what may be wrong with it. It
// does not know which names are ours: that is judged later, because what stands
// in the file for other programs is none of our business.
type assignment struct {
	name, value string
	line        int
	quote       byte // ' or " or 0
	comment     bool // a comment follows an unquoted value
	lines       bool // the value goes on over more than one line
	altered     bool // the file format makes the value another than what is written
	encoding    bool // it is not UTF-8
}

// badLine is a line that cannot be understood. Neither it nor godotenv's own
// words about it may be shown: both could contain a secret.
type badLine struct {
	line      int
	what, fix string
}

// decode returns the text of a .env or a secret file: without the byte order
// mark that Windows editors put in front, line ends as "\n".
func decode(content []byte) (string, *Problem) {
	switch {
	case len(content) > maxFile:
		return "", trouble("is far too long for such a file", "check that it is the right file")
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}), bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		return "", trouble("is written in UTF-16 (\"Unicode\" in Notepad)", "save it again with the encoding UTF-8")
	case bytes.IndexByte(content, 0) >= 0:
		return "", trouble("is not a text file in UTF-8", "save it again with the encoding UTF-8")
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	return strings.ReplaceAll(text, "\r", "\n"), nil
}

// parseEnvFile reads the text of a .env file. The file is cut into assignments
// here, because godotenv tells no line numbers, and each is read by godotenv, so
// that the forms which people know (export, quotes, comments) are those.
//
// godotenv also expands $NAME and unescapes: "pa$$WORD" would become another
// password without a word. So each value is compared with what is written; if
// the two differ, the assignment is marked as altered.
func parseEnvFile(text string) (assignments []assignment, bad []badLine) {
	for line := 1; text != ""; {
		statement, next, unclosed := cutStatement(text)
		start := line
		line += strings.Count(text[:next], "\n")
		text = text[next:]
		if unclosed {
			// What follows belongs to the value or does not: nobody can say.
			return assignments, append(bad, badLine{start, "opens a quote that is never closed", `close the quote (a quote behind a \ does not close); a value that contains one kind of quote goes into the other kind`})
		}
		if trimmed := strings.TrimSpace(statement); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		a, b := parseStatement(statement)
		if b != nil {
			b.line = start
			bad = append(bad, *b)
			continue
		}
		a.line = start
		assignments = append(assignments, a)
	}
	return assignments, bad
}

// cutStatement returns the first line of text, or as many lines as a quoted
// value goes on for, and where the next statement begins.
func cutStatement(text string) (statement string, next int, unclosed bool) {
	end := lineEnd(text, 0)
	at := valueStart(text[:end])
	if at >= 0 && at < end && (text[at] == '\'' || text[at] == '"') {
		closing := closingQuote(text, at)
		if closing < 0 {
			return text[:end], min(end+1, len(text)), true
		}
		end = lineEnd(text, closing)
	}
	return text[:end], min(end+1, len(text)), false
}

// valueStart returns where in the line the value begins, or -1 when the line
// has none.
func valueStart(line string) int {
	if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
		return -1
	}
	sign := strings.IndexAny(line, "=:")
	if sign < 0 {
		return -1
	}
	rest := line[sign+1:]
	return len(line) - len(strings.TrimLeft(rest, " \t\v\f"))
}

// closingQuote returns where the quote that opens at position at ends, or -1. A quote
// behind a backslash does not close, as in godotenv.
func closingQuote(text string, at int) int {
	for i := at + 1; i < len(text); i++ {
		if text[i] == text[at] && text[i-1] != '\\' {
			return i
		}
	}
	return -1
}

func lineEnd(text string, from int) int {
	if i := strings.IndexByte(text[from:], '\n'); i >= 0 {
		return from + i
	}
	return len(text)
}

// parseStatement reads one assignment.
func parseStatement(statement string) (assignment, *badLine) {
	notOne := &badLine{what: "is not of the form NAME=value", fix: "write NAME=value, or put # in front to make it a comment"}
	at := valueStart(statement)
	if at < 0 {
		return assignment{}, notOne
	}
	a := assignment{encoding: !utf8.ValidString(statement), lines: strings.Contains(statement, "\n")}
	written := statement[at:]
	if written != "" && (written[0] == '\'' || written[0] == '"') {
		a.quote = written[0]
		closing := closingQuote(written, 0)
		tail := strings.TrimSpace(written[closing+1:])
		if tail != "" && tail[0] != '#' {
			return assignment{}, &badLine{what: "has text behind the closing quote", fix: "quote the whole value; a value that contains one kind of quote goes into the other kind"}
		}
		written = written[1:closing]
	} else if i := commentStart(written); i >= 0 {
		a.comment = true
		written = written[:i]
	}
	if a.quote == 0 {
		written = strings.TrimSpace(written)
	}

	values, err := godotenv.Unmarshal(statement)
	if err != nil || len(values) != 1 {
		return assignment{}, notOne
	}
	for name, value := range values {
		a.name, a.value = name, value
	}
	if a.name == "" || strings.ContainsAny(a.name, " \t\v\f") {
		return assignment{}, notOne
	}
	a.altered = a.value != written
	if a.quote == '\'' {
		// python-dotenv, which the old scripts use, unescapes these two even
		// between single quotes; godotenv does not. Nobody knows which is meant.
		a.altered = a.altered || strings.Contains(written, `\'`) || strings.Contains(written, `\\`)
	}
	return a, nil
}

// commentStart returns where the comment behind an unquoted value starts, or -1.
func commentStart(written string) int {
	for i := 1; i < len(written); i++ {
		if written[i] == '#' && strings.ContainsRune(" \t\v\f", rune(written[i-1])) {
			return i
		}
	}
	return -1
}

// judge says why the value of one of our variables cannot be taken as it is
// written, or nil.
func (a assignment) judge(secret bool) *Problem {
	otherwise := ""
	if secret {
		otherwise = ", or put the value into a file of its own and name it in " + a.name + "_FILE"
	}
	switch {
	case a.encoding:
		return trouble("is not written in UTF-8", "save the file again with the encoding UTF-8")
	case a.lines:
		return trouble("goes on over several lines", "write the value on one line and close its quote there")
	case secret && a.comment:
		return trouble("has a blank and a # behind the value: the rest counts as a comment", "if the # belongs to the value, put the value in single quotes; if not, move the comment to a line of its own")
	case a.altered && a.quote == '\'':
		return trouble(`has \\ or \' between single quotes, which programs read differently`, "write the value without quotes"+otherwise)
	case a.altered:
		return trouble(`has a $, a \, a # or a quote that would change the value`, "put the value in single quotes"+otherwise)
	}
	return nil
}
