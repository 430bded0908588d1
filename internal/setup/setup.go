// Package setup turns the settings into the options of the rooms that need them, so
// that serve, doctor and the commands open the same table and the same Blip.
package setup

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http/httpproxy"

	"pombo"
	"pombo/internal/blip"
	"pombo/internal/config"
	"pombo/internal/events"
	"pombo/internal/fold"
	"pombo/internal/ledger"
	"pombo/internal/source"
)

// OpenSource opens the company's table. It does not connect yet, so what fails is a
// setting: the error is a *config.Error.
func OpenSource(ctx context.Context, o source.Options) (*source.Table, error) {
	table, err := source.Open(ctx, o)
	if err == nil {
		return table, nil
	}
	all := []error{err}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		all = several.Unwrap()
	}
	wrong := &config.Error{}
	for _, err := range all {
		p := config.Problem{Message: err.Error(), Hint: "correct the settings of the table"}
		if e, ok := errors.AsType[*source.TableError](err); ok && e.Hint != "" {
			p.Message, p.Hint = e.Op+": "+e.Err.Error(), e.Hint
		}
		wrong.Problems = append(wrong.Problems, p)
	}
	return nil, wrong
}

// Source turns the settings of the table into the options of package source.
func Source(c config.Source) source.Options {
	params := make([]source.Param, len(c.Params))
	for i, p := range c.Params {
		params[i] = source.Param{Slot: p.Place, Name: p.Name}
	}
	return source.Options{
		Drivers: Drivers,
		URL:     c.URL.Reveal(), User: c.User, Password: c.Password.Reveal(), DSN: c.DSN, TNSAdmin: c.TNSAdmin,
		Mapping: source.Mapping{
			Table: c.Table, RowKey: c.ColID, Phone: c.ColPhone, Status: c.ColStatus, Params: params,
			Template: c.ColTemplate, Language: c.ColLanguage, Priority: c.ColPriority, SendAfter: c.ColSendAfter, Expires: c.ColExpires,
			MessageID: c.ColMessageID, SentAt: c.ColSentAt, Error: c.ColError,
			Reminds: c.ColReminds, Reply: c.ColReply, ReplyAt: c.ColReplyAt,
			Where: c.Where, Pending: c.Pending, Codes: written(c), Zone: c.Zone,
		},
	}
}

// Blip turns the settings of the bot into the options of its client; r may be nil.
func Blip(c config.Config, r prometheus.Registerer) blip.Options {
	return blip.Options{
		Key: c.Blip.Key.Reveal(), URL: c.Blip.URL,
		Template: c.Blip.Template, Namespace: c.Blip.Namespace, Language: c.Blip.Language,
		Timeout:     c.Blip.Timeout,
		MasterState: c.Blip.MasterState, FlowID: c.Blip.FlowID, StateID: c.Blip.StateID,
		Proxy:       Proxy(c.Network),
		Connections: c.Dispatch.Workers,
		Registerer:  r,
	}
}

// Events returns the client for EVENTS_URL, which must be set.
func Events(c config.Config) (*events.Client, error) {
	return events.NewClient(c.Events.URL, c.Events.Secrets, Proxy(c.Network))
}

// Proxy returns what chooses the proxy of a request, for a http.Transport.
func Proxy(n config.Network) func(*http.Request) (*url.URL, error) {
	choose := (&httpproxy.Config{HTTPSProxy: n.Proxy.Reveal(), NoProxy: n.NoProxy}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
}

// Codes returns the status codes to write back, by state. A state without a code
// leaves the row as it is.
func Codes(c config.Source) map[pombo.State]string {
	m := map[pombo.State]string{}
	for state, code := range map[pombo.State]string{
		pombo.Accepted: c.Sent, pombo.Failed: c.Failed, pombo.Delivered: c.Delivered, pombo.Read: c.Read,
		pombo.Expired: cmp.Or(c.Expired, c.Failed), pombo.Suppressed: cmp.Or(c.Suppressed, c.Failed),
	} {
		if code != "" {
			m[state] = code
		}
	}
	return m
}

// written returns every code that is written, once.
func written(c config.Source) []string {
	list := slices.Collect(maps.Values(Codes(c)))
	if c.Fallback != "" {
		list = append(list, c.Fallback)
	}
	for _, r := range c.ReplyCodes {
		list = append(list, r.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Replies returns what the ledger does with answers.
func Replies(c config.Config) ledger.ReplyOptions {
	o := ledger.ReplyOptions{
		Codes:   map[string]string{},
		Columns: c.Source.ColReply != "" || c.Source.ColReplyAt != "",
		Last:    c.Replies.Last, Within: c.Replies.Within, Reminders: c.Source.ColReminds != "",
	}
	for _, r := range c.Source.ReplyCodes {
		o.Codes[r.Answer] = r.Code
	}
	return o
}

// Payload reports of a button whether it is to name its message when it is pressed; nil when
// REPLY_PAYLOAD is off. One whose label ends all messages does not: that word has to come back.
func Payload(c config.Config) func(pombo.Button) bool {
	if !c.Replies.Payload {
		return nil
	}
	optOut := map[string]bool{}
	for _, word := range c.API.OptOutWords {
		optOut[fold.Text(word)] = true
	}
	return func(b pombo.Button) bool { return !optOut[fold.Text(b.Text)] }
}

// Slots returns the slots of the template that DB_COL_PARAMS fills.
func Slots(c config.Source) []pombo.Slot {
	list := make([]pombo.Slot, len(c.Params))
	for i, p := range c.Params {
		list[i] = p.Place
	}
	return list
}
