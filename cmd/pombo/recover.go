package main

import (
	"context"
	"fmt"

	"pombo/internal/app"
	"pombo/internal/config"
	"pombo/internal/reconcile"
)

type recoverCommand struct {
	JSON bool `help:"Print JSON."`
}

func (recoverCommand) Help() string {
	return `For when the ledger was lost. A new ledger does not know which of the pending rows were sent and could not be written back any more, and pombo serve would send those again. So before it is started, this asks Blip about every pending row, by the id that its message would have. What Blip has a trace of goes into the ledger, and pombo serve then writes it back; it is not sent again. What Blip knows nothing of is left, and is sent by the next run.

Blip keeps its traces for three days: what was sent before that and never written back cannot be told apart from what was not sent. Nor can the last two minutes: traces come a little late. What came over HTTP (pombo send) is not in the table and is not recovered.

Pombo must be stopped. It takes two questions a row, at BLIP_COMMANDS_PER_SECOND: 90 rows a second with the default. It may be stopped and started again; what is in the ledger is not asked about twice.

Examples:

    pombo recover
    pombo recover --json`
}

// recovery is what --json prints.
type recovery struct {
	Rows      int `json:"rows"`      // pending rows looked at
	Known     int `json:"known"`     // in the ledger already
	Recovered int `json:"recovered"` // that were sent
	Untraced  int `json:"untraced"`  // that the next run sends
	Asked     int `json:"asked"`     // questions to Blip
}

func (c recoverCommand) Run(ctx context.Context, s *shell) error {
	settings, err := s.load(config.NeedBlip | config.NeedSource | config.NeedLedger)
	if err != nil {
		return err
	}
	if rate := settings.Blip.CommandsPerSecond; rate > 0 {
		s.sayf("pombo: asking Blip about every pending row, at most %.0f rows a second; do not start pombo serve meanwhile", max(rate/2, 1))
	}
	r, err := app.Recover(ctx, settings, func(r reconcile.Recovery) {
		s.sayf("pombo: %d rows looked at, %d recovered", r.Rows, r.Recovered)
	})
	if err != nil && r == (reconcile.Recovery{}) {
		return err
	}
	shown := recovery(r)
	printErr := s.show(c.JSON, shown, func() {
		s.printf("pending rows looked at: %d\nin the ledger already: %d\nsent before, recovered: %d\nunknown to Blip, the next run sends them: %d\n",
			shown.Rows, shown.Known, shown.Recovered, shown.Untraced)
	})
	if printErr == nil && err != nil {
		return hinted{fmt.Errorf("not all rows were looked at: %w", err), "when the cause is fixed, run pombo recover again before pombo serve"}
	}
	return printErr
}
