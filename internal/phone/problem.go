package phone

import "strconv"

// Problem says what is wrong with a text that is not a phone number. The list is closed.
type Problem uint8

// The problems. Those of one group stand together.
const (
	noProblem Problem = iota

	// The text.
	Empty     // nothing, or only spaces
	TooLong   // longer than any phone field
	NoDigits  // words only
	OnlyZeros // zeros that stand for nothing
	Rounded   // by a number column or a spreadsheet: 5.53199E+12, 31988880000.5
	NotE164   // of FromE164: not the form that E164 returns

	// A Brazilian number.
	TooFewDigits  // Error.N: how many
	TooManyDigits // Error.N: how many
	NoAreaCode    // eight or nine digits
	NoSuchArea    // Error.N: the area code
	BadSubscriber // the digits after the area code are neither mobile nor landline
	Service       // 190, 0800, 0300, 4004: no person answers there

	// A foreign number.
	NoPlus        // too many digits for a Brazilian number, and no "+"
	TwoReadings   // after 00 it can be a foreign number and a Brazilian one
	NoSuchCountry // no country has this code
	BadForeign    // the country's plan has no such number
)

// Error says why a text is not a phone number. It contains no digits of the text but the
// two of an area code that does not exist, so it can be logged and shown.
type Error struct {
	Problem Problem
	// N is the number of digits, or the area code, for the problems that mention one;
	// else 0.
	N int
}

// Error describes the problem, lower case and without a full stop: "it has no area
// code", "area code 23 does not exist".
func (e *Error) Error() string {
	n := strconv.Itoa(e.N)
	switch e.Problem {
	case TooFewDigits:
		return "too few digits (" + n + ")"
	case TooManyDigits:
		return "too many digits (" + n + ")"
	case NoSuchArea:
		return "area code " + n + " does not exist"
	case NoPlus:
		return "its " + n + " digits are not a Brazilian number, and a foreign one begins with + or 00"
	default:
		return e.Problem.String()
	}
}

// String describes the problem without its number.
func (p Problem) String() string {
	switch p {
	case Empty:
		return "it is empty"
	case TooLong:
		return "the text is too long for a phone number"
	case NoDigits:
		return "it has no digits"
	case OnlyZeros:
		return "it has only zeros"
	case Rounded:
		return "a number column or a spreadsheet has rounded it: the column or cell must be text"
	case NotE164:
		return "it is not in E.164 form"
	case TooFewDigits:
		return "too few digits"
	case TooManyDigits:
		return "too many digits"
	case NoAreaCode:
		return "it has no area code"
	case NoSuchArea:
		return "the area code does not exist"
	case BadSubscriber:
		return "after the area code there is neither a mobile number nor a landline"
	case Service:
		return "it is a service number (such as 190, 0800 or 4004), which belongs to no person"
	case NoPlus:
		return "it is not a Brazilian number, and a foreign one begins with + or 00"
	case TwoReadings:
		return "after 00 it can be a foreign number and a Brazilian one: write it with +"
	case NoSuchCountry:
		return "no country has the code that follows the + or 00"
	case BadForeign:
		return "the country of that code has no such number"
	default:
		return "no problem"
	}
}
