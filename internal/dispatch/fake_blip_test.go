package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// fakeBlip is a Blip whose answers a test scripts.
type fakeBlip struct {
	mu        sync.Mutex
	sent      []pombo.Message
	templates []pombo.Template
	// onSend, when set, decides about the n-th POST (from 1) of a message.
	onSend     func(ctx context.Context, m pombo.Message, nth int) error
	onIdentity func() error
	onReceipts func(id pombo.MessageID) ([]pombo.Receipt, error)
	// onTemplates is called when the templates are asked for.
	onTemplates  func()
	templatesErr error
	onUpload     func() error
	uploads      [][]byte
	redirects    int         // commands that a reply's redirect takes
	commands     []time.Time // when each was made, but for the list of templates
}

func (b *fakeBlip) command() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commands = append(b.commands, time.Now())
}

func (b *fakeBlip) Identity(_ context.Context, n phone.Number) (string, error) {
	b.command()
	b.mu.Lock()
	f := b.onIdentity
	b.mu.Unlock()
	if f != nil {
		if err := f(); err != nil {
			return "", err
		}
	}
	return n.E164()[1:] + "@wa.gw.msging.net", nil
}

func (b *fakeBlip) Redirects() int { return b.redirects }
func (b *fakeBlip) RedirectReply(context.Context, string, int) error {
	b.command()
	return nil
}

func (b *fakeBlip) UploadAddress(context.Context) (string, error) {
	b.command()
	return "https://media.example/upload", nil
}

// Upload returns a link that numbers the upload.
func (b *fakeBlip) Upload(_ context.Context, _, _ string, bytes []byte) (string, error) {
	b.command()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.onUpload != nil {
		if err := b.onUpload(); err != nil {
			return "", err
		}
	}
	b.uploads = append(b.uploads, slices.Clone(bytes))
	return fmt.Sprintf("https://media.example/%d", len(b.uploads)), nil
}

func (b *fakeBlip) Send(ctx context.Context, m pombo.Message) error {
	b.mu.Lock()
	b.sent = append(b.sent, m)
	nth := 0
	for _, s := range b.sent {
		if s.MessageID == m.MessageID {
			nth++
		}
	}
	f := b.onSend
	b.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, m, nth)
}

func (b *fakeBlip) Receipts(_ context.Context, id pombo.MessageID) ([]pombo.Receipt, error) {
	b.mu.Lock()
	f := b.onReceipts
	b.mu.Unlock()
	if f == nil {
		return nil, nil
	}
	return f(id)
}

func (b *fakeBlip) Templates(context.Context) ([]pombo.Template, error) {
	b.mu.Lock()
	f := b.onTemplates
	b.mu.Unlock()
	if f != nil {
		f()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.templates, b.templatesErr
}

func (b *fakeBlip) posts(id pombo.MessageID) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.sent {
		if m.MessageID == id {
			n++
		}
	}
	return n
}
