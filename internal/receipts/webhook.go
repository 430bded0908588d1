package receipts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"pombo"
)

// The two addresses that a bot has at Blip.
const (
	Notifications = "notifications" // for receipts
	Messages      = "messages"      // for what people write
)

// WebhookOptions is what a Webhook is made of; all must be set but Words.
type WebhookOptions struct {
	// Secret is the last part of both addresses. Blip signs nothing, so it is all
	// that tells Blip's posts from those of anybody else.
	Secret   string
	Recorder *Recorder
	// ParseReceipts and ParseMessages read a body. Each leaves out what the other
	// is there for, and fails only when there is no JSON at all.
	ParseReceipts func(body []byte) ([]pombo.Receipt, error)
	ParseMessages func(body []byte) ([]pombo.Inbound, error)
	// Words are what people write who want no more messages: see Words.
	Words []string
}

// Webhook takes what Blip posts. It is safe for use by many goroutines, and as
// many as there are share the ledger's commits.
type Webhook struct {
	o      WebhookOptions
	secret [sha256.Size]byte // hash of the secret: one length for the comparison
	words  map[string]bool   // folded
	last   atomic.Int64      // when the last receipt of ours came, in Unix ms; 0 = none
}

// NewWebhook checks the options.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	if o.Secret == "" || o.Recorder == nil || o.ParseReceipts == nil || o.ParseMessages == nil {
		return nil, errors.New("the webhook needs a secret, a recorder and two parsers")
	}
	h := &Webhook{o: o, secret: sha256.Sum256([]byte(o.Secret)), words: map[string]bool{}}
	for _, w := range o.Words {
		if folded := fold(w); folded != "" {
			h.words[folded] = true
		}
	}
	return h, nil
}

// Admits reports whether the secret is the right one, in a time that does not
// depend on how much of it is. kind is the address that was used.
func (h *Webhook) Admits(kind string, secret string) bool {
	given := sha256.Sum256([]byte(secret))
	ok := subtle.ConstantTimeCompare(given[:], h.secret[:]) == 1
	if !ok {
		h.count(kind, "refused")
	}
	return ok
}

// Take records what a body says. Both addresses understand everything: they are
// easily taken for each other in Blip's portal. A nil error means that it is
// durable, or says nothing to us; pombo.ErrNotJSON that it is no JSON, pombo.ErrTooMany
// that it has too many envelopes, and any other that the same should be posted again.
func (h *Webhook) Take(ctx context.Context, kind string, body []byte) error {
	receipts, err := h.o.ParseReceipts(body)
	var messages []pombo.Inbound
	if err == nil {
		messages, err = h.o.ParseMessages(body)
	}
	if err != nil {
		result := "not_json"
		if errors.Is(err, pombo.ErrTooMany) {
			result = "too_many"
		}
		h.count(kind, result)
		return fmt.Errorf("take what Blip posted: %w", err)
	}
	ours, err := h.o.Recorder.Record(ctx, receipts)
	if ours > 0 {
		h.last.Store(time.Now().UnixMilli())
	}
	for i := 0; err == nil && i < len(messages); i++ {
		err = h.answer(ctx, &messages[i])
	}
	if err != nil {
		h.count(kind, "failed")
		return fmt.Errorf("take what Blip posted: %w", err)
	}
	h.count(kind, "ok")
	return nil
}

// Busy counts a body that was turned away unread: Blip posts it again.
func (h *Webhook) Busy(kind string) { h.count(kind, "busy") }

// Last returns when the last receipt for a message of ours was posted to this
// process; zero when none was.
func (h *Webhook) Last() time.Time {
	if ms := h.last.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (h *Webhook) count(kind string, result string) {
	h.o.Recorder.metrics.requests.WithLabelValues(kind, result).Inc()
}
