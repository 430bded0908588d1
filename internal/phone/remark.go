package phone

import "strings"

// Remark says what had to be done to a text to make a number of it, or what is
// special about the number. It is a set: several may hold. Zero: nothing to say.
type Remark uint8

// The remarks.
const (
	// NinthDigit: it was a mobile number of eight digits; the 9 that all of them
	// have had since 2016 was put in front.
	NinthDigit Remark = 1 << iota
	// Prefix: leading zeros, a trunk zero or a carrier code were dropped.
	Prefix
	// FirstOfSeveral: the field has more numbers; the first valid one was taken.
	FirstOfSeveral
	// Extension: an extension was ignored; WhatsApp has none.
	Extension
	// Decimal: it came out of a number column, with a decimal point or as a power
	// of ten.
	Decimal
	// IsLandline: it is a landline. Nothing was changed.
	IsLandline
)

// String returns the remarks as a safe sentence, lower case and without a full
// stop: "ninth digit added; the first valid of several numbers".
func (r Remark) String() string {
	var s []string
	for _, m := range []struct {
		remark Remark
		text   string
	}{
		{NinthDigit, "ninth digit added"},
		{Prefix, "leading zeros or carrier code dropped"},
		{FirstOfSeveral, "the first valid of several numbers"},
		{Extension, "extension ignored"},
		{Decimal, "read from a decimal number"},
		{IsLandline, "landline"},
	} {
		if r&m.remark != 0 {
			s = append(s, m.text)
		}
	}
	return strings.Join(s, "; ")
}
