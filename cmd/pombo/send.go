package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pombo"
	"pombo/internal/api"
)

type sendCommand struct {
	Phone    string            `arg:"" help:"Phone number, in any spelling; - reads phone and values from the standard input, one a line."`
	Values   []string          `arg:"" optional:"" name:"value" help:"Values for {{1}}, {{2}}, … of the template."`
	Template string            `placeholder:"NAME" help:"Another template than TEMPLATE_NAME."`
	Slot     map[string]string `placeholder:"SLOT=VALUE" mapsep:"none" help:"A value for another slot: header, header-image, button0, …; see DB_COL_PARAMS. With - as the phone, SLOT=- reads it from the last lines, in the order of the slots' names."`
	Key      string            `placeholder:"KEY" help:"Makes the message unique: the same key again sends nothing and shows what is there."`
	Wait     bool              `default:"true" negatable:"" help:"Wait until it is known whether it went, at most ${sendTime} (default)."`
	JSON     bool              `help:"Print JSON."`
}

func (sendCommand) Help() string {
	return `It goes the same road as a row of the table, and is shown by list and show. Arguments can be seen by others on this machine (ps) and stay in the shell's history; the standard input does not.

Examples:

    pombo send "(31) 98888-0000" Maria "seu exame está pronto"
    pombo send --template exam_ready --key exam-4711 31988880000 Maria 4711
    pombo send - < message.txt`
}

// sendTime is how long send waits for an end; it is a variable of the help too.
const sendTime = 30 * time.Second

func (c sendCommand) Run(ctx context.Context, s *shell) error {
	row, err := c.row(ctx, s)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	n, added, err := client.Add(ctx, c.Key, row)
	if err != nil {
		return err
	}
	if !added {
		s.sayf("this key has been used: nothing is sent, this is what is there")
	}
	if c.Wait {
		if n, err = await(ctx, client, n); err != nil {
			return fmt.Errorf("notification %s is taken in, but how it goes on is not known: %w", n.ID, err)
		}
	}
	err = s.show(c.JSON, n, func() { s.summarize(n) })
	switch {
	case err != nil:
		return err
	case n.State.Sent():
		return nil
	case n.State.Open():
		s.sayf("it is not over yet: pombo show %s", n.ID)
		return nil
	default:
		return errShown
	}
}

// row puts the message together.
func (c sendCommand) row(ctx context.Context, s *shell) (pombo.Row, error) {
	recipient, values := c.Phone, c.Values
	if recipient == "-" {
		if len(values) > 0 {
			return pombo.Row{}, wrongUse(errors.New("with - the values come from the standard input"), "give all on the command line, or all on the standard input")
		}
		lines, err := s.readLines(ctx)
		if err != nil {
			return pombo.Row{}, err
		}
		for _, l := range lines {
			values = append(values, l.Reveal())
		}
		recipient, values = values[0], values[1:]
	}
	// From behind: the lines for slots follow on those for the text.
	slots := slices.Sorted(maps.Keys(c.Slot))
	for _, text := range slices.Backward(slots) {
		if c.Slot[text] != "-" || c.Phone != "-" {
			continue
		}
		if len(values) == 0 {
			return pombo.Row{}, wrongUse(fmt.Errorf("the standard input has no line for --slot %s=-", text), "write the values for slots on the last lines, in the order of the names of the slots")
		}
		c.Slot[text] = values[len(values)-1]
		values = values[:len(values)-1]
	}
	row := pombo.Row{Recipient: pombo.Private(recipient), Template: c.Template}
	for _, v := range values {
		row.Params = append(row.Params, pombo.Param{Slot: pombo.Body, Value: pombo.Private(v)})
	}
	for _, text := range slots {
		slot, err := pombo.ParseSlot(text)
		if err != nil {
			return pombo.Row{}, wrongUse(err, "")
		}
		row.Params = append(row.Params, pombo.Param{Slot: slot, Value: pombo.Private(c.Slot[text])})
	}
	return row, nil
}

// await asks until the notification is no longer open, or sendTime is over, or nothing
// can happen before then.
func await(ctx context.Context, client *api.Client, n api.Notification) (api.Notification, error) {
	end := time.Now().Add(sendTime)
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n.State.Open() && n.NotBefore.Before(end) {
		select {
		case <-limited.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
		story, err := client.Show(limited, n.ID)
		switch {
		case err == nil:
			n = story.Notification
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return n, nil
		default:
			return n, err
		}
	}
	return n, nil
}
