package phone_test

import (
	"testing"

	"github.com/nyaruka/phonenumbers/v2"

	"pombo/internal/phone"
)

// TestParse_ForeignNumbers reads the example mobile number of every country, as that
// country writes it for the rest of the world.
func TestParse_ForeignNumbers(t *testing.T) {
	countries := 0
	for region := range phonenumbers.GetSupportedRegions() {
		if region == "BR" {
			continue
		}
		example := phonenumbers.GetExampleNumberForTypeInRegion(region, phonenumbers.MOBILE)
		if example == nil {
			continue
		}
		countries++
		want := phonenumbers.Format(example, phonenumbers.E164)
		n, err := phone.Parse(phonenumbers.Format(example, phonenumbers.INTERNATIONAL))
		if err != nil || n.E164() != want || n.Kind() != phone.Foreign {
			t.Errorf("%s: read as %q %s, %v; want %q", region, n.E164(), n.Kind(), err, want)
		}
	}
	if countries < 200 {
		t.Errorf("%d countries have an example, want at least 200", countries)
	}
}
