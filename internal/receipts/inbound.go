package receipts

import (
	"context"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"pombo"
)

// Words are those that usually stand for "no more messages". They count only when
// they are all that was written: "não quero sair" is no opt-out.
func Words() []string { return []string{"SAIR", "PARAR", "STOP"} }

// answer looks whether a person wants no more messages. Who it is, only Blip's name
// says: a phone must not be made out of that.
func (h *Webhook) answer(ctx context.Context, m *pombo.Inbound) error {
	if m.Identity == "" || !h.isOptOut(m.Text) && !h.isOptOut(m.Button) {
		return nil
	}
	return h.o.Recorder.keep(ctx, pombo.OptOut{Identity: m.Identity, BSUID: m.BSUID, Scope: pombo.OptOutAll, At: m.At, By: "person"})
}

// longest is more than any of the words has with all that may follow it.
const longest = 200

func (h *Webhook) isOptOut(text pombo.Private) bool {
	s := text.Reveal()
	return s != "" && len(s) <= longest && h.words[fold(s)]
}

// fold takes out of a text what people write one way or the other: case, accents,
// blanks around, and signs at the end.
func fold(s string) string {
	plain := transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	if t, _, err := transform.String(plain, s); err == nil {
		s = t
	}
	s = strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.TrimSpace(strings.ToLower(s))
}
