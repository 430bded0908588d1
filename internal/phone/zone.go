package phone

import (
	"slices"

	"github.com/nyaruka/phonenumbers/v2"
	"github.com/nyaruka/phonenumbers/v2/timezone"
)

// zones has the IANA zones of the states whose clock is not that of Brasília, or may
// differ from it again some day.
//
// Code 97, the west of Amazonas, lies in two zones. Code 81 also has the four thousand
// people of Fernando de Noronha, an hour ahead; libphonenumber assumes their zone for
// all of Recife, this table does not.
var zones = map[string][]string{
	"AC": {"America/Rio_Branco"},
	"AL": {"America/Maceio"},
	"AM": {"America/Manaus"},
	"AP": {"America/Belem"},
	"BA": {"America/Bahia"},
	"CE": {"America/Fortaleza"},
	"MA": {"America/Fortaleza"},
	"MS": {"America/Campo_Grande"},
	"MT": {"America/Cuiaba"},
	"PA": {"America/Belem"},
	"PB": {"America/Fortaleza"},
	"PE": {"America/Recife"},
	"PI": {"America/Fortaleza"},
	"RN": {"America/Fortaleza"},
	"RO": {"America/Porto_Velho"},
	"RR": {"America/Boa_Vista"},
	"SE": {"America/Maceio"},
	"TO": {"America/Araguaina"},
}

var (
	brasilia     = []string{"America/Sao_Paulo"}
	westAmazonas = []string{"America/Manaus", "America/Eirunepe"}
)

// manyZones is how many zones a useful list has at most: that of a number without a
// place, such as +1 800, spans half the world.
const manyZones = 4

// Zones returns the IANA names of the zones in which the number may be: by the
// area code in Brazil, else by what libphonenumber knows of its digits. Usually there is
// one; nil means that none is known. The caller must not change the list.
func (n Number) Zones() []string {
	switch n.Kind() {
	case Mobile:
		return brazilianZones(n.scrambled * unscramble / 1e9 % 100)
	case Landline:
		return brazilianZones(n.scrambled * unscramble / 1e8 % 100)
	case Foreign:
		return foreignZones(n)
	}
	return nil
}

func brazilianZones(area uint64) []string {
	if area == 97 {
		return westAmazonas
	}
	if z, ok := zones[areas[area]]; ok {
		return z
	}
	return brasilia
}

func foreignZones(n Number) []string {
	p, err := phonenumbers.Parse(n.E164(), "")
	if err != nil {
		return nil
	}
	// The digits help even where they do not name a place: a mobile number of Moscow has
	// its own prefix.
	list, err := timezone.GetTimeZonesForGeographicalNumber(p)
	if err != nil || len(list) > manyZones || slices.Contains(list, timezone.Unknown) {
		return nil
	}
	return list
}
