package phone

import (
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/nyaruka/phonenumbers/v2"
	"github.com/nyaruka/phonenumbers/v2/timezone"
)

// TestZones_AgreeWithLibphonenumber compares the table with the library's: the
// clocks of both show the same. Not so in 81, whose people the library takes for
// islanders, and in the west of Pará, whose clocks were put forward by law
// 11.662 of 2008.
func TestZones_AgreeWithLibphonenumber(t *testing.T) {
	clock := func(name string) string {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).In(z).Format("15:04")
	}
	for area, state := range areas {
		if state == "" || area == 81 || area == 93 || area == 94 {
			continue
		}
		mobile, _ := brazilian(fmt.Appendf(nil, "%02d988880000", area))
		landline, _ := brazilian(fmt.Appendf(nil, "%02d32220000", area))
		ours := mobile.Zones()
		if !slices.Equal(ours, landline.Zones()) {
			t.Errorf("area code %d: %v for mobile, %v for landlines", area, ours, landline.Zones())
		}
		p, err := phonenumbers.Parse(mobile.E164(), "")
		if err != nil {
			t.Fatal(err)
		}
		list, err := timezone.GetTimeZonesForGeographicalNumber(p)
		if err != nil || len(list) == 0 {
			t.Fatalf("area code %d: %v, %v", area, list, err)
		}
		if want := clock(list[0]); clock(ours[0]) != want {
			t.Errorf("area code %d: %s in %s, the library has %s in %s", area, clock(ours[0]), ours[0], want, list[0])
		}
	}
}

func TestZones(t *testing.T) {
	for _, test := range []struct {
		number string
		want   []string
	}{
		{"+5511988880000", []string{"America/Sao_Paulo"}},
		{"+5568988880000", []string{"America/Rio_Branco"}},
		{"+5569988880000", []string{"America/Porto_Velho"}},
		{"+5592988880000", []string{"America/Manaus"}},
		{"+5597988880000", []string{"America/Manaus", "America/Eirunepe"}},
		{"+556532220000", []string{"America/Cuiaba"}},
		{"+5581988880000", []string{"America/Recife"}},
		{"+5555988880000", []string{"America/Sao_Paulo"}},
		{"+595981234567", []string{"America/Asuncion"}},
		{"+79161234567", []string{"Europe/Moscow"}},
		{"+12025550123", []string{"America/New_York"}},
		{"+18005551234", nil},    // anywhere in America
		{"+87812345678901", nil}, // nowhere
		{"", nil},
	} {
		n, _ := FromE164(test.number)
		got := n.Zones()
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.number, got, test.want)
		}
		for _, name := range got {
			if _, err := time.LoadLocation(name); err != nil {
				t.Errorf("%s: %v", test.number, err)
			}
		}
	}
}
