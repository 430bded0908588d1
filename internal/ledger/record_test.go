package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

func FuzzHistory(f *testing.F) {
	f.Add("plain", "no_answer", 3)
	f.Add(`quote " backslash \ bracket ] comma , <tag> 😀`, "", 0)
	f.Fuzz(func(t *testing.T, detail, reason string, attempt int) {
		if !pombo.Reason(reason).Valid() {
			t.Skip("not one of the closed list")
		}
		at := time.UnixMilli(1_764_000_000_123).UTC()
		h := encodeEvent(at.UnixMilli(), pombo.Queued, 0, "", "") +
			encodeEvent(at.UnixMilli(), pombo.Failed, attempt, pombo.Reason(reason), detail) +
			encodeNote(at.UnixMilli(), pombo.Failed, attempt, pombo.NoReason, "note")
		got, err := summarize([]byte(h))
		if err != nil {
			t.Fatalf("%v: %s", err, h)
		}
		events, err := decodeHistory([]byte(h))
		if err != nil {
			t.Fatalf("%v: %s", err, h)
		}
		want := []pombo.Event{
			{At: at, State: pombo.Queued},
			{At: at, State: pombo.Failed, Attempt: attempt, Reason: pombo.Reason(reason), Detail: valid(detail)},
			{At: at, State: pombo.Failed, Attempt: attempt, Detail: "note"},
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if got.reason != pombo.Reason(reason) || got.detail != valid(detail) {
			t.Errorf("reason %q, detail %q; a note must not change them", got.reason, got.detail)
		}
	})
}

// FuzzDecodeHistory: what is damaged is an error and no panic.
func FuzzDecodeHistory(f *testing.F) {
	f.Add(`[1,"queued",0][2,"failed",1,"no_answer","a \"b\"",true]`)
	for _, s := range []string{"", "[", `[1,"a`, `[1,"a",`, `[1,"a",1`, `[1,"a",1,"`, `[1,"a",1,"r","`, `[1,"a",1,"r","\`, `["x",`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		_, err := summarize([]byte(h))
		if _, also := decodeHistory([]byte(h)); (err == nil) != (also == nil) {
			t.Errorf("read: %v, logLoss: %v", err, also)
		}
		var n pombo.Notification
		_ = unpack([]byte(h), &n)
	})
}

// valid is the text as JSON keeps it: bytes that are no UTF-8 become U+FFFD.
func valid(s string) string { return string([]rune(s)) }

func TestIDRange(t *testing.T) {
	id := pombo.MessageID("fedc5678-e927-568b-95e1-2665a8aea6a2")
	for text, want := range map[string]bool{
		string(id): true, "fedc": false, "fedc567": false, "fedc5678": true, "fedc5678-": true, "fedc5678-e": true, "FEDC5678-E927-568B": true,
		"fedc5678-e927-568b-95e1": true, "fed": false, "row-1": false, "fedd": false, "fedc5679": false, "": false,
		"fedc5678-e927-568b-95e1-2665a8aea6a2-ffff": false,
	} {
		lo, hi, ok := idRange(text)
		if got := ok && lo <= idNumber(id) && idNumber(id) <= hi; got != want {
			t.Errorf("%q finds the id: %v, want %v", text, got, want)
		}
	}
}
