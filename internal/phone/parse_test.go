package phone_test

import (
	"errors"
	"strings"
	"testing"

	"pombo/internal/phone"
)

func TestParse(t *testing.T) {
	const (
		maria = "+5531988880000" // mobile
		clara = "+553132220000"  // landline
		rita  = "+5555999998888" // mobile in area code 55
	)
	for _, tt := range []struct {
		name, raw string
		want      string
	}{
		// Masks.
		{"mask", "(31) 98888-0000", maria},
		{"digits only", "31988880000", maria},
		{"dots", "31.98888.0000", maria},
		{"hyphens", "31-98888-0000", maria},
		{"slash after the area code", "31/98888-0000", maria},
		{"trunk zero and slash after the area code", "031/98888-0000", maria},
		{"square brackets", "[31] 9 8888 0000", maria},
		{"blanks around", "  31988880000\t\n", maria},
		{"a CHAR column's blanks", "31988880000" + strings.Repeat(" ", 2000), maria},
		{"landline", "(31) 3222-0000", clara},

		// Country code.
		{"plus", "+55 (31) 98888-0000", maria},
		{"plus twice", "++55 31 98888-0000", maria},
		{"country code bare", "5531988880000", maria},
		{"00", "0055 31 98888-0000", maria},
		{"plus and 00", "+0055 31 98888-0000", maria},
		{"country code of a landline", "553132220000", clara},
		{"plus in brackets", "(+55) 31 98888 0000", maria},
		{"trunk zero after the country code", "+55 (031) 98888-0000", maria},
		{"carrier code after the country code", "+55 0 15 31 98888-0000", maria},
		{"trunk zero after the bare country code", "55 031 98888-0000", maria},
		{"trunk zero after the country code of a landline", "55 031 3222-0000", clara},

		// Trunk zero and carrier code.
		{"trunk zero", "0 31 98888-0000", maria},
		{"trunk zero in brackets", "(031) 98888-0000", maria},
		{"trunk zero of a landline", "03132220000", clara},
		{"carrier code", "0 15 31 98888-0000", maria},
		{"carrier code of a landline", "0 21 31 3222-0000", clara},
		{"carrier code that is an area code", "0 31 31 98888-0000", maria},
		{"carrier as x", "0xx31 98888-0000", maria},
		{"carrier as X in brackets", "(0XX31) 98888-0000", maria},
		{"carrier as x without the zero", "(xx31) 98888-0000", maria},
		{"carrier as stars", "0**31 98888-0000", maria},
		{"filled up with two zeros", "0031988880000", maria},
		{"filled up with zeros", "00031988880000", maria},
		{"filled up with zeros, country code", "0005531988880000", maria},

		// The ninth digit.
		{"ninth digit missing", "31 8888-0000", maria},
		{"ninth digit missing, country code", "+55 31 8888-0000", maria},
		{"ninth digit missing, bare country code", "553188880000", maria},
		{"ninth digit missing, trunk zero", "031 8888-0000", maria},
		{"ninth digit missing, first digit 6", "11 6888-0000", "+5511968880000"},
		{"ninth digit missing, first digit 9", "11 9888-0000", "+5511998880000"},
		{"landline, first digit 5", "11 5888-0000", "+551158880000"},
		{"landline, first digit 2", "11 2888-0000", "+551128880000"},

		// 55: country code or area code.
		{"area code 55, 11 digits", "55 9 9999-8888", rita},
		{"area code 55, 10 digits, mobile", "55 9999-8888", rita},
		{"area code 55, 10 digits, landline", "55 3222-0000", "+555532220000"},
		{"area code 55 with country code, 13 digits", "55 55 99999-8888", rita},
		{"area code 55 with country code, 12 digits", "55 55 3222-0000", "+555532220000"},
		{"area code 55 with plus", "+55 55 99999-8888", rita},
		{"area code 55 with trunk zero", "055 99999-8888", rita},
		{"area code 55 with trunk zero and carrier code", "0 15 55 99999-8888", rita},
		{"55 as a carrier code is dropped all the same", "0 55 31 98888-0000", maria},

		// Number columns and spreadsheets.
		{"decimal point", "5531988880000.0", maria},
		{"decimal point, no country code", "31988880000.00", maria},
		{"decimal comma", "31988880000,0", maria},
		{"decimal comma or another number", "31988880000,988881111", maria},
		{"bare decimal point", "31988880000.", maria},
		{"plus and decimal point", "+5531988880000.0", maria},
		{"decimal landline", "3132220000.0", clara},
		{"power of ten", "5.531988880000E+12", maria},
		{"power of ten, comma", "5,531988880000E+12", maria},
		{"power of ten, no sign", "5.531988880000e12", maria},
		{"power of ten, zeros behind", "5.53198888000000E+12", maria},
		{"power of ten, no country code", "3.1988880000E10", maria},
		{"a dot as mask is not a decimal point", "553188.880000", maria},
		{"a dot as mask after nine digits", "553198888.0000", maria},
		{"a dot as mask before zeros", "3188880.000", maria},

		// Several numbers in one field.
		{"slash", "(31) 98888-0000 / (31) 3222-0000", maria},
		{"backslash", `31988880000\3132220000`, maria},
		{"semicolon", "31988880000;3132220000", maria},
		{"comma", "31988880000,3132220000", maria},
		{"bar", "31988880000|3132220000", maria},
		{"line break", "31988880000\n3132220000", maria},
		{"e", "31 98888-0000 e 31 3222-0000", maria},
		{"e without blanks", "31988880000e3132220000", maria},
		{"ou", "31 98888-0000 OU 31 3222-0000", maria},
		{"words", "casa 31 3222-0000 cel 31 98888-0000", clara},
		{"plus", "+5531988880000 +553132220000", maria},
		{"bracket", "(31) 98888-0000 (31) 3222-0000", maria},
		{"the first has no area code", "98888-1111 / (31) 98888-0000", maria},
		{"the first is short", "12 / 31988880000", maria},
		{"the other ending only", "(31) 98888-0000/1111", maria},
		{"one number and separators", ";/ 31988880000 ;,", maria},

		// Words and extensions.
		{"label", "Tel.: (31) 98888-0000", maria},
		{"name behind", "31 98888-0000 (falar com Ana)", maria},
		{"tel URI", "tel:+55-31-98888-0000", maria},
		{"link", "https://wa.me/5531988880000", maria},
		{"identity", "553188880000@wa.gw.msging.net", maria},
		{"ramal", "(31) 3222-0000 ramal 123", clara},
		{"r.", "(31) 3222-0000 r.123", clara},
		{"x", "(31) 3222-0000 x12", clara},
		{"ext", "+55 31 3222-0000 ext. (12)", clara},
		{"ramal and another number", "(31) 3222-0000 RAMAL 123 / 31988880000", clara},

		// Characters.
		{"NBSP", "31\u00a098888\u00a00000", maria},
		{"zero width and marks of direction", "\u200e\u202a31\u200b98888\ufeff0000\u202c", maria},
		{"dashes of all lengths", "31–98888—0000", maria},
		{"full width", "（３１）９８８８８－００００", maria},
		{"full width plus and slash", "＋５５３１９８８８８００００／３１３２２２００００", maria},
		{"Arabic-Indic digits", "٣١٩٨٨٨٨٠٠٠٠", maria},
		{"mathematical digits", "𝟯𝟭𝟗𝟴𝟴𝟴𝟴𝟬𝟬𝟬𝟬", maria},
		{"bytes that are not UTF-8", "31\xff98888\xc30000", maria},
		{"NUL", "31988880000\x00", maria},

		// Other countries.
		{"Portugal", "+351 912 345 678", "+351912345678"},
		{"Portugal, 00", "00351 912 345 678", "+351912345678"},
		{"Peru", "+51 988 880 000", "+51988880000"},
		{"United States", "+1 (201) 555-0123", "+12015550123"},
		{"Britain, trunk zero in brackets", "+44 (0)20 7946 0958", "+442079460958"},
		{"Italy keeps its zero", "+39 06 6982 0000", "+390669820000"},
		{"Argentina", "+54 9 11 2345-6789", "+5491123456789"},
		{"Niue, the shortest", "+683 4000", "+6834000"},
		{"bad foreign, good Brazilian", "+351 1 / 31988880000", maria},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := phone.Parse(tt.raw)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.raw, err)
			}
			if got := n.E164(); got != tt.want {
				t.Errorf("number = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParse_Refuses(t *testing.T) {
	for _, tt := range []struct {
		name, raw string
		want      phone.Error
		sentence  string
	}{
		{"empty", "", phone.Error{Problem: phone.Empty}, "it is empty"},
		{"blanks", " \t\u00a0\n", phone.Error{Problem: phone.Empty}, "it is empty"},
		{"invisible", "\u200b\ufeff", phone.Error{Problem: phone.NoDigits}, "it has no digits"},
		{"words", "não tem", phone.Error{Problem: phone.NoDigits}, "it has no digits"},
		{"plus alone", "+", phone.Error{Problem: phone.NoDigits}, "it has no digits"},
		{"zero", "0", phone.Error{Problem: phone.OnlyZeros}, "it has only zeros"},
		{"zeros as a mask", "(00) 00000-0000", phone.Error{Problem: phone.OnlyZeros}, "it has only zeros"},
		{"long", strings.Repeat("3", 201), phone.Error{Problem: phone.TooLong}, "the text is too long for a phone number"},
		{"10 MB", strings.Repeat(" ", 10<<20) + "31988880000", phone.Error{Problem: phone.TooLong}, "the text is too long for a phone number"},

		{"short", "31 98888", phone.Error{Problem: phone.TooFewDigits, N: 7}, "too few digits (7)"},
		{"nine digits, area code and seven", "31 888-0000", phone.Error{Problem: phone.TooFewDigits, N: 9}, "too few digits (9)"},
		{"long", "+55 31 98888-00000", phone.Error{Problem: phone.TooManyDigits, N: 12}, "too many digits (12)"},
		{"two numbers and nothing between", "31988880000 31988881111", phone.Error{Problem: phone.TooManyDigits, N: 22}, "too many digits (22)"},
		{"country code twice", "5555 31 98888-0000", phone.Error{Problem: phone.TooManyDigits, N: 13}, "too many digits (13)"},
		{"no area code", "98888-0000", phone.Error{Problem: phone.NoAreaCode}, "it has no area code"},
		{"no area code, landline", "3222-0000", phone.Error{Problem: phone.NoAreaCode}, "it has no area code"},
		{"no area code after the trunk zero", "0 98888-0000", phone.Error{Problem: phone.NoAreaCode}, "it has no area code"},
		{"no area code after +55", "+55 99999-8888", phone.Error{Problem: phone.NoAreaCode}, "it has no area code"},
		{"no area code after 0055", "0055 99999-8888", phone.Error{Problem: phone.NoAreaCode}, "it has no area code"},
		{"area code 23", "(23) 98888-0000", phone.Error{Problem: phone.NoSuchArea, N: 23}, "area code 23 does not exist"},
		{"area code 10", "5510988880000", phone.Error{Problem: phone.NoSuchArea, N: 10}, "area code 10 does not exist"},
		{"mobile with another first digit", "31 88888-0000", phone.Error{Problem: phone.BadSubscriber}, "after the area code there is neither a mobile number nor a landline"},
		{"subscriber from 1", "31 1222-0000", phone.Error{Problem: phone.BadSubscriber}, "after the area code there is neither a mobile number nor a landline"},
		{"subscriber from 0", "31 0222-0000", phone.Error{Problem: phone.BadSubscriber}, "after the area code there is neither a mobile number nor a landline"},
		{"area code 55 and a short rest", "55 31 8888-000", phone.Error{Problem: phone.BadSubscriber}, "after the area code there is neither a mobile number nor a landline"},
		{"CPF", "123.456.789-09", phone.Error{Problem: phone.BadSubscriber}, "after the area code there is neither a mobile number nor a landline"},

		{"emergency", "190", phone.Error{Problem: phone.Service}, "it is a service number (such as 190, 0800 or 4004), which belongs to no person"},
		{"carrier's service", "10315", phone.Error{Problem: phone.Service}, ""},
		{"0800", "0800 123 4567", phone.Error{Problem: phone.Service}, ""},
		{"0800 of old", "0800 12 3456", phone.Error{Problem: phone.Service}, ""},
		{"0800 without zero", "8001234567", phone.Error{Problem: phone.Service}, ""},
		{"0800 with country code", "+55 800 123 4567", phone.Error{Problem: phone.Service}, ""},
		{"0300", "0300 123 4567", phone.Error{Problem: phone.Service}, ""},
		{"0303", "0303 123 4567", phone.Error{Problem: phone.Service}, ""},
		{"0500", "0500 123 4567", phone.Error{Problem: phone.Service}, ""},
		{"0900", "0900 123 4567", phone.Error{Problem: phone.Service}, ""},
		{"4004", "4004-1234", phone.Error{Problem: phone.Service}, ""},
		{"3003", "3003-1234", phone.Error{Problem: phone.Service}, ""},

		{"rounded", "5.53199E+12", phone.Error{Problem: phone.Rounded}, "a number column or a spreadsheet has rounded it: the column or cell must be text"},
		{"rounded, zeros missing", "5.53198888E+12", phone.Error{Problem: phone.Rounded}, ""},
		{"rounded, no point", "6E+12", phone.Error{Problem: phone.Rounded}, ""},
		{"rounded, unscaled", "553198888000E+1", phone.Error{Problem: phone.Rounded}, ""},
		{"rounded, negative power", "553198888000E-1", phone.Error{Problem: phone.Rounded}, ""},
		{"a small fraction", "5.5E-9", phone.Error{Problem: phone.Rounded}, ""},
		{"more digits than the power", "5.5319888800001E+12", phone.Error{Problem: phone.Rounded}, ""},
		{"fraction", "553198888000.1", phone.Error{Problem: phone.Rounded}, ""},

		{"foreign without plus", "351912345678", phone.Error{Problem: phone.NoPlus, N: 12}, "its 12 digits are not a Brazilian number, and a foreign one begins with + or 00"},
		{"German that fits a carrier code", "491761234567", phone.Error{Problem: phone.NoPlus, N: 12}, ""},
		{"carrier code without its zero", "1531988880000", phone.Error{Problem: phone.NoPlus, N: 13}, ""},
		{"Peru or Porto Alegre", "0051988880000", phone.Error{Problem: phone.TwoReadings}, "after 00 it can be a foreign number and a Brazilian one: write it with +"},
		{"neither", "0023 98888-0000", phone.Error{Problem: phone.BadForeign}, ""},
		{"plus and trunk zero, which would be Swiss", "+041 91888-0000", phone.Error{Problem: phone.NoSuchCountry}, ""},
		{"no such country", "+999 12345678", phone.Error{Problem: phone.NoSuchCountry}, "no country has the code that follows the + or 00"},
		{"foreign, short", "+351 91", phone.Error{Problem: phone.TooFewDigits, N: 5}, ""},
		{"foreign, long", "+351 912345678912345", phone.Error{Problem: phone.TooManyDigits, N: 18}, ""},
		{"foreign, not in the plan", "+351 112 345 678", phone.Error{Problem: phone.BadForeign}, "the country of that code has no such number"},
		{"plus before an area code", "+31 98888-0000", phone.Error{Problem: phone.BadForeign}, ""},

		{"the worst of two is reported", "12 / 98888-0000", phone.Error{Problem: phone.NoAreaCode}, "it has no area code"},
		{"an extension is not a number", "ramal 123", phone.Error{Problem: phone.Service}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := phone.Parse(tt.raw)
			var got *phone.Error
			if !errors.As(err, &got) {
				t.Fatalf("Parse = %v, %v; want a *phone.Error", n, err)
			}
			if *got != tt.want {
				t.Errorf("error = %q %+v, want %+v", got, *got, tt.want)
			}
			if tt.sentence != "" && got.Error() != tt.sentence {
				t.Errorf("sentence = %q, want %q", got, tt.sentence)
			}
			if !n.IsZero() {
				t.Errorf("number = %v with an error, want zero", n)
			}
		})
	}
}

func TestFromE164(t *testing.T) {
	for _, s := range []string{"+5531988880000", "+6834000", "+999999999999999"} {
		n, err := phone.FromE164(s)
		if err != nil {
			t.Errorf("FromE164(%q): %v", s, err)
		}
		if got := n.E164(); got != s {
			t.Errorf("FromE164(%q).E164() = %q", s, got)
		}
	}
	for _, s := range []string{"", "+", "5531988880000", "+553198888000a", "+0531988880000", "+123456", "+1234567890123456", " +5531988880000", "+55 31 98888-0000"} {
		n, err := phone.FromE164(s)
		var problem *phone.Error
		if !errors.As(err, &problem) || problem.Problem != phone.NotE164 || !n.IsZero() {
			t.Errorf("FromE164(%q) = %v, %v; want NotE164", s, n, err)
		}
	}
}

func TestKind(t *testing.T) {
	for raw, want := range map[string]phone.Kind{
		"31 98888-0000":      phone.Mobile,
		"31 3222-0000":       phone.Landline,
		"55 99999-8888":      phone.Mobile,
		"+351 912 345 678":   phone.Foreign,
		"+54 9 11 2345 6789": phone.Foreign,
		"+56 9 6123 4567":    phone.Foreign,
	} {
		n, err := phone.Parse(raw)
		if err != nil {
			t.Fatalf("Parse(%q): %v", raw, err)
		}
		if got := n.Kind(); got != want {
			t.Errorf("kind of %q = %q, want %q", raw, got, want)
		}
	}
	if got := (phone.Number{}).Kind(); got != 0 || got.String() != "" {
		t.Errorf("kind of no number = %d %q, want 0 and nothing", got, got)
	}
}

func TestKind_String(t *testing.T) {
	for kind, want := range map[phone.Kind]string{phone.Mobile: "mobile", phone.Landline: "landline", phone.Foreign: "foreign", 0: "", 99: ""} {
		if got := kind.String(); got != want {
			t.Errorf("Kind(%d) = %q, want %q", kind, got, want)
		}
	}
}

func TestExplain_SaysWhatParseRefused(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{"": "it is empty", "98888-0001": "it has no area code", "(31) 98888-0001": ""} {
		if got := phone.Explain(raw); got != want {
			t.Errorf("Explain(%q) = %q, want %q", raw, got, want)
		}
	}
}
