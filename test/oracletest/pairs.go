package oracletest

import (
	"errors"
	"strings"
)

// pair is a name with a value, or with further pairs: (NAME=value), (NAME=(A=1)(B=2)).
type pair struct {
	name, value string
	inner       []pair
}

// find returns the first pair of a name, at any depth.
func (p pair) find(name string) (pair, bool) {
	if p.name == name {
		return p, true
	}
	for _, in := range p.inner {
		if found, ok := in.find(name); ok {
			return found, true
		}
	}
	return pair{}, false
}

// parsePairs reads what a client sends to a listener as strictly as a listener may. A
// name is made of letters, digits and _. A value holds no bracket and no quote,
// and neither a blank, a backslash nor anything but ASCII: what a listener makes of
// those depends on its release, and none takes all of them.
func parsePairs(s string) (pair, error) {
	p := pairParser{s}
	top, err := p.pair(0)
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = errPairs
	}
	return top, err
}

var errPairs = errors.New("failed to process string")

type pairParser struct{ rest string }

// take takes a symbol, and the blanks before it.
func (p *pairParser) take(symbol string) bool {
	after, ok := strings.CutPrefix(strings.TrimLeft(p.rest, " \t\r\n"), symbol)
	if ok {
		p.rest = after
	}
	return ok
}

// word takes the bytes that are allowed, and the blanks around them.
func (p *pairParser) word(allowed func(byte) bool) string {
	s := strings.TrimLeft(p.rest, " \t\r\n")
	n := 0
	for n < len(s) && allowed(s[n]) {
		n++
	}
	p.rest = s[n:]
	return s[:n]
}

func (p *pairParser) pair(depth int) (pair, error) {
	letter := func(c byte) bool {
		return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	if depth > 16 || !p.take("(") {
		return pair{}, errPairs
	}
	v := pair{name: strings.ToUpper(p.word(letter))}
	if v.name == "" || !p.take("=") {
		return pair{}, errPairs
	}
	for strings.HasPrefix(strings.TrimLeft(p.rest, " \t\r\n"), "(") {
		in, err := p.pair(depth + 1)
		if err != nil {
			return pair{}, err
		}
		v.inner = append(v.inner, in)
	}
	if v.inner == nil {
		v.value = p.word(func(c byte) bool { return c > ' ' && c < 0x7f && !strings.ContainsRune(`()'"\`, rune(c)) })
	}
	if !p.take(")") {
		return pair{}, errPairs
	}
	return v, nil
}
