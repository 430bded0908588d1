package pombo

import "testing"

func TestReplyPayload(t *testing.T) {
	id := Key{Source: "s", RowKey: "1", Generation: 1}.MessageID()
	for button := range maxButtons {
		got, number, ok := ParseReplyPayload(ReplyPayload(id, button))
		if !ok || got != id || number != button {
			t.Errorf("button %d comes back as %q, %d, %v", button, got, number, ok)
		}
	}
	good := "pombo:" + Private(id)
	for _, p := range []Private{"", "SIM", "pombo:", "pombo:1", good, good + ":", good + ":x", good + ":-1", good + ":10", "pombo:4711:0", "Pombo:" + Private(id) + ":0"} {
		if _, _, ok := ParseReplyPayload(p); ok {
			t.Errorf("%q counts as ours", p.Reveal())
		}
	}
}
