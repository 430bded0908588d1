package main

import (
	"context"

	"pombo/internal/config"
	"pombo/internal/ledger"
)

type migrateCommand struct{}

func (migrateCommand) Help() string {
	return `It makes the tables of the ledger, or brings those of an older version up to this one. A ledger on PostgreSQL needs it before the first start and after each new version, as an account that may create tables; stop the older pombo first. A SQLite ledger is made and migrated by itself at the start.

Examples:

    pombo migrate
    LEDGER_URL=postgres://owner:password@host/pombo pombo migrate`
}

func (migrateCommand) Run(ctx context.Context, s *shell) error {
	c, err := s.load(config.NeedLedger)
	if err != nil {
		return err
	}
	before, after, err := ledger.Migrate(ctx, c.Ledger.URL.Reveal())
	switch {
	case err != nil:
		return err
	case before == after:
		s.printf("the ledger is up to date (schema %d)\n", after)
	default:
		s.printf("the ledger was migrated (schema %d to %d)\n", before, after)
	}
	return nil
}
