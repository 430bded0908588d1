package blip

import (
	"context"
	"net/http"

	"pombo"
)

// Send posts one message, once. nil means that Blip answered 202: it has accepted the
// message. Otherwise the error is a *pombo.Error whose Delivery decides what may
// follow: after NotSent the same id may be sent again, after MaybeSent Blip must be
// asked first (Receipts).
//
// The caller has checked the values of the parameters.
func (c *Client) Send(ctx context.Context, m pombo.Message) error {
	x := c.exchange()
	body, f := c.appendMessage(x.body, m)
	if f != nil {
		return f
	}
	x.body = body
	start := c.opts.Now()
	ctx, span := c.span(ctx, sendKind, c.messages)
	f = c.send(ctx, x)
	ended(span, f)
	c.metrics.observe(sendKind, c.opts.Now().Sub(start), f)
	if f != nil {
		return f
	}
	return nil
}

func (c *Client) send(ctx context.Context, x *exchange) *pombo.Error {
	within, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	a, p, err := c.post(within, c.messages, x, 1<<20)
	if err == nil {
		c.release(x)
	}
	switch {
	case a.status == http.StatusAccepted:
		return nil
	case a.status != 0:
		return refused(a)
	default:
		return broke(ctx, p, err)
	}
}
