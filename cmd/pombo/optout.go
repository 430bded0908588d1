package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"pombo"
	"pombo/internal/api"
)

type optoutCommand struct {
	List   optoutListCommand   `cmd:"" help:"List them, the latest first."`
	Add    optoutAddCommand    `cmd:"" help:"Send these phones no more messages."`
	Remove optoutRemoveCommand `cmd:"" help:"Send these phones messages again."`
}

type optoutListCommand struct {
	Limit  int    `default:"50" placeholder:"N" help:"At most so many, up to 1000 (${default})."`
	Cursor string `placeholder:"CURSOR" help:"Go on behind an earlier list, which names its cursor."`
	JSON   bool   `help:"Print JSON."`
}

func (optoutListCommand) Help() string {
	return `Phones are masked. One without a phone wrote to the bot, and only Blip's name of the person is known.

Examples:

    pombo optout list
    pombo optout list --json --limit 1000`
}

func (c optoutListCommand) Run(ctx context.Context, s *shell) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	list, err := client.OptOuts(ctx, c.Cursor, c.Limit)
	if err != nil {
		return err
	}
	return s.show(c.JSON, list, func() {
		g := newGrid("phone", "scope", "since", "by")
		for _, o := range list.OptOuts {
			g.add(cmp.Or(o.Phone, "(known to Blip)"), o.Scope, clock(o.At), o.By)
		}
		s.printPage(g, list.NextCursor)
	})
}

type optoutAddCommand struct {
	Phones    []pombo.Private `arg:"" name:"phone" help:"Phone numbers, in any spelling; - reads them from the standard input, one a line."`
	Marketing bool            `help:"Only messages of marketing templates; those of other categories still go."`
	JSON      bool            `help:"Print JSON."`
}

func (optoutAddCommand) Help() string {
	return `What waits for them ends as suppressed; what has left cannot be called back. Arguments can be seen by others on this machine (ps); the standard input does not.

Examples:

    pombo optout add "(31) 98888-0000"
    pombo optout add - < phones.txt`
}

func (c optoutAddCommand) Run(ctx context.Context, s *shell) error {
	scope := pombo.OptOutAll
	if c.Marketing {
		scope = pombo.OptOutMarketing
	}
	return s.changeOptOuts(ctx, c.Phones, c.JSON, func(client *api.Client, ctx context.Context, phone pombo.Private) (api.OptOutChange, error) {
		return client.OptOut(ctx, phone, scope)
	})
}

type optoutRemoveCommand struct {
	Phones []pombo.Private `arg:"" name:"phone" help:"Phone numbers, in any spelling; - reads them from the standard input, one a line."`
	JSON   bool            `help:"Print JSON."`
}

func (optoutRemoveCommand) Help() string {
	return `For a person who asked to get messages again. What was suppressed stays so: pombo retry, if it is still wanted.

Examples:

    pombo optout remove "(31) 98888-0000"`
}

func (c optoutRemoveCommand) Run(ctx context.Context, s *shell) error {
	return s.changeOptOuts(ctx, c.Phones, c.JSON, (*api.Client).OptIn)
}

// optOutChanged is the result of changing one phone. A phone that could not be read is
// identified by its position and not repeated.
type optOutChanged struct {
	Position int    `json:"position"` // among those given, from 1
	OK       bool   `json:"ok"`
	Phone    string `json:"phone,omitempty"` // masked
	OptedOut bool   `json:"opted_out"`
	Error    string `json:"error,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// changeOptOuts makes the same change to several phones. A failure does not stop the
// others, but fails the command.
func (s *shell) changeOptOuts(ctx context.Context, phones []pombo.Private, asJSON bool, change func(*api.Client, context.Context, pombo.Private) (api.OptOutChange, error)) error {
	if len(phones) == 1 && phones[0] == "-" {
		var err error
		if phones, err = s.readPhones(ctx); err != nil {
			return err
		}
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	results := make([]optOutChanged, 0, len(phones))
	var failed error
	for i, phone := range phones {
		done, err := change(client, ctx, phone)
		if err != nil {
			failed = errShown
			results = append(results, optOutChanged{Position: i + 1, Error: err.Error(), Hint: hintOf(err)})
			continue
		}
		results = append(results, optOutChanged{Position: i + 1, OK: true, Phone: done.Phone, OptedOut: done.OptedOut})
	}
	err = s.show(asJSON, results, func() {
		for _, r := range results {
			switch {
			case !r.OK:
				s.sayFailed(fmt.Sprintf("phone %d of %d", r.Position, len(results)), r.Error, r.Hint)
			case r.OptedOut:
				s.printf("%s  gets no more messages\n", r.Phone)
			default:
				s.printf("%s  gets messages again\n", r.Phone)
			}
		}
	})
	return cmp.Or(err, failed)
}

// readPhones reads the standard input, one phone a line.
func (s *shell) readPhones(ctx context.Context) (phones []pombo.Private, err error) {
	lines, err := s.readLines(ctx)
	return slices.DeleteFunc(lines, func(l pombo.Private) bool { return strings.TrimSpace(l.Reveal()) == "" }), err
}
