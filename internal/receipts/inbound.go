package receipts

import (
	"pombo"
	"pombo/internal/fold"
)

// Words returns the usual words for "no more messages". They count only as the whole
// message: "não quero sair" is not an opt-out.
func Words() []string { return []string{"SAIR", "PARAR", "STOP"} }

// asksForNone reports whether a person wants no more messages.
func (b *Inbox) asksForNone(m *pombo.Inbound) bool {
	return b.isOptOut(m.Text) || b.isOptOut(m.Payload)
}

// longest is the length of the longest text that can be one of the words.
const longest = 200

func (b *Inbox) isOptOut(text pombo.Private) bool {
	s := text.Reveal()
	return s != "" && len(s) <= longest && b.words[fold.Text(s)]
}
