package phone_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pombo/internal/phone"
)

var (
	e164Shape  = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	landline   = regexp.MustCompile(`^\+55[0-9]{2}[2-5][0-9]{7}$`)
	brazilOnly = regexp.MustCompile(`^\+55(1[1-9]|2[12478]|3[1234578]|4[1-9]|5[1345]|6[1-9]|7[134579]|8[1-9]|9[1-9])(9[0-9]{8}|[2-5][0-9]{7})$`)
	digitRun   = regexp.MustCompile(`[0-9]{4,}`)
	fiveDigits = regexp.MustCompile(`[0-9]{5,}`)
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "+", "0", "(31) 98888-0000", "0055 31 8888-0000", "0xx31 3222-0000 ramal 12", "0 15 31 98888-0000",
		"55 9 9999-8888", "5531988880000.0", "5.531988880000E+12", "31988880000 e 3132220000", "+351 912 345 678",
		"00351912345678", "+44 (0)20 7946 0958", "+1 201 555 0123", "190", "0800 123 4567", "31/98888-0000",
		"٣١٩٨٨٨٨٠٠٠٠", "31\xff98888\xc30000", "+54 9 11 2345-6789", "+800 1234 5678", "+39 06 6982 0000", "+52 1 55 1234 5678",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		n, err := phone.Parse(raw)
		if err != nil {
			if _, ok := errors.AsType[*phone.Error](err); !ok {
				t.Fatalf("error is a %T, want *phone.Error", err)
			}
			// 0800 and 4004 are words of ours, and counts have no four digits.
			text := strings.NewReplacer("0800", "", "4004", "").Replace(err.Error())
			if run := digitRun.FindString(text); run != "" || text == "" {
				t.Fatalf("error %q has %q in it", err, run)
			}
			if !n.IsZero() {
				t.Fatalf("%v with an error", n)
			}
			return
		}

		e164 := n.E164()
		if !e164Shape.MatchString(e164) {
			t.Fatalf("%q is not E.164", e164)
		}
		switch brazil := strings.HasPrefix(e164, "+55"); {
		case brazil && !brazilOnly.MatchString(e164):
			t.Fatalf("%q is not in the Brazilian plan", e164)
		case brazil != (n.Kind() != phone.Foreign):
			t.Fatalf("%q is of kind %s", e164, n.Kind())
		case (n.Kind() == phone.Landline) != landline.MatchString(e164):
			t.Fatalf("%q is of kind %s", e164, n.Kind())
		}

		again, err := phone.Parse(e164)
		if err != nil || again != n {
			t.Fatalf("%q is read again as %q, %v", e164, again.E164(), err)
		}
		if back, err := phone.FromE164(e164); err != nil || back != n {
			t.Fatalf("FromE164(%q) = %q, %v", e164, back.E164(), err)
		}
		for _, shown := range []string{n.String(), fmt.Sprintf("%d %#v", n, n)} {
			if run := fiveDigits.FindString(shown); run != "" {
				t.Fatalf("%q is shown as %q", e164, shown)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, raw := range map[string]string{
		"digits":  "5531988880000",
		"mask":    "+55 (31) 98888-0000",
		"ninth":   "31 8888-0000",
		"two":     "(31) 98888-0000 / (31) 3222-0000",
		"refused": "98888-0000",
		"foreign": "+351 912 345 678",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = phone.Parse(raw)
			}
		})
	}
}

func BenchmarkFromE164(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = phone.FromE164("+5531988880000")
	}
}

func BenchmarkE164(b *testing.B) {
	n := mustParse(b, "31 98888-0000")
	b.ReportAllocs()
	for b.Loop() {
		_ = n.E164()
	}
}

// TestParse_DoesNotAllocate keeps the promise that Parse makes for the numbers
// that nearly every row has.
func TestParse_DoesNotAllocate(t *testing.T) {
	for _, raw := range []string{"5531988880000", "(31) 8888-0000", "3132220000.0", "31988880000 / 31988881111"} {
		if got := testing.AllocsPerRun(100, func() { _, _ = phone.Parse(raw) }); got != 0 {
			t.Errorf("Parse(%q) allocates %v times, want 0", raw, got)
		}
	}
}
