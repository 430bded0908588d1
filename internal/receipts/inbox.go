package receipts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"pombo"
	"pombo/internal/fold"
)

// Replies keeps what people sent.
type Replies interface {
	// Take stores what people sent, finds out which notifications it answers, and makes
	// the answers due to be written to their rows. It leaves out what it already has.
	// All of it is durable when it returns nil.
	Take(ctx context.Context, list []pombo.Inbound) ([]pombo.Reply, error)
}

// Way is how a message of a person came in: a label and a word of the log.
type Way string

// The ways.
const (
	ByWebhook Way = "webhook" // Blip posted it
	ByFlow    Way = "flow"    // the bot's flow posted it
	ByPoll    Way = "poll"    // it was found in the conversation
)

// InboxOptions configures an Inbox. Recorder and Replies must be set.
type InboxOptions struct {
	Recorder *Recorder // records who opts out
	Replies  Replies
	// Words are the messages that count as an opt-out: see Words.
	Words []string
	// Answered is called when notifications have been answered; nil = none.
	Answered func()
}

// Inbox takes what people sent, whichever way it came. It is safe for concurrent use.
type Inbox struct {
	opts  InboxOptions
	log   *slog.Logger
	words map[string]bool // folded
}

// NewInbox checks the options.
func NewInbox(opts InboxOptions) (*Inbox, error) {
	if opts.Recorder == nil || opts.Replies == nil {
		return nil, errors.New("the inbox needs a recorder and a ledger of replies")
	}
	if opts.Answered == nil {
		opts.Answered = func() {}
	}
	b := &Inbox{opts: opts, log: opts.Recorder.opts.Logger, words: map[string]bool{}}
	for _, w := range opts.Words {
		if folded := fold.Text(w); folded != "" {
			b.words[folded] = true
		}
	}
	return b, nil
}

// Take records opt-outs and keeps everything that people sent. A nil error means that it
// is durable; after any other the caller, or Blip, passes the same again.
func (b *Inbox) Take(ctx context.Context, way Way, list []pombo.Inbound) error {
	if len(list) == 0 {
		return nil
	}
	var refused error
	for i := range list {
		if b.asksForNone(&list[i]) {
			list[i].OptOut = true
			// The others, and the replies, are kept even when this fails.
			refused = errors.Join(refused, b.opts.Recorder.optOut(ctx, &list[i]))
		}
	}
	replies, err := b.opts.Replies.Take(ctx, list)
	if err != nil {
		b.opts.Recorder.metrics.inbound.WithLabelValues(string(way), "failed").Add(float64(len(list)))
		return errors.Join(refused, fmt.Errorf("keep what people sent: %w", err))
	}
	matched := false
	for i := range replies {
		matched = b.tell(way, &replies[i]) || matched
	}
	if again := len(list) - len(replies); again > 0 {
		b.opts.Recorder.metrics.inbound.WithLabelValues(string(way), "known").Add(float64(again))
	}
	if matched {
		b.opts.Answered()
	}
	return refused
}

// tell counts a reply and logs the form in which it came, but none of its text. It
// reports whether the reply answers a notification.
func (b *Inbox) tell(way Way, r *pombo.Reply) bool {
	b.opts.Recorder.metrics.inbound.WithLabelValues(string(way), string(r.Match)).Inc()
	fields := []any{"match", r.Match, "kind", r.Kind, "form", r.Form, "way", way}
	if r.Match == pombo.Unmatched {
		// Most of it is conversation with the bot.
		b.log.Debug("a message matches no notification", fields...)
		return false
	}
	b.log.Info("reply", append([]any{"id", r.MessageID, "row", r.Key.RowKey, "counts", r.Counts}, fields...)...)
	return true
}
