package oracle

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	go_ora "github.com/sijms/go-ora/v2"

	"pombo"
	"pombo/internal/source"
)

// settleArgs binds an array to each placeholder, so that the batch is one round trip. A
// statement never gets an array one time and a single value another time: the driver
// does not support that.
func (d *dialect) settleArgs(l source.Layout, batch []pombo.Settlement) []any {
	if len(batch) == 0 {
		return nil
	}
	args := make([]any, 0, len(d.mapping.Writes)+3)
	array := func(number bool, of func(s *pombo.Settlement) string) {
		texts := make([]string, len(batch))
		for i := range batch {
			texts[i] = of(&batch[i]) // to Oracle "" is NULL
		}
		if number {
			args = append(args, numbers(texts))
			return
		}
		args = append(args, texts)
	}
	for _, w := range d.mapping.Writes {
		declared := l.Declared(w.Name)
		array(w.Role == source.RoleStatus && l.Status == source.KindWhole, func(s *pombo.Settlement) string {
			at := w.Role.TimeOf(s)
			switch {
			case w.Role == source.RoleStatus:
				return s.Code
			case w.Role == source.RoleMessageID:
				return string(s.MessageID)
			case !at.IsZero():
				_, _, layout, _ := timeFormats(declared)
				return at.In(d.mapping.Zone).Format(layout)
			default:
				return shorten(w.Role.TextOf(s), declared)
			}
		})
	}
	if l.RowKey == source.KindUUID {
		keys := make([][]byte, len(batch))
		for i, s := range batch {
			keys[i], _ = source.ParseUUIDKey(s.RowKey)
		}
		args = append(args, keys)
	} else {
		array(l.RowKey == source.KindWhole, func(s *pombo.Settlement) string { return d.padded(l.Declared(d.mapping.KeyName), s.RowKey) })
	}
	array(l.Status == source.KindWhole, func(s *pombo.Settlement) string { return d.status(l, s.Expected) })
	return args
}

// status writes a code as the status column stores it. "" is NULL, which equals no
// status.
func (d *dialect) status(l source.Layout, code string) string {
	if l.Status != source.KindWhole {
		return d.padded(l.Declared(d.mapping.StatusName), code)
	}
	if _, err := strconv.ParseFloat(strings.TrimSpace(code), 64); err != nil {
		return ""
	}
	return strings.TrimSpace(code)
}

// statusArg returns a code as an argument.
func (d *dialect) statusArg(l source.Layout, code string) any {
	if code = d.status(l, code); l.Status == source.KindWhole {
		return number(code)
	}
	return code
}

// number converts the text of a whole number to a NUMBER for the driver. Other texts are
// returned as they are, for Oracle to convert; so are negative ones so long that the
// driver (v2.9.0) would drop their end.
func number(s string) any {
	digits, negative := strings.CutPrefix(s, "-")
	short := strings.TrimLeft(digits, "0")
	const longestNegative = 19
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(short) > maxDigits || negative && len(short) > longestNegative {
		return s
	}
	if short == "" {
		negative, short = false, "0"
	}
	if negative {
		short = "-" + short
	}
	n, err := go_ora.NewNumberFromString(short)
	if err != nil {
		return s
	}
	return n
}

// numbers converts all texts to NUMBERs or none: an array has one type.
func numbers(texts []string) any {
	numbers := make([]*go_ora.Number, len(texts))
	for i, s := range texts {
		n, ok := number(s).(*go_ora.Number)
		if !ok {
			return texts
		}
		numbers[i] = n
	}
	return numbers
}

// length returns the length of a text column from its type, as declaration writes it.
func length(declared string) (n int, bytes bool) {
	_, in, _ := strings.Cut(declared, "(")
	number, unit, _ := strings.Cut(strings.TrimSuffix(in, ")"), " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0, false
	}
	return n, unit == "BYTE"
}

// padded pads a text as a CHAR column does. Oracle compares a bound text with a CHAR
// including trailing blanks, and RTRIM of the column would not use its index.
func (d *dialect) padded(declared, s string) string {
	if s == "" || !blankFilled(declared) {
		return s
	}
	n, bytes := length(declared)
	has := len([]rune(s))
	if bytes && d.multibyte.Load() {
		has = len(s)
	}
	return s + strings.Repeat(" ", max(n-has, 0))
}

// blankFilled reports whether a column pads its texts with blanks.
func blankFilled(declared string) bool {
	return strings.HasPrefix(declared, "CHAR(") || strings.HasPrefix(declared, "NCHAR(")
}

// shorten cuts a message to what the column can hold. Otherwise the database would
// refuse the row, and its status with it.
func shorten(s, declared string) string {
	n, bytes := length(declared)
	if n == 0 {
		return s
	}
	for i, r := range []rune(s) {
		if n--; bytes {
			n -= len(string(r)) - 1
		}
		if n < 0 {
			return string([]rune(s)[:i])
		}
	}
	return s
}

// maxDigits is how many digits a NUMBER keeps.
const maxDigits = 38

func (d *dialect) KeyArg(l source.Layout, key string) (any, bool) {
	declared := l.Declared(d.mapping.KeyName)
	switch l.RowKey {
	case source.KindWhole:
		digits := strings.TrimPrefix(key, "-")
		ok := digits != "" && len(digits) <= maxDigits && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || key == "0")
		if !ok {
			return nil, false
		}
		return number(key), true
	case source.KindText:
		if !source.ValidTextKey(key) || blankFilled(declared) && strings.HasSuffix(key, " ") {
			return nil, false
		}
		return d.padded(declared, key), true
	case source.KindUUID:
		b, ok := source.ParseUUIDKey(key)
		return b, ok
	default:
		return nil, false
	}
}

func (d *dialect) KeyText(l source.Layout, v any) (string, error) {
	switch key := v.(type) {
	case nil:
		return "", errors.New("a row has no key; map a column that is NOT NULL (DB_COL_ID)")
	case []byte:
		if len(key) != 16 {
			return "", fmt.Errorf("a key has %d bytes; a RAW key has 16", len(key))
		}
		return source.FormatUUID(key), nil
	case string:
		if l.RowKey == source.KindWhole {
			if strings.Trim(strings.TrimPrefix(key, "-"), "0123456789") != "" || len(strings.TrimPrefix(key, "-")) > maxDigits {
				return "", fmt.Errorf("a key is a number with a fraction or of more than %d digits; store it as text", maxDigits)
			}
			return key, nil
		}
		if blankFilled(l.Declared(d.mapping.KeyName)) {
			key = strings.TrimRight(key, " ")
		}
		if !source.ValidTextKey(key) {
			return "", source.ErrTextKey
		}
		return key, nil
	default:
		return "", fmt.Errorf("a key is of a type that cannot be read (%T)", v)
	}
}
