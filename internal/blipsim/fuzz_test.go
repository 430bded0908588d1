package blipsim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// seeds adds the goldens and some things that are nearly envelopes.
func seeds(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("../../testdata/blip/*.json")
	if err != nil || len(names) == 0 {
		f.Fatalf("no goldens: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	for _, s := range []string{
		``, `null`, `{}`, `[]`, `"`, `{"id":null,"to":null,"type":null,"content":null}`,
		`{"id":"1","to":"@","type":"application/json","content":{"type":"template","template":{"components":[{"type":"button","index":9e9}]}}}`,
		`{"id":"1","to":"5@wa.gw.msging.net","type":"application/json","content":{"type":"template","template":null}}`,
		`{"id":"1","method":"get","uri":"lime://"}`, `{"id":"1","method":"get","uri":"lime:///?"}`,
		`{"id":"1","method":"get","uri":"lime://wa.gw.msging.net/accounts/%"}`,
		`{"id":"1","method":"get","uri":"/notifications?id=1&$skip=99999999999999999999"}`,
		`{"id":"1","method":"set","uri":"/contexts/%zz","type":"a","resource":{}}`,
	} {
		f.Add(s)
	}
}

func FuzzMessages(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body string) {
		s, clock := newServer(t, Options{Scripts: map[string]Behaviour{"1": {Reason: 131026}}, Faults: Faults{DuplicateEvents: 0.5, Reorder: true}})
		for range 2 {
			switch got := status(t, s, "/messages", body); got {
			case 202, 400:
			default:
				t.Fatalf("status = %d, want 202 or 400", got)
			}
		}
		clock.pass(time.Hour)
		for _, m := range s.Taken() {
			for _, r := range s.Receipts(m.ID) {
				if b := s.appendReceipt(nil, new(scratch), r, "mybot@msging.net"); !json.Valid(b) {
					t.Fatalf("receipt %q is not JSON", b)
				}
			}
		}
		if got := getPage(t, s, "/").Body.Len(); got == 0 {
			t.Fatal("the page is empty")
		}
		getPage(t, s, "/sim/messages")
	})
}

func FuzzCommands(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body string) {
		s, _ := newServer(t, Options{Faults: Faults{IdentitiesAsGUID: true}})
		w, cut := send(t, s, "/commands", body)
		if cut || w.Code != 200 && w.Code != 400 {
			t.Fatalf("status = %d, cut %v, want 200 or 400", w.Code, cut)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("answer %q is not JSON", w.Body)
		}
	})
}
