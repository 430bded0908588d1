package blip

import (
	"context"
	"net/http"

	"pombo"
)

// Send posts one message, once. nil means that Blip answered 202: it has the
// message and nobody has read it yet. Otherwise the error is a *pombo.Error whose
// Reached decides what may follow: "no" and the same id may be sent again,
// "unknown" and Blip must be asked first (Receipts). There is no "yes": what Blip
// has taken is no error.
//
// The values of the parameters are taken as they are; whoever calls has checked
// them.
func (c *Client) Send(ctx context.Context, m pombo.Message) error {
	x := c.exchange()
	body, f := c.appendMessage(x.body, m)
	if f != nil {
		return f
	}
	x.body = body
	start := c.o.Now()
	f = c.send(ctx, x)
	c.metrics.observe(sendKind, c.o.Now().Sub(start), f)
	if f != nil {
		return f
	}
	return nil
}

func (c *Client) send(ctx context.Context, x *exchange) *pombo.Error {
	within, cancel := context.WithTimeout(ctx, c.o.Timeout)
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
