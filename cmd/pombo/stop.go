package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"pombo/internal/api"
)

type stopCommand struct {
	Wait time.Duration `default:"45s" placeholder:"SPAN" help:"How long to wait for its end (${default}); 0 = not at all."`
	JSON bool          `help:"Print JSON."`
}

func (stopCommand) Help() string {
	return `It stops as on Ctrl+C, from wherever the API can be asked: nothing more is taken in, the answers to what was sent are waited for and recorded. The command returns when the process has ended, with 0 if everything ended in order. A service manager does not start Pombo again after it; pombo service start does.

Examples:

    pombo stop
    pombo stop --wait 2m
    pombo stop --wait 0`
}

func (c stopCommand) Run(ctx context.Context, s *shell) error {
	if c.Wait < 0 {
		return wrongUse(fmt.Errorf("--wait is %s, which is less than nothing", c.Wait), "write a time span such as 45s, or 0 not to wait")
	}
	client, err := s.patientClient(cmp.Or(c.Wait, askTime))
	if err != nil {
		return err
	}
	stop, err := client.Stop(ctx, c.Wait > 0)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return hinted{fmt.Errorf("it has not ended within %s", c.Wait), "see its log; it goes on stopping, and is given up after 30 seconds"}
	}
	if err != nil {
		return err
	}
	if err := s.show(c.JSON, stop, func() { s.printf("%s\n", stopSentence(stop)) }); err != nil {
		return err
	}
	if stop.State == api.Stopped && !stop.InOrder {
		return errShown
	}
	return nil
}

func stopSentence(stop api.Stop) string {
	took := (time.Duration(stop.DurationMS) * time.Millisecond).Round(10 * time.Millisecond)
	switch {
	case stop.State != api.Stopped:
		return "Pombo is stopping"
	case !stop.InOrder:
		return fmt.Sprintf("Pombo has stopped after %s, but not in order: %s", took, unbroken(stop.Detail))
	default:
		return fmt.Sprintf("Pombo has stopped in order, in %s", took)
	}
}
