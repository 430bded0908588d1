package phone

import "strconv"

// Problem is what is wrong with a text that is no phone number. The list is
// closed.
type Problem uint8

// The problems. Those of one group stand together.
const (
	noProblem Problem = iota

	// The text.
	Empty     // nothing, or only blanks
	TooLong   // longer than any phone field
	NoDigits  // words only
	OnlyZeros // zeros that stand for nothing
	Rounded   // by a number column or a spreadsheet: 5.53199E+12, 31988880000.5
	NotE164   // of FromE164: not the shape that E164 returns

	// A Brazilian number.
	TooFewDigits  // Error.N: how many
	TooManyDigits // Error.N: how many
	NoAreaCode    // eight or nine digits
	NoSuchArea    // Error.N: the area code
	BadSubscriber // the digits after the area code are neither mobile nor landline
	Service       // 190, 0800, 0300, 4004: no person answers there

	// A foreign number.
	NoPlus        // so many digits are no Brazilian number, and it has no "+"
	TwoReadings   // after 00 it is a foreign number and a Brazilian one as well
	NoSuchCountry // no country has this code
	BadForeign    // the country's plan has no such number
)

// Error says why a text is no phone number. It has no digits of the text but
// the two of an area code that does not exist, so it can be logged and shown.
type Error struct {
	Problem Problem
	// N is how many digits there are, or the area code, for the problems that
	// speak of one; else 0.
	N int
}

// Error returns a sentence about the number, lower case and without a full
// stop: "it has no area code", "area code 23 does not exist".
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
		return "its " + n + " digits are no Brazilian number, and a foreign one begins with + or 00"
	default:
		return e.Problem.String()
	}
}

// String returns the problem as a sentence that speaks of no number in
// particular.
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
		return "it is not in the form of E.164"
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
		return "it is no Brazilian number, and a foreign one begins with + or 00"
	case TwoReadings:
		return "after 00 it is a foreign number and a Brazilian one as well: write it with +"
	case NoSuchCountry:
		return "no country has the code that follows the + or 00"
	case BadForeign:
		return "the country of that code has no such number"
	default:
		return "no problem"
	}
}
