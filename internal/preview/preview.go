// Package preview draws a message as WhatsApp would show it, from Blip's template
// and a row of the table. It sends nothing.
package preview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"pombo"
	"pombo/internal/blip"
	"pombo/internal/config"
	"pombo/internal/setup"
)

// Preview is a message as WhatsApp would show it. It has a person's data in clear:
// it is only for the person who asked, never for a log.
type Preview struct {
	Template pombo.Template
	Header   pombo.Private // the text, or the link to the picture, film or document
	Body     pombo.Private
	Buttons  []pombo.Private       // what each does: where it leads, what it sends back or copies; "" = nothing of its own
	Issues   []pombo.TemplateIssue // what would keep it from going
}

// Options say what to draw.
type Options struct {
	Template string // "" = that of the row, or TEMPLATE_NAME
	Row      string // key of a row of the table, whatever its status; "" = Params
	Params   []pombo.Param
}

// previewTime is what a preview may take in all.
const previewTime = 30 * time.Second

// New asks Blip for the template and the table for the row, and fills the
// one with the other. It sends and changes nothing. The error of an unknown
// template or row is pombo.ErrNotFound.
func New(ctx context.Context, c config.Config, o Options) (Preview, error) {
	ctx, cancel := context.WithTimeout(ctx, previewTime)
	defer cancel()
	var row pombo.Row
	if o.Row != "" {
		var err error
		if row, err = rowOf(ctx, c, o.Row); err != nil {
			return Preview{}, err
		}
		o.Params = row.Params
	}
	name := o.Template
	if name == "" {
		name = row.Template
	}
	if name == "" {
		name = c.Blip.Template
	}
	client, err := blip.New(setup.Blip(c, nil))
	if err != nil {
		return Preview{}, err
	}
	defer client.Close()
	list, err := client.Templates(ctx)
	if err != nil {
		return Preview{}, fmt.Errorf("ask Blip for the templates: %w", err)
	}
	t, missing := pombo.FindTemplate(list, name, cmp.Or(row.Language, c.Blip.Language))
	if missing.Reason != pombo.NoReason {
		return Preview{}, &notFound{missing}
	}
	return draw(t, o.Params), nil
}

// notThere is a template that Blip does not have.
type notFound struct{ issue pombo.TemplateIssue }

func (e *notFound) Error() string { return e.issue.Message }
func (e *notFound) Hint() string  { return e.issue.Hint }
func (e *notFound) Unwrap() error { return pombo.ErrNotFound }

func rowOf(ctx context.Context, c config.Config, key string) (row pombo.Row, err error) {
	table, err := setup.OpenSource(ctx, setup.Source(c.Source))
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	return table.Row(ctx, key)
}

// draw fills a template.
func draw(t pombo.Template, params []pombo.Param) Preview {
	p := Preview{
		Template: t,
		Header:   pombo.Fill(t.HeaderText, pombo.At(params, pombo.HeaderText)),
		Body:     pombo.Fill(t.Body, pombo.At(params, pombo.Body)),
		Issues:   t.Check(t.Language, pombo.Slots(params)),
	}
	for _, place := range []pombo.Slot{pombo.HeaderImage, pombo.HeaderVideo, pombo.HeaderDocument} {
		if links := pombo.At(params, place); len(links) > 0 {
			p.Header = links[0]
		}
	}
	for i, b := range t.Buttons {
		place := pombo.Slot(fmt.Sprintf("button%d", i))
		does := pombo.Fill(b.URL, pombo.At(params, place))
		for _, more := range []pombo.Slot{place + "-payload", place + "-code"} {
			if values := pombo.At(params, more); len(values) > 0 {
				does = values[0]
			}
		}
		p.Buttons = append(p.Buttons, does)
	}
	for i, v := range params {
		if reason, detail := pombo.CheckParam(v); reason != pombo.NoReason {
			p.Issues = append(p.Issues, pombo.TemplateIssue{Reason: reason, Message: fmt.Sprintf("value %d (%s) %s", i+1, v.Slot, detail), Hint: reason.Hint()})
		}
	}
	return p
}
