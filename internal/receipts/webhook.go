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
	"pombo/internal/fold"
)

// The two addresses that a bot has at Blip.
const (
	Notifications = "notifications" // for receipts
	Messages      = "messages"      // for what people write
)

// WebhookOptions configures a Webhook; all but Words must be set.
type WebhookOptions struct {
	// Secret is the last part of both addresses. Blip signs nothing, so only the secret
	// distinguishes Blip's posts from any other.
	Secret   string
	Recorder *Recorder
	// ParseReceipts and ParseMessages read a body. Each skips what the other reads, and
	// fails only when the body is not JSON at all or has too many envelopes.
	ParseReceipts func(body []byte) ([]pombo.Receipt, error)
	ParseMessages func(body []byte) ([]pombo.Inbound, error)
	// Words are the messages that count as an opt-out: see Words.
	Words []string
}

// Webhook records what Blip posts. It is safe for concurrent use; concurrent calls
// share the ledger's commits.
type Webhook struct {
	opts   WebhookOptions
	secret [sha256.Size]byte // hash of the secret: one length for the comparison
	words  map[string]bool   // folded
	last   atomic.Int64      // when the last receipt of ours came, in Unix ms; 0 = none
}

// NewWebhook checks the options.
func NewWebhook(opts WebhookOptions) (*Webhook, error) {
	if opts.Secret == "" || opts.Recorder == nil || opts.ParseReceipts == nil || opts.ParseMessages == nil {
		return nil, errors.New("the webhook needs a secret, a recorder and two parsers")
	}
	h := &Webhook{opts: opts, secret: sha256.Sum256([]byte(opts.Secret)), words: map[string]bool{}}
	for _, w := range opts.Words {
		if folded := fold.Text(w); folded != "" {
			h.words[folded] = true
		}
	}
	return h, nil
}

// Admits reports whether the secret is right, in constant time. kind is the address
// that was used.
func (h *Webhook) Admits(kind string, secret string) bool {
	given := sha256.Sum256([]byte(secret))
	ok := subtle.ConstantTimeCompare(given[:], h.secret[:]) == 1
	if !ok {
		h.count(kind, "refused")
	}
	return ok
}

// Take records the receipts and messages of a body. Both addresses accept both: they
// are easily confused in Blip's portal. A nil error means that all of it is durable or
// irrelevant; pombo.ErrNotJSON that the body is not JSON, pombo.ErrTooMany that it has
// too many envelopes, and any other error that Blip should post it again.
func (h *Webhook) Take(ctx context.Context, kind string, body []byte) error {
	receipts, err := h.opts.ParseReceipts(body)
	var messages []pombo.Inbound
	if err == nil {
		messages, err = h.opts.ParseMessages(body)
	}
	if err != nil {
		result := "not_json"
		if errors.Is(err, pombo.ErrTooMany) {
			result = "too_many"
		}
		h.count(kind, result)
		return fmt.Errorf("take what Blip posted: %w", err)
	}
	ours, err := h.opts.Recorder.Record(ctx, receipts)
	if ours > 0 {
		h.last.Store(time.Now().UnixMilli())
	}
	for i := 0; err == nil && i < len(messages); i++ {
		err = h.optOut(ctx, &messages[i])
	}
	if err != nil {
		h.count(kind, "failed")
		return fmt.Errorf("take what Blip posted: %w", err)
	}
	h.count(kind, "ok")
	return nil
}

// Busy counts a body that was rejected unread: Blip posts it again.
func (h *Webhook) Busy(kind string) { h.count(kind, "busy") }

// Last returns when Blip last posted a receipt for a message of ours to this process;
// zero if it never has.
func (h *Webhook) Last() time.Time {
	if ms := h.last.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (h *Webhook) count(kind string, result string) {
	h.opts.Recorder.metrics.requests.WithLabelValues(kind, result).Inc()
}
