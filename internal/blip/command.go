package blip

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"pombo"
	"pombo/internal/phone"
)

// Recipients of commands.
const (
	whatsapp = "postmaster@wa.gw.msging.net" // the gateway to WhatsApp
	server   = "postmaster@msging.net"       // Blip itself
	mediaBox = "postmaster@media.msging.net" // its store of media
)

// command is one LIME command. A resource makes it a set.
type command struct {
	kind     kind
	to       string
	method   string
	uri      string
	resource string // text/plain; "" = none
	limit    int64  // of the answer's body; 0 = 1 MiB
}

// answered is the envelope that answers a command. encoding/json ignores the case of
// names, which some of Blip's services mix.
type answered struct {
	Status   flexString `json:"status"`
	Resource any        `json:"resource"` // where the caller wants it
	Reason   limeReason `json:"reason"`
}

// limeReason is LIME's reason: in a failed command, in a failed receipt, or alone in
// the body of a bad request.
type limeReason struct {
	Code        flexString `json:"code"`
	Description flexString `json:"description"`
}

// reason translates. A number that is not a code becomes 0, because codes are shown
// and a part of a phone must not be: besides the known codes there are LIME's, which
// are short, and Meta's own block.
func (s limeReason) reason() reason {
	n, err := strconv.Atoi(string(s.Code))
	if err != nil || n < 0 || n > 999 && n/10_000 != 13 && !isChannel(n) {
		n = 0
	}
	return reason{code: n, text: string(s.Description)}
}

// flexString reads text where Blip may write a string or a number. Anything else
// reads as "".
type flexString string

// UnmarshalJSON never fails: one odd field must not hide the others.
func (l *flexString) UnmarshalJSON(b []byte) error {
	*l = ""
	switch {
	case b[0] == '"':
		if bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b) {
			*l = flexString(b[1 : len(b)-1]) // nearly always: nothing to unescape
			return nil
		}
		var s string
		if json.Unmarshal(b, &s) == nil {
			*l = flexString(s)
		}
	case b[0] == '-' || isDigit(b[0]):
		*l = flexString(b)
	}
	return nil
}

// decode decodes JSON as far as it fits v. It skips fields of an unexpected kind;
// false means that b is not JSON at all. encoding/json's own error is not passed on,
// since it quotes its input.
func decode(b []byte, v any) bool {
	err := json.Unmarshal(b, v)
	if err == nil {
		return true
	}
	_, odd := err.(*json.UnmarshalTypeError) //nolint:errorlint // Unmarshal returns it bare
	return odd
}

// parseReason returns the reason in the body of a refusal, alone or in an envelope;
// the zero reason when there is none.
func parseReason(body []byte) reason {
	var v struct {
		limeReason
		Reason limeReason `json:"reason"`
	}
	if len(body) == 0 || !decode(body, &v) {
		return reason{}
	}
	if v.Reason != (limeReason{}) {
		return v.Reason.reason()
	}
	return v.reason()
}

// command sends one command and decodes the resource of its answer into what into
// points to, as far as it fits. The error is a *pombo.Error whose Delivery is
// NotSent: a command is not a message and may be repeated.
func (c *Client) command(ctx context.Context, cmd command, into any) error {
	start := c.opts.Now()
	ctx, span := c.span(ctx, cmd.kind, c.commands)
	f := c.ask(ctx, cmd, into)
	ended(span, f)
	c.metrics.observe(cmd.kind, c.opts.Now().Sub(start), f)
	if f != nil {
		return forCommand(f)
	}
	return nil
}

func (c *Client) ask(ctx context.Context, cmd command, into any) *pombo.Error {
	limit := cmd.limit
	if limit == 0 {
		limit = 1 << 20
	}
	x := c.exchange()
	x.body = appendCommand(x.body, c.opts.NewID(), cmd)
	within, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	a, p, err := c.post(within, c.commands, x, limit)
	if err == nil {
		c.release(x)
	}
	switch {
	case a.status != 0 && a.status != http.StatusOK:
		return refused(a)
	case err != nil:
		f := broke(ctx, p, err)
		if ctx.Err() == context.Canceled {
			f.Reason = pombo.Interrupted
		}
		return f
	}

	env := answered{Resource: into}
	if !decode(a.body, &env) || env.Status == "" {
		return useless(phaseForeign, "the answer is not a LIME envelope: something other than Blip answered")
	}
	if !strings.EqualFold(string(env.Status), "success") {
		return failure(cmd, env.Reason.reason())
	}
	return nil
}

// notFound is LIME's "the resource was not found".
const notFound = 67

// failure returns the error of a command that Blip answered with "failure". Where
// Blip looked and found nothing, it wraps pombo.ErrNotFound.
func failure(cmd command, r reason) *pombo.Error {
	d, code := decideReason(r)
	if cmd.kind == identityKind && code == r.code {
		if other, ok := decisions[cause{asked, code}]; ok {
			d = other
		}
	}
	f := d.fault()
	f.Code = code
	if r.explain() == (cause{lime, notFound}) {
		f.Err = pombo.ErrNotFound
	}
	f.Detail = "code " + strconv.Itoa(code)
	if t := known(r.text); t != "" {
		f.Detail += ": " + t
	}
	return f
}

// Identity returns Blip's name for a phone. Since Meta removed the check, Blip
// answers for any number of the right form, whether it is on WhatsApp or not. The
// answer is valid for seven days; looking up many numbers without writing to them
// can get a bot banned.
//
// Reason NotOnWhatsApp means that Blip knows no such account.
func (c *Client) Identity(ctx context.Context, n phone.Number) (string, error) {
	if n.IsZero() {
		return "", unsendable(pombo.InvalidPhone, "there is no phone number to look up")
	}
	var account struct {
		AlternativeAccount flexString `json:"alternativeAccount"`
		Identity           flexString `json:"identity"`
	}
	err := c.command(ctx, command{
		kind: identityKind, to: whatsapp, method: "get",
		uri: "lime://wa.gw.msging.net/accounts/" + n.E164(), // without the + Blip answers success to anything
	}, &account)
	if err != nil {
		return "", err
	}
	for _, identity := range []flexString{account.AlternativeAccount, account.Identity} {
		if strings.Contains(string(identity), "@") {
			return string(identity), nil
		}
	}
	return "", useless(phaseLacking, "Blip's answer has no identity")
}

// redirect is one command that moves a person's conversation to a state of the bot.
type redirect struct{ name, value string }

// redirects are in the order of Blip's help: first the sub-bot, then the block in it.
func redirects(opts Options) (list []redirect) {
	if opts.MasterState != "" {
		list = append(list, redirect{"Master-State", opts.MasterState})
	}
	if opts.FlowID != "" {
		list = append(list, redirect{"stateid@" + opts.FlowID, opts.StateID})
	}
	return list
}

// RedirectReply sends one of the Redirects() commands that send the person's next
// reply to the configured state of the bot. The caller sends them in order, from step
// 0; each may be repeated.
func (c *Client) RedirectReply(ctx context.Context, identity string, step int) error {
	r := c.redirects[step]
	return c.command(ctx, command{
		kind: redirectKind, to: server, method: "set", uri: "/contexts/" + url.PathEscape(identity) + "/" + r.name,
		resource: r.value,
	}, &struct{}{})
}
