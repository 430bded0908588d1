package blip

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pombo"
)

func TestKnown(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"The resource was not found", "The resource was not found"},
		{"Gateway error: (#131049) not delivered", "Gateway error: 131049 not delivered"},
		{"code 132000: 2 of 3 parameters", "code 132000: 2 of 3 parameters"},
		{"(#132000) number of localizable_params (2) does not match the expected number of params (3)",
			"132000 number of localizable_params 2 does not match the expected number of params 3"},
		{"It's an error that doesn't matter", "… an error that doesn't …"},
		{"bad 'to' in the envelope", "bad to in the envelope"},
		{"bad request, status 400.", "bad request, status 400."},
		{"O número do destinatário não é válido", "número do destinatário não válido"},
		{"number 5531900000001 is bad", "number … is bad"},
		{"number +55 (31) 90000-0001 is bad", "number … is bad"},
		{"number 5 5 3 1 is bad", "number … is bad"},
		{"number ٥٥ is bad", "number … is bad"},
		{"code 999 of message 1", "code … of message …"}, // four digits in all
		{"number 555 is bad", "number 555 is bad"},
		{"account 131026131026", "account …"},
		{`template "order_shipped" is paused`, "template … is paused"},
		{"Maria", ""},
		{"Maria da Silva para João", "… da … para …"},
		{"message for A. B. Silva", "message for …"},
		{`{"to":"a@b","text":"Olá Maria"}`, "to text …"},
		{"two\nlines\tand\x1b[31m colour\u202e", "… and …"},
		{"bad \xff message", "bad message"},
		{"dial tcp 203.0.113.77:443: i/o timeout", "dial tcp … timeout"},
		{strings.Repeat("error ", 60), strings.Repeat("error ", 32) + "…"},
		{strings.Repeat("é", 9000), ""},
	}
	for _, tt := range tests {
		if got := known(tt.in); got != tt.want {
			t.Errorf("known(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// The words of the errors that WhatsApp and Blip give are in the list.
func TestKnown_KeepsUsualErrors(t *testing.T) {
	for _, text := range []string{
		"Message undeliverable", "Re-engagement message", "User's number is part of an experiment", "Required parameter is missing",
		"Parameter value is not valid", "Number of parameters does not match the expected number of params", "Template is paused",
		"Template name does not exist in the translation", "Translated text too long", "Template is disabled", "Something went wrong",
		"Parameter format does not match format in the created template", "The gateway switch operation timed out", "Destination not found",
		"This message was not delivered to maintain healthy ecosystem engagement.", "Business account is restricted from messaging users in this country",
		"Unable to deliver the message. This recipient has chosen to stop receiving marketing messages", "Access denied", "Rate limit hit",
		"Unable to determine the WhatsApp Business Account of the sender", "Spam rate limit hit", "Media upload error", "Service unavailable",
		"Authorization error: the access token has expired", "Business eligibility payment issue", "Template format character policy violated",
		"The method is not supported by the resource", "The envelope has no 'content'", "The session is not authenticated",
		"A mensagem não foi entregue", "Limite de mensagens excedido", "Parâmetro obrigatório inválido", "O modelo não existe na tradução",
	} {
		if got := known(text); strings.Contains(got, hidden) {
			t.Errorf("known(%q) = %q, want no gap", text, got)
		}
	}
}

// The values of a row, and the ways in which somebody may quote them.
const (
	plantedName  = "Zenóbiaplanted Quixadá"
	plantedText  = "textoplanted sobre o resultadoplanted"
	plantedPhone = "5531977774312"
)

func spellings(s string) []string {
	letters := strings.Split(s, "")
	slices.Reverse(letters)
	plain := strings.NewReplacer("ó", "o", "á", "a").Replace(s)
	var initials, spaced, wide, dashed, hexed, entities, styled strings.Builder
	for w := range strings.FieldsSeq(s) {
		r, _ := utf8.DecodeRuneInString(w)
		initials.WriteRune(r)
		initials.WriteString(". ")
	}
	for i, r := range s {
		fmt.Fprintf(&spaced, "%c ", r)
		fmt.Fprintf(&dashed, "%c\u200b-", r)
		fmt.Fprintf(&hexed, "%x", string(r))
		fmt.Fprintf(&entities, "&#%d;", r)
		switch {
		case r > ' ' && r <= '~':
			wide.WriteRune(r + 0xfee0)
		default:
			wide.WriteRune(r)
		}
		if i%4 == 3 {
			styled.WriteString(" ... ")
		}
		styled.WriteRune(r)
	}
	return []string{
		s, strings.ToUpper(s), strings.ToLower(s), plain, strings.ReplaceAll(s, " ", ""), strings.ReplaceAll(plain, " ", "_"), `"` + s + `"`,
		"<b>" + s + "</b>", url.QueryEscape(s), url.PathEscape(s), initials.String(), spaced.String(), dashed.String(), wide.String(), hexed.String(),
		hexed.String()[:len(hexed.String())/2], entities.String(), strings.Join(letters, ""), base64.StdEncoding.EncodeToString([]byte(s)),
		base64.RawURLEncoding.EncodeToString([]byte(s)), strconv.QuoteToASCII(s), html.EscapeString(s), styled.String(),
		"55 31 977 774 312", "5531 ... 7777 ... 4312", "+55 (31) 97777-4312", "55/31/97/77/74/31/2", "x" + s + "x1",
	}
}

// TestKnown_DropsWhatIsQuoted quotes the values of a row in every spelling inside of
// sentences: what is left is words of the list, and few digits.
func TestKnown_DropsWhatIsQuoted(t *testing.T) {
	for _, value := range []string{plantedName, plantedText, plantedPhone, "31 97777-4312"} {
		for _, s := range spellings(value) {
			for _, sentence := range []string{
				"%s", "The message to %s was not delivered", "(#131026) parameter %s of the template is not valid: code 132000", "%[1]s error %[1]s", "a mensagem de %s falhou",
			} {
				nothingButKnown(t, fmt.Sprintf(sentence, s))
			}
		}
	}
}

func FuzzKnown(f *testing.F) {
	f.Add("number 5531900000001 is bad")
	f.Add("tel:5531 ... 7777 ... 4312@wa.gw.msging.net (#131026) 4")
	f.Add("d’oh can’t _message_ '' \xff")
	f.Fuzz(func(t *testing.T, s string) { nothingButKnown(t, s) })
}

// nothingButKnown fails the test when known keeps anything else of a text.
func nothingButKnown(t *testing.T, text string) {
	t.Helper()
	got := known(text)
	if !utf8.ValidString(got) || len(got) > longestDetail || strings.ContainsAny(got, "\n\r\x00") {
		t.Errorf("known(%q) = %q: not one short line of text", text, got)
	}
	digits := 0
	for w := range strings.FieldsSeq(got) {
		w = strings.TrimRight(w, ".,:;")
		if n, err := strconv.Atoi(w); err == nil {
			if _, is := decisions[cause{channel, n}]; !is || n < 10_000 {
				digits += len(w)
			}
		} else if w != hidden && !vocabulary[strings.ReplaceAll(strings.ToLower(w), "’", "'")] {
			t.Errorf("known(%q) = %q, which has %q", text, got, w)
		}
	}
	if digits > 3 {
		t.Errorf("known(%q) = %q, which has %d digits", text, got, digits)
	}
}

func TestClient_DoesNotPrintItsKey(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1")
	if got := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(got, testKey) {
		t.Error("printing a client shows its key")
	}
}

// TestSafeCause: a transport's error can quote what it likes.
func TestSafeCause(t *testing.T) {
	raw := errors.New(`invalid proxy address "http://me:pass@proxy": Key ` + testKey + ` for +55 31 90000-0001`)
	f := broke(t.Context(), phaseConnect, raw)
	safe(t, f)
	if strings.Contains(f.Err.Error(), "pass") {
		t.Errorf("the cause shows the proxy's password: %v", f.Err)
	}
	if errors.Is(f, raw) {
		t.Error("the raw error can be reached through the cause")
	}
}

func TestPrivate_StaysPrivate(t *testing.T) {
	for _, p := range []pombo.Message{
		{MessageID: testID, To: testIdentity},
		{MessageID: testID, To: testIdentity, Template: "t", Params: []pombo.Param{{Slot: "body 5531900000001", Value: "Maria"}}},
		{To: testIdentity, Template: "t"},
		{MessageID: testID, Template: "t"},
	} {
		c := newClient(t, "http://127.0.0.1:1", func(o *Options) { o.Template = "" })
		f := fault(t, c.Send(t.Context(), p))
		safe(t, f)
		if f.Delivery != notSent || f.Retry || f.Detail == "" {
			t.Errorf("error = %+v, want not sent, no retry and a detail", f)
		}
	}
}
