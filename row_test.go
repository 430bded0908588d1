package pombo

import "testing"

func TestParseSlot(t *testing.T) {
	for in, want := range map[string]Slot{
		"body": Body, " Header ": HeaderText, "header-image": HeaderImage, "header-video": HeaderVideo,
		"header-document": HeaderDocument, "button0": "button0", "BUTTON9-payload": "button9-payload",
	} {
		if got, err := ParseSlot(in); err != nil || got != want {
			t.Errorf("ParseSlot(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "button", "button10", "buttonx", "button-payload", "button0-", "footer", "NR_TELEFONE"} {
		if got, err := ParseSlot(bad); err == nil {
			t.Errorf("ParseSlot(%q) = %q, want an error", bad, got)
		}
	}
}

func TestSlot_Button(t *testing.T) {
	for _, test := range []struct {
		place Slot
		index int
		value ButtonValue
		ok    bool
	}{
		{"button0", 0, ButtonURL, true}, {"button7-payload", 7, ButtonPayload, true}, {"button2-code", 2, ButtonCode, true},
		{Body, 0, "", false}, {"button+", 0, "", false}, {"button1-", 0, "", false}, {"button-code", 0, "", false},
	} {
		index, value, ok := test.place.Button()
		if index != test.index || value != test.value || ok != test.ok {
			t.Errorf("%q.Button() = %d, %q, %v, want %d, %q, %v", test.place, index, value, ok, test.index, test.value, test.ok)
		}
	}
}
