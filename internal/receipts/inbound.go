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

// Words returns the usual words for "no more messages". They count only as the whole
// message: "não quero sair" is not an opt-out.
func Words() []string { return []string{"SAIR", "PARAR", "STOP"} }

// optOut records the opt-out of a person who asked for no more messages. Only Blip's
// name says who it is: a phone must not be derived from that.
func (h *Webhook) optOut(ctx context.Context, m *pombo.Inbound) error {
	if m.Identity == "" || !h.isOptOut(m.Text) && !h.isOptOut(m.Payload) {
		return nil
	}
	return h.opts.Recorder.optOut(ctx, pombo.OptOut{Identity: m.Identity, BSUID: m.BSUID, Scope: pombo.OptOutAll, At: m.At, By: "person"})
}

// longest is the length of the longest text that can be one of the words.
const longest = 200

func (h *Webhook) isOptOut(text pombo.Private) bool {
	s := text.Reveal()
	return s != "" && len(s) <= longest && h.words[fold(s)]
}

// fold removes what people write in different ways: case, accents, surrounding spaces
// and punctuation at the end.
func fold(s string) string {
	plain := transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	if t, _, err := transform.String(plain, s); err == nil {
		s = t
	}
	s = strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.TrimSpace(strings.ToLower(s))
}
