package phone

import (
	"fmt"
	"testing"
	"unicode"

	"github.com/nyaruka/phonenumbers/v2"
)

// TestAreas_AgreeWithLibphonenumber asks the library about a mobile number and a
// landline in each of the hundred area codes there could be.
func TestAreas_AgreeWithLibphonenumber(t *testing.T) {
	const states = 27
	inUse := 0
	seen := map[string]bool{}
	for area := range areas {
		ours := areas[area] != ""
		if ours {
			inUse++
			seen[areas[area]] = true
		}
		for subscriber, kind := range map[string]struct {
			ours    Kind
			library phonenumbers.PhoneNumberType
		}{
			"988880000": {Mobile, phonenumbers.MOBILE},
			"960000000": {Mobile, phonenumbers.MOBILE},
			"32220000":  {Landline, phonenumbers.FIXED_LINE},
			"52220000":  {Landline, phonenumbers.FIXED_LINE},
		} {
			digits := fmt.Sprintf("%02d%s", area, subscriber)
			p, err := phonenumbers.Parse("+55"+digits, "BR")
			if err != nil {
				t.Fatal(err)
			}
			library := phonenumbers.IsValidNumberForRegion(p, "BR") && phonenumbers.GetNumberType(p) == kind.library
			if ours != library {
				t.Errorf("area code %02d with %s: valid here %v, in the library %v", area, kind.ours, ours, library)
			}
			n, perr := brazilian([]byte(digits))
			switch {
			case ours && (perr.Problem != noProblem || n.E164() != "+55"+digits || n.Kind() != kind.ours):
				t.Errorf("area code %02d: read as %v %s, %v; want %s", area, n, n.Kind(), &perr, kind.ours)
			case !ours && area >= 10 && perr != (Error{NoSuchArea, area}) && perr != (Error{Problem: Service}):
				t.Errorf("area code %02d: %v, want that it does not exist", area, &perr)
			}
		}
	}
	if inUse != 67 || len(seen) != states {
		t.Errorf("%d area codes in %d states, want 67 in %d", inUse, len(seen), states)
	}
}

// TestValue_DigitsOfAllScripts checks what value assumes of Unicode.
func TestValue_DigitsOfAllScripts(t *testing.T) {
	scripts := 0
	check := func(lo, hi rune, stride uint32) {
		if stride != 1 || (hi-lo+1)%10 != 0 {
			t.Errorf("the digits from %U to %U do not stand in tens", lo, hi)
		}
		for r := lo; r <= hi; r += 10 {
			scripts++
			for i := range rune(10) {
				if got, want := value(r+i), '0'+byte(i); got != want {
					t.Errorf("value of %U = %c, want %c", r+i, got, want)
				}
			}
		}
	}
	for _, r := range unicode.Nd.R16 {
		check(rune(r.Lo), rune(r.Hi), uint32(r.Stride))
	}
	for _, r := range unicode.Nd.R32 {
		check(rune(r.Lo), rune(r.Hi), r.Stride)
	}
	if scripts < 60 {
		t.Errorf("%d scripts have digits, want at least 60", scripts)
	}
}

// TestProblem_HasItsSentence fails when one is added and its words forgotten.
func TestProblem_HasItsSentence(t *testing.T) {
	seen := map[string]Problem{}
	for p := Empty; p <= BadForeign; p++ {
		s := (&Error{Problem: p, N: 23}).Error()
		if s == noProblem.String() || p.String() == noProblem.String() || s == "" {
			t.Errorf("problem %d has no text", p)
		}
		if other, ok := seen[s]; ok {
			t.Errorf("problems %d and %d have the same sentence %q", p, other, s)
		}
		seen[s] = p
	}
}
