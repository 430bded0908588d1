package main

import (
	"context"
	"strings"

	"pombo/app"
	"pombo/config"
	"pombo/source"
)

type sqlCommand struct{}

func (sqlCommand) Help() string {
	return `For the DBA: what is run on the table and when, and what may be wanted beforehand (rights, an index, a sample table), with the names of the settings. It connects to nothing and runs nothing.

Examples:

    pombo sql
    pombo sql > for-the-dba.sql`
}

func (sqlCommand) Run(ctx context.Context, s *shell) error {
	c, err := s.load(config.NeedSource)
	if err != nil {
		return err
	}
	table, err := source.Open(ctx, app.SourceOptions(c.Source))
	if err != nil {
		return err
	}
	defer table.Close() //nolint:errcheck // it was never connected
	s.printf("-- Every statement that Pombo runs on %s.\n", c.Source.Table)
	s.printStatements(table.SQL())
	s.printf("\n-- What may be wanted beforehand. Pombo runs none of it.\n")
	s.printStatements(table.Advice())
	return nil
}

// printStatements writes statements that can be pasted, what each is for in a
// comment.
func (s *shell) printStatements(list []source.Statement) {
	for _, statement := range list {
		s.printf("\n-- %s\n", strings.ReplaceAll(statement.Purpose, "\n", "\n-- "))
		if text := strings.TrimRight(strings.TrimSpace(statement.Text), ";"); text != "" {
			s.printf("%s;\n", text)
		}
	}
}
