package delivery

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"

	"pombo"
	"pombo/internal/document"
	"pombo/internal/wait"
)

// A header that is a file or a BLOB is opened and judged before Blip is asked for
// anything, and uploaded just before the message: Blip's links to it are valid for half
// an hour only. In between, its bytes are only in memory. Nothing has been sent at
// either step, so neither can leave a doubt.
const (
	// documentWait is how late a document may come after its row was taken in: systems
	// write the row first and the file afterwards.
	documentWait = 15 * time.Minute
	// documentLook is how often Pombo looks for it meanwhile.
	documentLook = 30 * time.Second
	// linkReuse is how old a link may be that is sent with the same bytes once more: to
	// another person, or after a try that sent nothing.
	linkReuse = 10 * time.Minute
	// linkAge is how old a link may be when its message leaves. WhatsApp has to fetch
	// it within Blip's half hour.
	linkAge = 20 * time.Minute
	// mostLinks is how many links are remembered.
	mostLinks = 1000
)

// Documents opens what a header is made of. Every error is a *document.Error, or that of
// ctx.
type Documents interface {
	Open(ctx context.Context, rowKey string, p pombo.Param, shown string) (*document.Document, error)
	// AwayFor returns for how long the folder has not been readable.
	AwayFor() time.Duration
}

// documentFits opens the document of the row, if it has one, and judges it.
func (d *Deliverer) documentFits(ctx context.Context, v *delivery) *pombo.Outcome {
	at := slices.IndexFunc(v.Params, func(p pombo.Param) bool { _, _, ok := p.Slot.Upload(); return ok })
	if at < 0 {
		return nil
	}
	rowKey := ""
	if v.Key.Source == d.opts.SourceName {
		rowKey = v.Key.RowKey
	}
	shown := ""
	if names := pombo.At(v.Params, pombo.HeaderFilename); len(names) > 0 {
		shown = names[0].Reveal()
	}
	opened, err := d.opts.Documents.Open(ctx, rowKey, v.Params[at], shown)
	if err != nil {
		return d.noDocument(ctx, v, err)
	}
	v.document = opened
	return nil
}

// noDocument decides about a row whose document cannot be opened.
func (d *Deliverer) noDocument(ctx context.Context, v *delivery, err error) *pombo.Outcome {
	e, ok := errors.AsType[*document.Error](err)
	if ctx.Err() != nil || !ok {
		return requeued(v.claim, pombo.Interrupted, time.Time{}, "")
	}
	switch now := time.Now(); {
	case e.Whose == document.Gone:
		return withdrawn(v.claim, e.Detail)
	case e.Whose == document.Away:
		d.log.Warn("a document cannot be read; its message waits", "detail", e.Detail, "error", e.Err, "often", pombo.Often("document"))
		return requeued(v.claim, e.Reason, now.Add(wait.Jitter(min(max(d.opts.Documents.AwayFor(), documentLook), 10*time.Minute))), e.Detail)
	case e.Whose == document.Changing, e.Whose == document.MayCome && now.Sub(v.Created) < documentWait:
		return requeued(v.claim, e.Reason, now.Add(documentLook), e.Detail)
	}
	return failed(v.claim, e.Reason, e.Detail)
}

// documentUploaded uploads the document of the row and puts the link in its place.
func (d *Deliverer) documentUploaded(ctx context.Context, v *delivery) *pombo.Outcome {
	if v.document == nil {
		return nil
	}
	defer v.document.Close()
	sum := sumOf(v.document)
	link, err := d.links.get(ctx, sum, func() (string, error) { return d.upload(ctx, v.document) })
	if err != nil {
		return d.notSent(ctx, v, err)
	}
	v.linked = link.at
	v.link, v.shown = link.uri, v.document.Name
	return nil
}

// upload asks Blip where to put the bytes, and puts them there.
func (d *Deliverer) upload(ctx context.Context, doc *document.Document) (link string, err error) {
	var address string
	err = d.command(ctx, func() (err error) {
		address, err = d.opts.Blip.UploadAddress(ctx)
		return err
	})
	if err != nil {
		return "", err
	}
	err = d.command(ctx, func() (err error) {
		link, err = d.opts.Blip.Upload(ctx, address, doc.Type, doc.Bytes)
		return err
	})
	return link, err
}

// linked returns the parameters with the link in place of the document. The row's own
// stay as they are: a retry uploads again.
func linked(params []pombo.Param, link, name string) []pombo.Param {
	out := make([]pombo.Param, 0, len(params)+1)
	for _, p := range params {
		if header, _, ok := p.Slot.Upload(); ok {
			out = append(out, pombo.Param{Slot: header, Value: pombo.Private(link)})
			if header == pombo.HeaderDocument {
				out = append(out, pombo.Param{Slot: pombo.HeaderFilename, Value: pombo.Private(name)})
			}
		} else if p.Slot != pombo.HeaderFilename {
			out = append(out, p)
		}
	}
	return out
}

// linkValid uploads a document again if it has waited so long for its permit that the
// link could expire before WhatsApp fetches it.
func (d *Deliverer) linkValid(ctx context.Context, v *delivery) *pombo.Outcome {
	if v.linked.IsZero() || time.Since(v.linked) < linkAge {
		return nil
	}
	if o := d.documentFits(ctx, v); o != nil {
		return o
	}
	return d.documentUploaded(ctx, v)
}

// links are the links to what was uploaded lately, by its bytes: one leaflet for ten
// thousand people is uploaded once in a while and not ten thousand times. Changed bytes
// are uploaded again.
type links struct {
	mu    sync.Mutex
	bySum map[[sha256.Size]byte]link
	busy  map[[sha256.Size]byte]chan struct{} // closed when the upload that is under way has ended
}

// sumOf identifies a document.
func sumOf(d *document.Document) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(d.Type + "\x00"))
	h.Write(d.Bytes)
	h.Sum(sum[:0])
	return sum
}

type link struct {
	uri string
	at  time.Time
}

func newLinks() links {
	return links{bySum: map[[sha256.Size]byte]link{}, busy: map[[sha256.Size]byte]chan struct{}{}}
}

// get returns the link to some bytes, and uploads them if need be. A second caller with the
// same bytes waits for that upload.
func (l *links) get(ctx context.Context, sum [sha256.Size]byte, upload func() (string, error)) (link, error) {
	for {
		l.mu.Lock()
		found, ok := l.bySum[sum]
		if ok && time.Since(found.at) < linkReuse {
			l.mu.Unlock()
			return found, nil
		}
		other := l.busy[sum]
		if other == nil {
			l.busy[sum] = make(chan struct{})
		}
		l.mu.Unlock()
		if other == nil {
			break
		}
		select {
		case <-other:
		case <-ctx.Done():
			return link{}, ctx.Err()
		}
	}
	uri, err := upload()
	made := link{uri, time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.busy[sum])
	delete(l.busy, sum)
	if err != nil {
		return link{}, err
	}
	l.keep(sum, made)
	return made, nil
}

// keep remembers a link. The lock is held.
func (l *links) keep(sum [sha256.Size]byte, made link) {
	if len(l.bySum) >= mostLinks {
		for sum, old := range l.bySum {
			if time.Since(old.at) >= linkReuse || len(l.bySum) >= mostLinks {
				delete(l.bySum, sum)
			}
		}
	}
	l.bySum[sum] = made
}
