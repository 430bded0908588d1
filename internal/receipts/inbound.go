package receipts

import (
	"context"

	"pombo"
	"pombo/internal/fold"
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
	return s != "" && len(s) <= longest && h.words[fold.Text(s)]
}
