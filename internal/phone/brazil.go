package phone

import "bytes"

// areas has the state of every area code in use; "" where there is none. Code
// 61 also covers the part of Goiás around Brasília. The 67 codes are those of
// Anatel's general plan of national codes (Plano Geral de Códigos Nacionais; the
// list stands in Consulta Pública 274/2000, article 22, III). None has been
// added since; the tests compare the table with libphonenumber's data.
var areas = [100]string{
	11: "SP", 12: "SP", 13: "SP", 14: "SP", 15: "SP", 16: "SP", 17: "SP", 18: "SP", 19: "SP",
	21: "RJ", 22: "RJ", 24: "RJ", 27: "ES", 28: "ES",
	31: "MG", 32: "MG", 33: "MG", 34: "MG", 35: "MG", 37: "MG", 38: "MG",
	41: "PR", 42: "PR", 43: "PR", 44: "PR", 45: "PR", 46: "PR", 47: "SC", 48: "SC", 49: "SC",
	51: "RS", 53: "RS", 54: "RS", 55: "RS",
	61: "DF", 62: "GO", 63: "TO", 64: "GO", 65: "MT", 66: "MT", 67: "MS", 68: "AC", 69: "RO",
	71: "BA", 73: "BA", 74: "BA", 75: "BA", 77: "BA", 79: "SE",
	81: "PE", 82: "AL", 83: "PB", 84: "RN", 85: "CE", 86: "PI", 87: "PE", 88: "CE", 89: "PI",
	91: "PA", 92: "AM", 93: "PA", 94: "PA", 95: "RR", 96: "AP", 97: "AM", 98: "MA", 99: "MA",
}

// brazilian parses d, the digits of a Brazilian number without its country code: an
// optional trunk prefix, then area code and subscriber.
//
//	digits            reading
//	0 AA S…           trunk zero, area code, subscriber
//	0 CC AA S…        trunk zero, carrier code, area code, subscriber
//	AA S…             area code, subscriber
//
// S… are eight digits that begin with 2 to 5 (landline), eight that begin with
// 6 to 9 (a mobile number from before the ninth digit) or nine that begin with 9
// (mobile), so the length decides. The carrier code is not looked up: whichever it is,
// the same digits remain and must fit the plan.
//
// Eight digits from 7 on were once a trunked radio service, which had no ninth digit
// and ended in 2018.
func brazilian(d []byte) (Number, Error) {
	total := len(d)
	if rest := bytes.TrimLeft(d, "0"); len(rest) < len(d) {
		// Zeros before zeros come from columns that are padded on the left.
		d = rest
		if isService(d) {
			return Number{}, Error{Problem: Service}
		}
		if len(d) == 12 || len(d) == 13 {
			d = d[2:]
		}
	}
	switch {
	case isService(d):
		return Number{}, Error{Problem: Service}
	case len(d) == 8, len(d) == 9 && d[0] == '9':
		return Number{}, Error{Problem: NoAreaCode}
	case len(d) < 10:
		return Number{}, Error{TooFewDigits, len(d)}
	case len(d) > 11:
		return Number{}, Error{TooManyDigits, total}
	}
	area, subscriber := d[:2], d[2:]
	if n := int(area[0]-'0')*10 + int(area[1]-'0'); areas[n] == "" {
		return Number{}, Error{NoSuchArea, n}
	}
	var e164 [13]byte
	b := append(e164[:0], '5', '5', area[0], area[1])
	switch first := subscriber[0]; {
	case len(subscriber) == 9 && first == '9':
	case len(subscriber) == 8 && first >= '6':
		b = append(b, '9')
	case len(subscriber) == 8 && first >= '2':
	default:
		return Number{}, Error{Problem: BadSubscriber}
	}
	return number(append(b, subscriber...)), Error{}
}

// isService reports whether d, without its leading zero, is the number of a service
// and not of a person: emergency and public services (1xx, and 103xx of the carriers),
// 0800 and its relatives, and 4004 and 3003, which are dialled without an area code. No
// area code is 30, 50, 80 or 90, so no number of a person matches.
func isService(d []byte) bool {
	switch len(d) {
	case 3, 4, 5:
		return d[0] == '1'
	case 8:
		return string(d[:3]) == "300" || string(d[:3]) == "400"
	case 9, 10:
		switch string(d[:3]) {
		case "300", "303", "500", "800":
			return true
		case "900":
			return len(d) == 10 // nine digits from 9 on are a mobile number
		}
	}
	return false
}
