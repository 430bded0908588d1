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

// The addresses that are posted to.
const (
	Notifications = "notifications" // Blip: receipts
	Messages      = "messages"      // Blip: what people send
	FromFlow      = "replies"       // the bot's flow: one person's answer
)

// WebhookOptions configures a Webhook; all must be set.
type WebhookOptions struct {
	// Secret is the last part of the addresses. Blip signs nothing, so only the secret
	// distinguishes Blip's posts from any other.
	Secret   string
	Recorder *Recorder
	Inbox    *Inbox
	// ParseReceipts and ParseMessages read a body. Each skips what the other reads, and
	// fails only when the body is not JSON at all or has too many envelopes.
	ParseReceipts func(body []byte) ([]pombo.Receipt, error)
	ParseMessages func(body []byte) ([]pombo.Inbound, error)
}

// Webhook records what Blip posts. It is safe for concurrent use; concurrent calls
// share the ledger's commits.
type Webhook struct {
	opts   WebhookOptions
	secret [sha256.Size]byte // hash of the secret: one length for the comparison
	last   atomic.Int64      // when the last receipt of ours came, in Unix ms; 0 = none
	lastIn atomic.Int64      // when a person's message last came, likewise
}

// NewWebhook checks the options.
func NewWebhook(opts WebhookOptions) (*Webhook, error) {
	if opts.Secret == "" || opts.Recorder == nil || opts.Inbox == nil || opts.ParseReceipts == nil || opts.ParseMessages == nil {
		return nil, errors.New("the webhook needs a secret, a recorder, an inbox and two parsers")
	}
	return &Webhook{opts: opts, secret: sha256.Sum256([]byte(opts.Secret))}, nil
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
	if err == nil {
		err = h.takeIn(ctx, ByWebhook, messages)
	}
	if err != nil {
		h.count(kind, "failed")
		return fmt.Errorf("take what Blip posted: %w", err)
	}
	h.count(kind, "ok")
	return nil
}

// TakeReply records a person's answer as the bot's flow reports it. A nil error means
// that it is durable.
func (h *Webhook) TakeReply(ctx context.Context, m pombo.Inbound) error {
	if err := h.takeIn(ctx, ByFlow, []pombo.Inbound{m}); err != nil {
		h.count(FromFlow, "failed")
		return fmt.Errorf("take what the bot's flow posted: %w", err)
	}
	h.count(FromFlow, "ok")
	return nil
}

func (h *Webhook) takeIn(ctx context.Context, way Way, messages []pombo.Inbound) error {
	err := h.opts.Inbox.Take(ctx, way, messages)
	if err == nil && len(messages) > 0 {
		h.lastIn.Store(time.Now().UnixMilli())
	}
	return err
}

// Busy counts a body that was rejected unread: Blip posts it again.
func (h *Webhook) Busy(kind string) { h.count(kind, "busy") }

// Last returns when Blip last posted a receipt for a message of ours to this process;
// zero if it never has.
func (h *Webhook) Last() time.Time { return moment(&h.last) }

// LastMessage returns when Blip or the bot's flow last posted a person's message to this
// process; zero if neither ever has.
func (h *Webhook) LastMessage() time.Time { return moment(&h.lastIn) }

func moment(ms *atomic.Int64) time.Time {
	if ms := ms.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (h *Webhook) count(kind string, result string) {
	h.opts.Recorder.metrics.requests.WithLabelValues(kind, result).Inc()
}
