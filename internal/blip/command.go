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

// Whom commands go to.
const (
	whatsapp = "postmaster@wa.gw.msging.net" // the gateway to WhatsApp
	server   = "postmaster@msging.net"       // Blip itself
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

// answered is the envelope that answers a command. encoding/json matches names
// without regard to case, which some of Blip's services mix.
type answered struct {
	Status   loose  `json:"status"`
	Resource any    `json:"resource"` // where the caller wants it
	Reason   spoken `json:"reason"`
}

// spoken is LIME's reason: in a failed command, in a failed receipt, or alone in
// the body of a bad request.
type spoken struct {
	Code        loose `json:"code"`
	Description loose `json:"description"`
}

// reason translates. A number that is not a code is taken for none, for codes are
// shown and a part of a phone must not be: besides the known ones there are LIME's,
// which are short, and Meta's own block.
func (s spoken) reason() reason {
	n, err := strconv.Atoi(string(s.Code))
	if err != nil || n < 0 || n > 999 && n/10_000 != 13 && !isChannel(n) {
		n = 0
	}
	return reason{code: n, text: string(s.Description)}
}

// loose reads text where Blip may write a string or a number. Anything else
// reads as "".
type loose string

// UnmarshalJSON never fails: one odd field must not hide the others.
func (l *loose) UnmarshalJSON(b []byte) error {
	*l = ""
	switch {
	case b[0] == '"':
		if bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b) {
			*l = loose(b[1 : len(b)-1]) // nearly always: nothing to unescape
			return nil
		}
		var s string
		if json.Unmarshal(b, &s) == nil {
			*l = loose(s)
		}
	case b[0] == '-' || isDigit(b[0]):
		*l = loose(b)
	}
	return nil
}

// decode reads JSON as far as it fits v. Fields of another kind than expected
// are left out; false means that it is no JSON at all. encoding/json's own error
// is not passed on, since it quotes what it read.
func decode(b []byte, v any) bool {
	err := json.Unmarshal(b, v)
	if err == nil {
		return true
	}
	_, odd := err.(*json.UnmarshalTypeError) //nolint:errorlint // Unmarshal returns it bare
	return odd
}

// parseReason reads the reason that the body of a refusal may hold, alone or in
// an envelope. The zero reason means none.
func parseReason(body []byte) reason {
	var v struct {
		spoken
		Reason spoken `json:"reason"`
	}
	if len(body) == 0 || !decode(body, &v) {
		return reason{}
	}
	if v.Reason != (spoken{}) {
		return v.Reason.reason()
	}
	return v.reason()
}

// command sends one command and reads the resource of its answer as far
// as it fits what into points to. The error is a *pombo.Error; its Reached is "no", for a command is no
// message and may be repeated.
func (c *Client) command(ctx context.Context, cmd command, into any) error {
	start := c.o.Now()
	f := c.ask(ctx, cmd, into)
	c.metrics.observe(cmd.kind, c.o.Now().Sub(start), f)
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
	x.body = appendCommand(x.body, c.o.NewID(), cmd)
	within, cancel := context.WithTimeout(ctx, c.o.Timeout)
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
		return useless(phaseForeign, "the answer is no LIME envelope: something else than Blip answered")
	}
	if !strings.EqualFold(string(env.Status), "success") {
		return failure(cmd, env.Reason.reason())
	}
	return nil
}

// notFound is LIME's "the resource was not found".
const notFound = 67

// failure makes the error of a command that Blip answered with "failure". Where
// Blip looked and found nothing, the error is pombo.ErrNotFound as well.
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

// Identity asks Blip what it calls a phone. Since Meta took the check away, Blip
// answers for any number that looks like one, whether it has WhatsApp or not. The
// answer holds for seven days; asking for many numbers without writing to them can
// get a bot banned.
//
// Reason NotOnWhatsApp means that Blip knows no such account.
func (c *Client) Identity(ctx context.Context, n phone.Number) (string, error) {
	if n.IsZero() {
		return "", notSent(pombo.InvalidPhone, "there is no phone number to ask for")
	}
	var account struct {
		AlternativeAccount loose `json:"alternativeAccount"`
		Identity           loose `json:"identity"`
	}
	err := c.command(ctx, command{
		kind: identityKind, to: whatsapp, method: "get",
		uri: "lime://wa.gw.msging.net/accounts/" + n.E164(), // without the + Blip says success to anything
	}, &account)
	if err != nil {
		return "", err
	}
	for _, identity := range []loose{account.AlternativeAccount, account.Identity} {
		if strings.Contains(string(identity), "@") {
			return string(identity), nil
		}
	}
	return "", useless(phaseLacking, "Blip's answer names no identity")
}

// redirect is one command that puts a person into a place of the bot.
type redirect struct{ name, value string }

// redirects are in the order of Blip's help: first the sub-bot, then the block in it.
func redirects(o Options) (list []redirect) {
	if o.MasterState != "" {
		list = append(list, redirect{"Master-State", o.MasterState})
	}
	if o.FlowID != "" {
		list = append(list, redirect{"stateid@" + o.FlowID, o.StateID})
	}
	return list
}

// RedirectReply makes one of the commands, of which there are Redirects(), that put
// the person into the configured place of the bot, where the next reply lands. They
// are made in their order, from step 0, and each may be repeated.
func (c *Client) RedirectReply(ctx context.Context, identity string, step int) error {
	r := c.redirects[step]
	return c.command(ctx, command{
		kind: landKind, to: server, method: "set", uri: "/contexts/" + url.PathEscape(identity) + "/" + r.name,
		resource: r.value,
	}, &struct{}{})
}
