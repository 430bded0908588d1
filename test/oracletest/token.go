package oracletest

import "strings"

type tokenKind byte

const (
	tokenEnd     tokenKind = iota
	tokenWord              // upper-cased
	tokenQuoted            // a name in double quotes, without them
	tokenNumber            // as it stands
	tokenString            // without its quotes
	tokenBind              // the name behind the colon, upper-cased
	tokenSymbol            // = <> <= … and whatever else is not known
	tokenComment           // its first two characters
)

type token struct {
	kind     tokenKind
	text     string
	pos, end int // in bytes
}

// is reports whether the token is this symbol or this word.
func (t token) is(s string) bool {
	return t.text == s && (t.kind == tokenSymbol || t.kind == tokenWord)
}

// tokens cuts a statement up, as Oracle's own scanner does. The last one is
// tokenEnd.
func tokens(sql string) ([]token, error) {
	var all []token
	for rest := sql; ; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		t := token{pos: len(sql) - len(rest)}
		if rest == "" {
			t.end = t.pos
			return append(all, t), nil
		}
		length, err := t.scan(rest)
		if err != nil {
			return nil, at(err, t.pos)
		}
		t.end = t.pos + length
		all, rest = append(all, t), rest[length:]
	}
}

// scan fills the token from the beginning of s and returns how many bytes it has.
func (t *token) scan(s string) (int, *Error) {
	switch c := s[0]; {
	case strings.HasPrefix(s, "--"):
		t.kind, t.text = tokenComment, s[:2]
		return until(s, 2, "\n"), nil
	case strings.HasPrefix(s, "/*"):
		t.kind, t.text = tokenComment, s[:2]
		return until(s, 2, "*/"), nil
	case letter(c):
		n := span(s, inWord)
		t.kind, t.text = tokenWord, strings.ToUpper(s[:n])
		return n, nil
	case digit(c), c == '.' && len(s) > 1 && digit(s[1]):
		n := span(s, func(c byte) bool { return digit(c) || c == '.' })
		t.kind, t.text = tokenNumber, s[:n]
		return n, nil
	case c == '"':
		end := strings.IndexByte(s[1:], '"')
		if end < 0 {
			return 0, Errorf(1740, "missing double quote in identifier")
		}
		t.kind, t.text = tokenQuoted, s[1:end+1]
		return end + 2, nil
	case c == '\'':
		return t.literal(s)
	case c == ':' && len(s) > 1 && (letter(s[1]) || digit(s[1])):
		n := 1 + span(s[1:], inWord)
		t.kind, t.text = tokenBind, strings.ToUpper(s[1:n])
		return n, nil
	}
	t.kind, t.text = tokenSymbol, s[:1]
	for _, two := range []string{"<>", "!=", "<=", ">=", "||", "::", ":=", "=>"} {
		if strings.HasPrefix(s, two) {
			t.text = two
		}
	}
	return len(t.text), nil
}

// literal takes a text, in which a quote is written twice.
func (t *token) literal(s string) (int, *Error) {
	t.kind = tokenString
	for n := 1; ; {
		end := strings.IndexByte(s[n:], '\'')
		if end < 0 {
			return 0, Errorf(1756, "quoted string not properly terminated")
		}
		t.text += s[n : n+end]
		if n += end + 1; n == len(s) || s[n] != '\'' {
			return n, nil
		}
		t.text += "'"
		n++
	}
}

// until returns where a comment ends that begins at s.
func until(s string, from int, mark string) int {
	if end := strings.Index(s[from:], mark); end >= 0 {
		return from + end + len(mark)
	}
	return len(s)
}

// span returns how many bytes of s, from its first one on, are such.
func span(s string, such func(byte) bool) int {
	n := 1
	for n < len(s) && such(s[n]) {
		n++
	}
	return n
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func inWord(c byte) bool { return letter(c) || digit(c) || c == '_' || c == '$' || c == '#' }

// at says where in the statement an error is.
func at(e *Error, position int) *Error {
	e.Position = position
	return e
}
