package phone

import (
	"slices"

	"github.com/nyaruka/phonenumbers/v2"
	"github.com/nyaruka/phonenumbers/v2/timezone"
)

// Where the clock of an area code is not that of Brasília, or where it may some
// day part from it again: the zones that the IANA database has for its state.
//
// Code 97, the west of Amazonas, lies in two zones. Code 81 has also the four
// thousand people of Fernando de Noronha, an hour ahead; libphonenumber takes
// all of Recife's for theirs, and this table does not.
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

// manyZones is where a list of zones stops telling anything: that of a number
// without a place, such as +1 800, goes halfway round the world.
const manyZones = 4

// Zones returns the IANA names of the zones in which the number may be: by the
// area code in Brazil, else by what libphonenumber knows of its digits. Mostly
// there is one. It is nil when nothing is known. The caller must not change it.
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
	// By the digits also where they are not tied to a place: a mobile number of
	// Moscow has a prefix of its own.
	list, err := timezone.GetTimeZonesForGeographicalNumber(p)
	if err != nil || len(list) > manyZones || slices.Contains(list, timezone.Unknown) {
		return nil
	}
	return list
}
