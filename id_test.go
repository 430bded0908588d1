package pombo

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The example of RFC 9562, appendix A.4: the name www.example.com in the name
// space of DNS.
func TestUUID5_ExampleOfTheRFC(t *testing.T) {
	dns, err := hex.DecodeString("6ba7b8109dad11d180b400c04fd430c8")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := uuid5([16]byte(dns), "www.example.com"), MessageID("2ed6657d-e927-568b-95e1-2665a8aea6a2"); got != want {
		t.Errorf("id = %s, want %s", got, want)
	}
}

// The ids that have gone out must never change: Blip, receipts and an operator's
// notes know them.
func TestMessageID_NeverChanges(t *testing.T) {
	// python3 -c "import uuid; print(uuid.uuid5(uuid.UUID('8c1f5c42-6d0a-4b1e-9a57-30e2b47d61c9'), 'notificacao\0' '4711\0' '1'))"
	if got, want := (Key{"notificacao", "4711", 1}).MessageID(), MessageID("b735cecf-e584-51d7-8ff8-9e832a896ba6"); got != want {
		t.Errorf("id = %s, want %s", got, want)
	}
}

func TestMessageID_DiffersByKey(t *testing.T) {
	seen := map[MessageID]Key{}
	for _, k := range []Key{
		{"a", "1", 1}, {"a", "1", 2}, {"a", "11", 1}, {"a1", "1", 1}, {"b", "1", 1},
		{"a", "1\x001", 1}, {"a", "\x001", 1}, {"a", "", 1}, {"a", "1", 11}, {"a", "1 ", 1},
	} {
		id := k.MessageID()
		if other, ok := seen[id]; ok {
			t.Errorf("%v and %v share the id %s", k, other, id)
		}
		seen[id] = k
		if back, err := ParseMessageID(string(id)); err != nil || back != id {
			t.Errorf("ParseMessageID(%s) = %s, %v", id, back, err)
		}
	}
}

func TestParseMessageID(t *testing.T) {
	const id = "2ed6657d-e927-568b-95e1-2665a8aea6a2"
	for _, good := range []string{id, strings.ToUpper(id), " " + id + "\n", "fwd:" + id} {
		if got, err := ParseMessageID(good); err != nil || got != id {
			t.Errorf("ParseMessageID(%q) = %s, %v, want %s", good, got, err, id)
		}
	}
	for _, bad := range []string{"", "4711", id[1:], id + "0", strings.ReplaceAll(id, "-", "0"), "g" + id[1:], "2ed6657de927-568b-95e1-2665a8aea6a2-"} {
		if got, err := ParseMessageID(bad); err == nil {
			t.Errorf("ParseMessageID(%q) = %s, want an error", bad, got)
		}
	}
}

func FuzzParseMessageID(f *testing.F) {
	f.Add("2ed6657d-e927-568b-95e1-2665a8aea6a2")
	f.Add("fwd:2ED6657D-E927-568B-95E1-2665A8AEA6A2 ")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseMessageID(s)
		if err != nil {
			return
		}
		if again, err := ParseMessageID(string(id)); err != nil || again != id {
			t.Errorf("%q parsed to %s, which parses to %s, %v", s, id, again, err)
		}
	})
}
