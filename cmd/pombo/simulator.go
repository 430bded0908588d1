package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"pombo/internal/blipsim"
	"pombo/internal/demo"
	"pombo/internal/loopback"
)

// simulatorCommand has a flag for every knob of blipsim.Options and Faults, by
// the same names.
type simulatorCommand struct {
	Addr string `default:"127.0.0.1:5100" placeholder:"HOST:PORT" help:"Where to listen, on this machine only (${default})."`

	Key                    string        `placeholder:"KEY" help:"The one key that is accepted; without it every key is."`
	Template               []string      `sep:"none" placeholder:"NAME=BODY" help:"One more template, approved, in pt_BR: --template \"exame=Olá {{1}}: {{2}}\". May be repeated."`
	Scripts                bool          `help:"Numbers that end in 0001 to 0024 behave as listed above."`
	Latency                time.Duration `placeholder:"SPAN" help:"How long every answer takes."`
	Seed                   uint64        `placeholder:"N" help:"Makes chance repeatable."`
	MessagesPerSecond      int           `placeholder:"N" help:"Limit for messages, 0 = none; Blip has 50 on paid plans, 3 on free ones."`
	CommandsPerSecond      int           `placeholder:"N" help:"Limit for commands, 0 = none; Blip has 200, or 48."`
	NotificationsPerSecond int           `placeholder:"N" help:"Limit for notifications that are posted, 0 = none; Blip has 100, or 6."`
	RatePenalty            time.Duration `default:"2m" placeholder:"SPAN" help:"How long everything is 429 past a limit (${default})."`
	RetryAfter             bool          `help:"Add a Retry-After header to each 429."`
	KeepMessages           int           `default:"100000" placeholder:"N" help:"How many messages are kept for the page (${default}); negative = none."`

	MediaExpiry time.Duration `placeholder:"SPAN" help:"How long uploaded documents can be fetched; 0 = 30m."`

	AcceptedAfter   time.Duration `group:"receipts" placeholder:"SPAN" help:"From a message to its receipt accepted; 0 = 20ms."`
	DispatchedAfter time.Duration `group:"receipts" placeholder:"SPAN" help:"To dispatched; 0 = 200ms."`
	ReceivedAfter   time.Duration `group:"receipts" placeholder:"SPAN" help:"To received; 0 = 1s."`
	ConsumedAfter   time.Duration `group:"receipts" placeholder:"SPAN" help:"To consumed (read); 0 = 3s."`
	FailedAfter     time.Duration `group:"receipts" placeholder:"SPAN" help:"To failed; 0 = 1s."`
	ReadRate        float64       `group:"receipts" default:"0.4" placeholder:"RATE" help:"Share of the received messages that are read (${default}); negative = none."`
	AnswerRate      float64       `group:"receipts" placeholder:"RATE" help:"Share of the received messages with quick replies of which one is pressed."`
	AnswerAfter     time.Duration `group:"receipts" placeholder:"SPAN" help:"From received to the person's answer; 0 = 2s."`
	OldPresses      bool          `group:"receipts" help:"The press of a button comes as a text, as in 2023."`
	Webhook         string        `group:"receipts" placeholder:"URL" help:"Where each receipt is posted; without it receipts can only be asked for."`
	MessageWebhook  string        `group:"receipts" placeholder:"URL" help:"Where each answer of a person is posted; without it answers can only be found in the conversation."`
	DataFeed        bool          `group:"receipts" help:"The bot's own messages are posted there too, as Blip's data feed does."`
	WebhookHeader   string        `group:"receipts" placeholder:"NAME: VALUE" help:"One more header for those posts."`
	WebhookRetries  int           `group:"receipts" placeholder:"N" help:"How often a post that got no 2xx is tried again."`

	CutBeforeRead         float64       `group:"faults" placeholder:"RATE" help:"The connection is closed, nothing is taken."`
	CutAfterAccept        float64       `group:"faults" placeholder:"RATE" help:"The message is taken, the connection closed without an answer."`
	Hang                  float64       `group:"faults" placeholder:"RATE" help:"No answer until the client gives up."`
	Error502              float64       `name:"error-502" group:"faults" placeholder:"RATE" help:"502."`
	Error503              float64       `name:"error-503" group:"faults" placeholder:"RATE" help:"503, never taken."`
	Error504              float64       `name:"error-504" group:"faults" placeholder:"RATE" help:"504."`
	Throttle              float64       `group:"faults" placeholder:"RATE" help:"429 once."`
	Slow                  float64       `group:"faults" placeholder:"RATE" help:"Answered late."`
	TakenAnyway           float64       `group:"faults" placeholder:"RATE" help:"Share of the hung, the 502 and the 504 that were taken all the same."`
	SlowFor               time.Duration `group:"faults" placeholder:"SPAN" help:"How late slow is; 0 = 3s."`
	Error504After         time.Duration `name:"error-504-after" group:"faults" placeholder:"SPAN" help:"How long a 504 takes."`
	Most                  int           `group:"faults" placeholder:"N" help:"End the faults above after so many; 0 = they go on."`
	Commands              bool          `group:"faults" help:"The faults above hit commands too."`
	SpareMessages         bool          `group:"faults" help:"The faults above do not hit messages."`
	UploadsFail           int           `group:"faults" placeholder:"N" help:"So many uploads of documents get 503 first."`
	EmptyBody400          bool          `name:"empty-body-400" group:"faults" help:"A refusal has no body."`
	UnauthorizedAfter     int           `group:"faults" placeholder:"N" help:"The key is disabled after so many messages; 0 = never."`
	FailAll               int           `group:"faults" placeholder:"CODE" help:"Every message fails with this code of WhatsApp after it was taken."`
	LegacyAccounts        bool          `group:"faults" help:"Look-ups fail for numbers without WhatsApp, as before 2023 (with --scripts)."`
	IdentitiesAsGUID      bool          `name:"identities-as-guid" group:"faults" help:"Identities are {guid}@wa.gw.msging.net."`
	WrappedReasons        bool          `group:"faults" help:"WhatsApp's codes come as code 81 with the code in the text."`
	NotificationsNotFound bool          `group:"faults" help:"Asking for an unknown id fails with 67."`
	DuplicateEvents       float64       `group:"faults" placeholder:"RATE" help:"A receipt comes twice."`
	Reorder               bool          `group:"faults" help:"Receipts come in any order."`
	ForwardedIDs          float64       `name:"forwarded-ids" group:"faults" placeholder:"RATE" help:"A receipt's id begins with fwd:."`
	TunnelFrom            bool          `group:"faults" help:"Receipts come from a tunnel's address."`
	StopAfter             string        `group:"faults" enum:",nothing,accepted,dispatched,received,consumed,failed" default:"" placeholder:"EVENT" help:"No receipt comes after this one: nothing, accepted, dispatched or received."`
}

func (simulatorCommand) Help() string {
	return `It answers POST /messages, /commands and /notifications as Blip does and shows on its page what it took. Nothing that is sent to it reaches anybody, so it refuses to listen where other machines could take it for Blip.

With --scripts numbers that end in these digits behave so, whatever the rates say:

    0001  not on WhatsApp                0010  the first POST hangs, not taken
    0002  the 24 hour window is closed   0011  the first POST gets 502, not taken
    0003  WhatsApp's marketing cap       0012  the first POST gets 503, not taken
    0004  opted out                      0013  the first POST gets 504, taken
    0005  too many to one person         0014  the answer takes 3 s
    0006  in an experiment of WhatsApp's 0015  accepted, then never a word more
    0007  code 86 after 60 s             0016  the first POST gets 429
    0008  first POST taken, answer cut   0017  every POST is refused with 400
    0009  first POST cut, not taken      0018  presses the first quick reply
    0019  presses the second one         0020  writes a text
    0021  quotes the message             0022  reacts with an emoji
    0023  withdraws a reaction           0024  sends a picture

Examples:

    pombo simulator
    pombo simulator --scripts --latency 50ms
    pombo simulator --scripts --answer-rate 0.5 --message-webhook http://127.0.0.1:5000/blip/messages/SECRET
    pombo simulator --cut-after-accept 0.05 --error-502 0.05 --most 20 --seed 7`
}

// options turns the flags into the simulator's own.
func (c *simulatorCommand) options() (blipsim.Options, error) {
	o := blipsim.Options{
		Key: c.Key, Latency: c.Latency, Seed: c.Seed,
		MessagesPerSecond: c.MessagesPerSecond, CommandsPerSecond: c.CommandsPerSecond, NotificationsPerSecond: c.NotificationsPerSecond,
		RatePenalty: c.RatePenalty, RetryAfter: c.RetryAfter, KeepMessages: c.KeepMessages, MediaExpiry: c.MediaExpiry,
		AcceptedAfter: c.AcceptedAfter, DispatchedAfter: c.DispatchedAfter, ReceivedAfter: c.ReceivedAfter,
		ConsumedAfter: c.ConsumedAfter, FailedAfter: c.FailedAfter, ReadRate: c.ReadRate,
		AnswerRate: c.AnswerRate, AnswerAfter: c.AnswerAfter, OldPresses: c.OldPresses, MessageWebhook: c.MessageWebhook, DataFeed: c.DataFeed,
		Webhook: c.Webhook, WebhookHeader: c.WebhookHeader, WebhookRetries: c.WebhookRetries,
		Templates: blipsim.DefaultTemplates(),
		Faults: blipsim.Faults{
			CutBeforeRead: c.CutBeforeRead, CutAfterAccept: c.CutAfterAccept, Hang: c.Hang,
			Error502: c.Error502, Error503: c.Error503, Error504: c.Error504, Throttle: c.Throttle, Slow: c.Slow,
			TakenAnyway: c.TakenAnyway, SlowFor: c.SlowFor, Error504After: c.Error504After, Most: c.Most,
			Commands: c.Commands, SpareMessages: c.SpareMessages,
			UploadsFail: c.UploadsFail, EmptyBody400: c.EmptyBody400, UnauthorizedAfter: c.UnauthorizedAfter, LegacyAccounts: c.LegacyAccounts,
			IdentitiesAsGUID: c.IdentitiesAsGUID, WrappedReasons: c.WrappedReasons,
			NotificationsNotFound: c.NotificationsNotFound, DuplicateEvents: c.DuplicateEvents, Reorder: c.Reorder,
			ForwardedIDs: c.ForwardedIDs, TunnelFrom: c.TunnelFrom, StopAfter: blipsim.Event(c.StopAfter),
		},
	}
	for _, rate := range []struct {
		flag  string
		value float64
	}{
		{"cut-before-read", c.CutBeforeRead}, {"cut-after-accept", c.CutAfterAccept}, {"hang", c.Hang},
		{"error-502", c.Error502}, {"error-503", c.Error503}, {"error-504", c.Error504}, {"throttle", c.Throttle}, {"slow", c.Slow},
		{"taken-anyway", c.TakenAnyway}, {"duplicate-events", c.DuplicateEvents}, {"forwarded-ids", c.ForwardedIDs}, {"read-rate", max(c.ReadRate, 0)}, {"answer-rate", c.AnswerRate},
	} {
		if !(rate.value >= 0 && rate.value <= 1) { // NaN too
			return o, wrongUse(fmt.Errorf("--%s is %v", rate.flag, rate.value), "write a share from 0 to 1, such as 0.05")
		}
	}
	if c.ReadRate == 0 {
		o.ReadRate = -1 // there 0 means the default; on the command line it means none
	}
	if c.Scripts {
		o.Scripts = blipsim.DefaultScripts()
	}
	if c.FailAll != 0 {
		o.Scripts = map[string]blipsim.Behaviour{"": {Reason: c.FailAll}}
	}
	for _, t := range c.Template {
		name, body, ok := strings.Cut(t, "=")
		if name = strings.TrimSpace(name); !ok || name == "" || body == "" {
			return o, wrongUse(fmt.Errorf("--template %q is not NAME=BODY", t), `write --template "exame=Olá {{1}}: {{2}}"`)
		}
		o.Templates = append(o.Templates, blipsim.Template{Name: name, Body: body})
	}
	return o, nil
}

func (c *simulatorCommand) Run(ctx context.Context, s *shell) error {
	if err := checkLoopback(c.Addr); err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	sim, err := blipsim.Listen(ctx, c.Addr, o)
	if err != nil {
		return hinted{err, "choose another --addr, or stop the program that has it"}
	}
	s.printf(`A pretend Blip at %[1]s; open it in a browser to see what it took.
Nothing that is sent to it reaches anybody. In .env:

    BLIP_URL=%[1]s
    KEYBLIP=%[2]s
    TEMPLATE_NAME=notificacao

Ctrl+C ends it.
`, sim.URL, keyToShow(c.Key))
	return sim.Wait(ctx)
}

// keyToShow is a key to try with; one that was given is not repeated.
func keyToShow(given string) string {
	if given != "" {
		return "(the one of --key)"
	}
	return demo.Key
}

// checkLoopback refuses an address that other machines could reach.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return wrongUse(fmt.Errorf("--addr is %q", addr), "write host:port, such as 127.0.0.1:5100")
	}
	if loopback.Host(host) {
		return nil
	}
	return wrongUse(fmt.Errorf("--addr is %q, which other machines could reach and take for Blip", addr), "write 127.0.0.1 and the port")
}
