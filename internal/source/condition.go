package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The company's DBA writes the condition, and it goes into the text of the page query.
// So it must be one condition and nothing else, in every database: it cannot leave its
// brackets, start a second statement, comment out what follows, bind anything, or turn
// the rest into a string.

// notInCondition are words that no condition on one row needs: they begin or end other
// parts of a statement, or read other tables.
var notInCondition = strings.Fields("SELECT FROM WHERE ORDER GROUP HAVING UNION MINUS INTERSECT EXCEPT LIMIT OFFSET FETCH FOR WINDOW RETURNING INTO " +
	"INSERT UPDATE DELETE MERGE SET VALUES WITH CREATE DROP ALTER GRANT BEGIN DECLARE EXEC EXECUTE CALL COPY JOIN CONNECT START ROWNUM")

// parseCondition checks a condition against these rules and returns it on one line.
func parseCondition(s string) (string, error) {
	s = strings.TrimSpace(s)
	const most = 1000
	if len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }) {
		return "", fmt.Errorf("the condition is longer than %d bytes or has control characters", most)
	}
	depth := 0
	var out strings.Builder
	for i := 0; i < len(s); {
		c, n := s[i], 1
		switch {
		case c == '\'' || c == '"':
			if i > 0 && inWord(s[i-1]) { // q'[…]', E'…', U&'…' have rules of their own
				return "", errors.New("a quote follows a letter or digit; write a blank between, and plain texts alone ('A')")
			}
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return "", errors.New("a quote is not closed")
			}
			if n = end + 2; strings.ContainsAny(s[i:i+n], "\\\n\r") {
				return "", errors.New(`a text has a \ or a line break in it`)
			}
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return "", errors.New("a bracket is closed that was not opened")
			}
		case inWord(c):
			for i+n < len(s) && inWord(s[i+n]) {
				n++
			}
			if word := strings.ToUpper(s[i : i+n]); slices.Contains(notInCondition, word) {
				return "", fmt.Errorf("%s cannot be part of a condition on the columns of the row; make a view for more (DB_TABLE)", word)
			}
		case strings.HasPrefix(s[i:], "--"), strings.HasPrefix(s[i:], "/*"):
			return "", errors.New("a comment cannot be part of a condition")
		case strings.HasPrefix(s[i:], "::"): // a cast of PostgreSQL's
			n = 2
		case strings.IndexByte(" \t\r\n.,+-*/%<>=!|", c) < 0:
			return "", fmt.Errorf("%q cannot be part of a condition", c)
		}
		out.WriteString(s[i : i+n])
		i += n
	}
	if depth > 0 {
		return "", errors.New("a bracket is not closed")
	}
	return strings.Join(strings.Fields(out.String()), " "), nil
}

// inWord reports whether a byte is part of a name or a number. Bytes beyond ASCII count
// as letters.
func inWord(c byte) bool {
	return c == '_' || c == '#' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
