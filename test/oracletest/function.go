package oracletest

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// function sets the type of a call and refuses a function that the double does not know.
func (n *node) function() error {
	arity := func(from, to int) error {
		if len(n.args) < from || len(n.args) > to {
			return at(Errorf(909, "invalid number of arguments of %s", n.name), n.pos)
		}
		return nil
	}
	first := n.args[0].typ
	switch n.name {
	case "SUBSTR":
		n.typ = dataType{code: typeVarchar, size: max(first.size, 1), chars: first.chars, national: first.national}
		if first.code == typeClob {
			n.typ = first
		} else if !first.isText() {
			n.typ = anyText
		}
		return arity(2, 3)
	case "DBMS_LOB.SUBSTR":
		n.typ = dataType{code: typeVarchar, size: maxVarchar, national: first.national}
		return arity(1, 3)
	case "TRIM", "RTRIM", "UPPER", "LOWER":
		n.typ = dataType{code: typeVarchar, size: max(first.size, 1), national: first.national}
		return arity(1, 1)
	case "TO_CHAR", "RAWTOHEX", "SYS_CONTEXT":
		n.typ = anyText
		return arity(1, 2)
	case "LENGTH", "DBMS_LOB.GETLENGTH", "TO_NUMBER":
		n.typ = anyNumber
		return arity(1, 1)
	case "TO_DATE":
		n.typ = anyDate
		return arity(2, 2)
	case "TO_TIMESTAMP":
		n.typ = dataType{code: typeTimestamp, scale: 9}
		return arity(2, 2)
	case "SYS_EXTRACT_UTC":
		n.typ = dataType{code: typeTimestamp, scale: 6}
		return arity(1, 1)
	case "HEXTORAW":
		n.typ = dataType{code: typeRaw, size: 2000}
		return arity(1, 1)
	case "NVL", "COALESCE":
		// A bind has no type before its value comes, so the others decide.
		n.typ = first
		for _, a := range n.args {
			if a.op != "bind" && a.op != "null" {
				n.typ = a.typ
				break
			}
		}
		return arity(2, 20)
	default:
		return at(Errorf(904, "%q: invalid identifier (the double does not know this function)", n.name), n.pos)
	}
}

// call runs a function.
func (n *node) call(args []value, s *session) (value, error) {
	if n.name == "NVL" || n.name == "COALESCE" {
		i := max(slices.IndexFunc(args, func(v value) bool { return v.kind != null }), 0)
		return n.typ.coerce(args[i])
	}
	if slices.ContainsFunc(args, func(v value) bool { return v.kind == null }) {
		return value{}, nil
	}
	first := args[0]
	asText := func() (string, error) {
		v, err := anyText.coerce(first)
		return v.s, err
	}
	number := func(i, otherwise int) (int, error) {
		if i >= len(args) {
			return otherwise, nil
		}
		v, err := anyNumber.coerce(args[i])
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(numberText(v.s))
		if err != nil {
			return 0, Errorf(1426, "numeric overflow")
		}
		return n, nil
	}
	switch n.name {
	case "SUBSTR", "DBMS_LOB.SUBSTR":
		t, err := asText()
		if err != nil {
			return value{}, err
		}
		start, length := 1, 2 // which argument is which
		if n.name == "DBMS_LOB.SUBSTR" {
			start, length = 2, 1
		}
		from, err := number(start, 1)
		if err != nil {
			return value{}, err
		}
		size, err := number(length, 32767)
		if err != nil {
			return value{}, err
		}
		if n.name == "SUBSTR" {
			return textValue(characters(t, from, size)), nil
		}
		v := textValue(characters(t, from, size))
		if len(s.d.o.Charset.encode(v.s)) > maxVarchar && !n.typ.national || n.typ.national && len(utf16be.encode(v.s)) > maxVarchar {
			return v, Errorf(6502, "PL/SQL: numeric or value error: character string buffer too small")
		}
		return v, nil
	case "TO_CHAR":
		if first.kind == moment {
			if len(args) < 2 {
				return value{}, Errorf(900, "the double wants a format for TO_CHAR of a date")
			}
			return formatTime(first.at, args[1].s)
		}
		t, err := asText()
		if err == nil && len(s.d.o.Charset.encode(t)) > maxVarchar {
			err = Errorf(22835, "buffer too small for CLOB to CHAR conversion (actual: %d, maximum: %d)", len(t), maxVarchar)
		}
		return textValue(s.d.o.Charset.decode(s.d.o.Charset.encode(t))), err
	case "TRIM", "RTRIM", "UPPER", "LOWER":
		t, err := asText()
		return textValue(map[string]func(string) string{
			"TRIM":  func(t string) string { return strings.Trim(t, " ") },
			"RTRIM": func(t string) string { return strings.TrimRight(t, " ") },
			"UPPER": strings.ToUpper, "LOWER": strings.ToLower,
		}[n.name](t)), err
	case "LENGTH", "DBMS_LOB.GETLENGTH":
		if first.kind == raw && n.name != "LENGTH" {
			return intValue(len(first.s)), nil
		}
		t, err := asText()
		return intValue(utf8.RuneCountInString(t)), err
	case "TO_NUMBER":
		return anyNumber.coerce(first)
	case "RAWTOHEX":
		return textValue(upperHex([]byte(first.s))), nil
	case "HEXTORAW":
		return n.typ.coerce(first)
	case "SYS_EXTRACT_UTC":
		return value{kind: moment, at: wall(first.at.UTC())}, nil
	case "TO_DATE", "TO_TIMESTAMP":
		t, err := asText()
		if err != nil {
			return value{}, err
		}
		return parseTime(t, args[1].s)
	default: // SYS_CONTEXT
		return s.context(first.s, args[len(args)-1].s), nil
	}
}

// characters cuts text as SUBSTR does, from the first = 1; a negative start
// counts from the end.
func characters(s string, start, n int) string {
	r := []rune(s)
	switch {
	case start > 0:
		start--
	case start < 0:
		start += len(r)
	}
	if start < 0 || start >= len(r) || n < 1 {
		return ""
	}
	return string(r[start:min(len(r), start+min(n, len(r)))])
}

// context answers SYS_CONTEXT('USERENV', …).
func (s *session) context(namespace, parameter string) value {
	if !strings.EqualFold(namespace, "USERENV") {
		return value{}
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return textValue(map[string]string{
		"CURRENT_SCHEMA": s.schema, "SESSION_USER": s.d.store.user, "SERVICE_NAME": s.d.o.Service, "INSTANCE_NAME": s.d.o.SID, "DB_NAME": s.d.o.Service,
		"MODULE": s.info.Module, "ACTION": s.info.Action, "CLIENT_INFO": s.info.ClientInfo, "SID": strconv.Itoa(s.info.ID),
	}[strings.ToUpper(parameter)])
}

// model cuts a date format into its elements; literal text stays.
func model(format string) ([]string, error) {
	var out []string
	for rest := format; rest != ""; {
		upper := strings.ToUpper(rest)
		element := ""
		for _, e := range []string{"YYYY", "MM", "DD", "HH24", "MI", "SS", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "FF7", "FF8", "FF9", "FF"} {
			if strings.HasPrefix(upper, e) {
				element = e
				break
			}
		}
		switch {
		case element != "":
			rest = rest[len(element):]
		case strings.IndexByte("-/,.;: ", rest[0]) >= 0:
			element, rest = rest[:1], rest[1:]
		case rest[0] == '"' && strings.IndexByte(rest[1:], '"') >= 0:
			end := strings.IndexByte(rest[1:], '"') + 2
			element, rest = rest[:end], rest[end:]
		default:
			return nil, Errorf(1821, "date format not recognized (or not known to the double: %s)", format)
		}
		out = append(out, element)
	}
	return out, nil
}

// layout returns an element of a date format as Go writes it.
func layout(element string) (string, bool) {
	l, ok := map[string]string{"YYYY": "2006", "MM": "01", "DD": "02", "HH24": "15", "MI": "04", "SS": "05"}[element]
	return l, ok
}

func formatTime(t time.Time, format string) (value, error) {
	elements, err := model(format)
	if err != nil {
		return value{}, err
	}
	var b strings.Builder
	for _, e := range elements {
		l, known := layout(e)
		switch {
		case known:
			b.WriteString(t.Format(l))
		case strings.HasPrefix(e, "FF"):
			digits := 6
			if len(e) == 3 {
				digits = int(e[2] - '0')
			}
			b.WriteString(t.Format(".000000000")[1 : digits+1])
		default:
			b.WriteString(strings.Trim(e, `"`))
		}
	}
	return textValue(b.String()), nil
}

func parseTime(s, format string) (value, error) {
	elements, err := model(format)
	if err != nil {
		return value{}, err
	}
	fields := map[string]int{"YYYY": 1970, "MM": 1, "DD": 1}
	nanoseconds := 0
	for _, e := range elements {
		literal := strings.Trim(e, `"`)
		_, known := layout(e)
		if !known && !strings.HasPrefix(e, "FF") {
			if !strings.HasPrefix(s, literal) {
				return value{}, Errorf(1861, "literal does not match format string")
			}
			s = s[len(literal):]
			continue
		}
		most := 2
		switch {
		case e == "YYYY":
			most = 4
		case !known:
			most = 9
		}
		n := 0
		for n < len(s) && n < most && digit(s[n]) {
			n++
		}
		if n == 0 {
			return value{}, Errorf(1840, "input value not long enough for date format")
		}
		if known {
			fields[e], _ = strconv.Atoi(s[:n])
		} else {
			nanoseconds, _ = strconv.Atoi((s[:n] + "000000000")[:9])
		}
		s = s[n:]
	}
	if s != "" {
		return value{}, Errorf(1830, "date format picture ends before converting entire input string")
	}
	t := time.Date(fields["YYYY"], time.Month(fields["MM"]), fields["DD"], fields["HH24"], fields["MI"], fields["SS"], nanoseconds, time.UTC)
	switch {
	case fields["MM"] < 1 || fields["MM"] > 12:
		return value{}, Errorf(1843, "not a valid month")
	case t.Day() != fields["DD"] || t.Month() != time.Month(fields["MM"]):
		return value{}, Errorf(1847, "day of month must be between 1 and last day of month")
	case fields["HH24"] > 23 || fields["MI"] > 59 || fields["SS"] > 59:
		return value{}, Errorf(1850, "hour must be between 0 and 23")
	}
	return value{kind: moment, at: t}, nil
}
