package pombo

import "testing"

func TestParsePlace(t *testing.T) {
	for in, want := range map[string]Place{
		"body": Body, " Header ": HeaderText, "header-image": HeaderImage, "header-video": HeaderVideo,
		"header-document": HeaderDocument, "button0": "button0", "BUTTON9-payload": "button9-payload",
	} {
		if got, err := ParsePlace(in); err != nil || got != want {
			t.Errorf("ParsePlace(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "button", "button10", "buttonx", "button-payload", "button0-", "footer", "NR_TELEFONE"} {
		if got, err := ParsePlace(bad); err == nil {
			t.Errorf("ParsePlace(%q) = %q, want an error", bad, got)
		}
	}
}

func TestButton(t *testing.T) {
	for _, test := range []struct {
		place   Place
		index   int
		payload bool
		ok      bool
	}{{"button0", 0, false, true}, {"button7-payload", 7, true, true}, {Body, 0, false, false}, {"button+", 0, false, false}} {
		index, payload, ok := test.place.Button()
		if ok != test.ok || ok && (index != test.index || payload != test.payload) {
			t.Errorf("%q.Button() = %d, %v, %v, want %d, %v, %v", test.place, index, payload, ok, test.index, test.payload, test.ok)
		}
	}
}
