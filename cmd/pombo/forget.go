package main

import (
	"context"
	"errors"
)

type forgetCommand struct {
	Phone string `arg:"" placeholder:"PHONE" help:"The person's phone, in any spelling; - reads it from the standard input."`
	Yes   bool   `help:"Erase; without it they are only counted."`
	JSON  bool   `help:"Print JSON."`
}

func (forgetCommand) Help() string {
	return `It erases from the ledger the phone and the message of every notification to a person, and what Blip calls the phone. Notifications that wait are cancelled first. Keys, states and times stay: no row is sent again, and counts stay what they were.

The company's table, Blip and backups are not touched. The log has no phone in clear. The wish to get no messages is kept, for it must be respected. Arguments can be seen by others on this machine (ps) and stay in the shell's history; the standard input does not.

Examples:

    pombo forget "(31) 98888-0000"
    echo +5531988880000 | pombo forget --yes -`
}

func (c forgetCommand) Run(ctx context.Context, s *shell) error {
	phone, err := s.readPhone(ctx, c.Phone)
	if err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	f, err := client.Forget(ctx, phone, c.Yes)
	if err != nil {
		return err
	}
	err = s.show(c.JSON, f, func() {
		s.printf("notifications to this phone: %d, of which %d wait to be sent and %d are being sent\n", f.Notifications, f.Open, f.InFlight)
		switch {
		case c.Yes:
			s.printf("erased: %d\n", f.Erased)
		case f.Notifications > 0:
			s.printf("nothing was erased; --yes does it, and cancels those that wait\n")
		}
	})
	if err == nil && c.Yes && f.InFlight > 0 {
		return hinted{errors.New("some were just being sent and were not erased"), "do the same again in a minute"}
	}
	return err
}
