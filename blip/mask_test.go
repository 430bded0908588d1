package blip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pombo"
)

func TestMask(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"The resource was not found", "The resource was not found"},
		{"Gateway error: (#131049) not delivered", "Gateway error: (#131049) not delivered"},
		{"code 132000: 2 of 3 parameters", "code 132000: 2 of 3 parameters"},
		{"number 5531900000001 is bad", "number *** is bad"},
		{"number +55 (31) 90000-0001 is bad", "number +*** is bad"},
		{"number 55.31.90000.0001", "number ***"},
		{"number ٥٥٣١٩٠٠٠٠٠٠٠١", "number ***"},
		{"lime://wa.gw.msging.net/accounts/+5531900000001", "lime://wa.gw.msging.net/accounts/+***"},
		{"accounts/%2B5531900000001?x", "accounts/%2B***?x"},
		{"owner 553100000001@wa.gw.msging.net has no contexts", "owner *** has no contexts"},
		{"/contexts/3b6f0000%40wa.gw.msging.net/state gone", "*** gone"},
		{"bad 'to' in the envelope", "bad 'to' in the envelope"},
		{`template "order_shipped" is paused`, `template "order_shipped" is paused`},
		{`text "Maria da Silva" is too long`, `text "***" is too long`},
		{`text "maria" is too long`, `text "***" is too long`},
		{"text “Rita” and ‘João’ and «Ana»", "text “***” and ‘***’ and «***»"},
		{"it can't be sent to 'Maria'", "it can't be sent to '***'"},
		{`{"to":"a@b","text":"Olá Maria"}`, `{"to":"***","text":"***"}`},
		{`unclosed "Maria da`, `unclosed "***`},
		{"two\nlines\tand\x1b[31m colour\u202e", "two lines and [31m colour"},
		{"bad \xff bytes", "bad bytes"},
		{"dial tcp 127.0.0.1:8080: connect: connection refused", "dial tcp 127.0.0.1:8080: connect: connection refused"},
		{"dial tcp 203.0.113.77:443: i/o timeout", "dial tcp 203.0.113.77:443: i/o timeout"},
		{"secret word", "*** word"},
		{"parameter for Maria (silva) is invalid", "parameter for *** (***) is invalid"},
		{"da para JOÃO", "da *** ***"},
		{strings.Repeat("é", 300), strings.Repeat("é", 100) + "…"},
	}
	for _, tt := range tests {
		if got := mask(tt.in, "secret", "", "w", "Maria da Silva para João"); got != tt.want {
			t.Errorf("mask(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzMask plants a phone, punctuated in some way, in any text.
func FuzzMask(f *testing.F) {
	f.Add("number ", " is bad", 0)
	f.Add(`"`, `"`, 1)
	f.Add("tel:", "@wa.gw.msging.net", 2)
	f.Add("(#131026) 4", "5", 3)
	f.Fuzz(func(t *testing.T, before, after string, how int) {
		phones := []string{"5531987654321", "+55 31 98765-4321", "(31) 98765-4321", "31.98765.4321", "%2B5531987654321", "31 – 98765 4321"}
		got := mask(before + phones[uint(how)%uint(len(phones))] + after)
		for _, part := range []string{"98765", "4321"} {
			// What the fuzzer writes itself is not ours to hide.
			if strings.Contains(got, part) && !strings.Contains(before+after, part) && !madeOf(before+after, part) {
				t.Errorf("the phone shows in %q", got)
			}
		}
		if !utf8.ValidString(got) || len(got) > longestDetail+len("…") || strings.ContainsAny(got, "\n\r\x00") {
			t.Errorf("mask = %q: not one short line of text", got)
		}
	})
}

// madeOf reports whether s has all digits of part, so that the text around the
// phone could be where they come from.
func madeOf(s, part string) bool {
	for _, r := range part {
		if !strings.ContainsRune(s, r) {
			return false
		}
	}
	return true
}

func TestClientDoesNotPrintItsKey(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1")
	if got := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(got, testKey) {
		t.Error("printing a client shows its key")
	}
}

// TestCausesAreSafe: a transport's error can quote what it likes.
func TestCausesAreSafe(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1")
	raw := errors.New(`invalid proxy address "http://me:pass@proxy": Key ` + testKey + ` for +55 31 90000-0001`)
	f := c.broke(t.Context(), phaseConnect, raw)
	safe(t, f)
	if strings.Contains(f.Err.Error(), "pass") {
		t.Errorf("the cause shows the proxy's password: %v", f.Err)
	}
	if errors.Is(f, raw) {
		t.Error("the raw error can be reached through the cause")
	}
}

func TestPrivateStaysPrivate(t *testing.T) {
	for _, p := range []pombo.Message{
		{ID: testID, To: testIdentity},
		{ID: testID, To: testIdentity, Template: "t", Params: []pombo.Param{{Place: "body 5531900000001", Value: "Maria"}}},
		{To: testIdentity, Template: "t"},
		{ID: testID, Template: "t"},
	} {
		c := newClient(t, "http://127.0.0.1:1", func(o *Options) { o.Template = "" })
		f := fault(t, c.Send(t.Context(), p))
		safe(t, f)
		if f.Reached != no || f.Retry || f.Detail == "" {
			t.Errorf("error = %+v, want reached no, no retry and a detail", f)
		}
	}
}
