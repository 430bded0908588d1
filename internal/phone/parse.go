package phone

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers/v2"
)

// Parse rejects a text of more than maxText bytes. Spaces around it do not count,
// since CHAR columns are padded with them, but only up to maxField, the widest text
// column of Oracle, so that a 10 MB text costs nothing.
const (
	maxText  = 200
	maxField = 4000
)

// Parse parses raw, the text of a phone column. A number without
// country code is Brazilian. Of several numbers in one field Parse returns the first
// valid one.
//
// The error is an *Error. It says what is wrong with the text (of several numbers:
// with the one of the most digits) and quotes nothing of the text.
//
// Parse does not allocate for a Brazilian number.
func Parse(raw string) (Number, error) {
	if len(raw) > maxField {
		return refuse(Error{Problem: TooLong})
	}
	text := strings.TrimSpace(raw)
	switch {
	case len(text) > maxText:
		return refuse(Error{Problem: TooLong})
	case text == "":
		return refuse(Error{Problem: Empty})
	}
	if c, problem, ok := decimal(text); ok {
		if problem != noProblem {
			return refuse(Error{Problem: problem})
		}
		n, err := c.number()
		if err.Problem != noProblem {
			return refuse(err)
		}
		return n, nil
	}

	worst := Error{Problem: NoDigits}
	most := 0 // digits of the candidate that worst is about
	s := scanner{rest: text}
	for {
		c, ok := s.next()
		if !ok {
			return refuse(worst)
		}
		n, err := c.number()
		if err.Problem == noProblem {
			return n, nil
		}
		if c.count > most {
			worst, most = err, c.count
		}
	}
}

// Explain says what is wrong with a text that Parse has refused; "" when nothing is.
func Explain(raw string) string {
	if _, err := Parse(raw); err != nil {
		return err.Error()
	}
	return ""
}

// refuse puts the error on the heap. Further down it is a value, so that only a
// rejected text costs an allocation.
func refuse(e Error) (Number, error) { return Number{}, &e }

// candidate has the digits of what may be one number.
type candidate struct {
	digits [20]byte // 18 are the most in use: 00, 55, 0, carrier code, 11 digits
	count  int      // how many there are; past the end of digits they are only counted
	plus   bool     // a "+" stood before them
	// extension: an extension follows; its digits are ignored, WhatsApp has none.
	extension bool
}

func (c *candidate) add(digit byte) {
	if c.count < len(c.digits) {
		c.digits[c.count] = digit
	}
	c.count++
}

// number decides which country's number c is and reads it by that country's plan. The
// digits are ambiguous in two ways. 55 is Brazil's country code and also an area code
// in Rio Grande do Sul: there the length decides, since with the country code a number
// has 12 or 13 digits and with the area code 10 or 11. And 00 begins a foreign number,
// but also a Brazilian one in a column of 13 digits padded with zeros: there the
// reading that exists wins, and if both do, neither.
//
//	written                   reading
//	+…                        a country code follows: 55 is Brazil, any other is
//	                          foreign. The shorter reading is not tried even where
//	                          it would fit: "+55 99999-8888" has no area code.
//	0055…                     the same as +55
//	00…                       country code, or zeros before an area code
//	0…                        trunk zero: Brazil
//	000…                      padded with zeros: as without them
//	55…, 12 digits or more    Brazil's country code
//	55…, 10 or 11 digits      area code 55: "55 9 9999-8888" is from Santa Maria
//	other, up to 11 digits    Brazil, area code first
//	other, 12 digits or more  refused. It may be a foreign number without "+" or
//	                          one with a carrier code without its zero, and some
//	                          are both: a German mobile number fits carrier 49,
//	                          area code 17.
func (c *candidate) number() (Number, Error) {
	if c.count > len(c.digits) {
		return Number{}, Error{TooManyDigits, c.count}
	}
	d := c.digits[:c.count]
	rest := bytes.TrimLeft(d, "0")
	zeros := len(d) - len(rest)
	international, isBrazil := bytes.CutPrefix(rest, []byte("55"))
	switch {
	case len(rest) == 0:
		return Number{}, Error{Problem: OnlyZeros}
	case c.plus && zeros != 0 && zeros != 2:
		return Number{}, Error{Problem: NoSuchCountry}
	case isBrazil && (c.plus || zeros == 2):
		return brazilian(international)
	case c.plus:
		return foreign(rest)
	case zeros == 2:
		return foreignOrPadded(rest)
	case zeros == 1:
		return brazilian(d)
	case isBrazil && len(rest) >= 12:
		rest = international
	case len(rest) > maxDigits:
		return Number{}, Error{TooManyDigits, len(rest)}
	case len(rest) >= 12:
		return Number{}, Error{NoPlus, len(rest)}
	}
	return brazilian(rest)
}

// foreignOrPadded reads d, the digits after 00.
func foreignOrPadded(d []byte) (Number, Error) {
	abroad, abroadErr := foreign(d)
	here, hereErr := brazilian(d)
	switch {
	case abroadErr.Problem == noProblem && hereErr.Problem == noProblem:
		return Number{}, Error{Problem: TwoReadings}
	case hereErr.Problem == noProblem:
		return here, Error{}
	default:
		return abroad, abroadErr
	}
}

// foreign reads d, the digits from the country code on, with libphonenumber.
func foreign(d []byte) (Number, Error) {
	// The library costs microseconds and would take up to 250 digits.
	switch {
	case len(d) < minDigits:
		return Number{}, Error{TooFewDigits, len(d)}
	case len(d) > maxDigits+2: // a trunk prefix, "+44 (0)20 …", is yet to be dropped
		return Number{}, Error{TooManyDigits, len(d)}
	}
	p, err := phonenumbers.Parse("+"+string(d), "")
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return Number{}, Error{Problem: NoSuchCountry}
	case err != nil || !phonenumbers.IsValidNumber(p):
		return Number{}, Error{Problem: BadForeign}
	}
	n, err := FromE164(phonenumbers.Format(p, phonenumbers.E164))
	if err != nil { // a plan that allows more digits than E.164
		return Number{}, Error{Problem: BadForeign}
	}
	return n, Error{}
}

// decimal parses the form that a number column or a spreadsheet gives a phone number:
// "5531988880000.0", "5.531988880000E+12". ok is false when it is neither and the text
// is to be read as people write.
//
// A power of ten must have all its digits: "5.53199E+12" has been rounded, and padding
// it with zeros would call a stranger. Before a decimal point there must be a whole
// number of ten digits or more, because "3198888.0000" is a mask.
func decimal(text string) (c candidate, problem Problem, ok bool) {
	rest, plus := strings.CutPrefix(text, "+")
	c.plus = plus
	digits := func() (n int) {
		for ; n < len(rest) && isDigit(rest[n]); n++ {
			c.add(rest[n])
		}
		rest = rest[n:]
		return n
	}
	whole := digits()
	if whole == 0 || rest == "" {
		return c, noProblem, false
	}
	mark, fraction := byte(0), 0
	if rest[0] == '.' || rest[0] == ',' {
		mark, rest = rest[0], rest[1:]
		fraction = digits()
	}
	if c.count > len(c.digits) {
		return c, noProblem, false
	}
	if rest == "" {
		switch {
		case whole < 10:
			return c, noProblem, false
		case c.cut(whole):
			return c, noProblem, true
		default:
			// After a comma it is a second number.
			return c, Rounded, mark == '.'
		}
	}
	power, ok := exponent(rest)
	switch {
	case !ok:
		return c, noProblem, false
	case power < 0 || power > fraction || !c.cut(whole+power):
		return c, Rounded, true
	}
	return c, noProblem, true
}

// cut keeps the first n digits if all others are zeros, and reports whether they are.
func (c *candidate) cut(n int) bool {
	if len(bytes.Trim(c.digits[n:c.count], "0")) > 0 {
		return false
	}
	c.count = n
	return true
}

// exponent parses "E+12": one or two digits, signed or not.
func exponent(s string) (power int, ok bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	if len(s) > 3 {
		return 0, false
	}
	power, err := strconv.Atoi(s)
	return power, err == nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
