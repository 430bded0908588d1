package main

import (
	"context"
	"strings"
	"time"

	"pombo/internal/config"
	"pombo/internal/ledger"
	"pombo/internal/setup"
	"pombo/internal/source"
)

type sqlCommand struct {
	Ledger bool `help:"The statements that are run on the ledger, in the database of LEDGER_URL."`
}

func (sqlCommand) Help() string {
	return `For the DBA of the company's table: every statement that is run on the table and when, and what may be wanted beforehand (rights, an index, a sample table), with the names of the settings. It runs none of them.

On Oracle some texts depend on the types of the columns. So it logs in, if it can, and reads them from the catalogue; otherwise it says which texts are as for the sample table. For other databases it connects to nothing.

With --ledger, for the DBA of a PostgreSQL that the ledger shares with others: every statement that is run on the ledger, with its name and what it is for. It connects to nothing.

Examples:

    pombo sql
    pombo sql > for-the-dba.sql
    pombo sql --ledger`
}

// sqlTime is what reading the types of the columns may take.
const sqlTime = 10 * time.Second

func (c sqlCommand) Run(ctx context.Context, s *shell) error {
	if c.Ledger {
		return printLedgerSQL(s)
	}
	return printTableSQL(ctx, s)
}

func printTableSQL(ctx context.Context, s *shell) error {
	c, err := s.load(config.NeedSource)
	if err != nil {
		return err
	}
	o := setup.Source(c.Source)
	o.Timeout = sqlTime
	table, err := setup.OpenSource(ctx, o)
	if err != nil {
		return err
	}
	defer table.Close() //nolint:errcheck // it was only read
	s.printf("-- Every statement that Pombo runs on %s.\n", c.Source.Table)
	if err := table.Introspect(ctx); err != nil {
		s.printComment("The types of the columns are not known, or are not as they must be: " + oneLine(err.Error()))
		s.printComment("A text that depends on them says what it takes them to be.")
	}
	s.printStatements(table.SQL())
	s.printf("\n-- What may be wanted beforehand. Pombo runs none of it.\n")
	s.printStatements(table.Advice())
	return nil
}

// printLedgerSQL prints the statements of the ledger. pombo migrate makes its tables.
func printLedgerSQL(s *shell) error {
	c, err := s.load(config.NeedLedger)
	if err != nil {
		return err
	}
	list, err := ledger.Statements(c.Ledger.URL.Reveal())
	if err != nil {
		return err
	}
	s.printf("-- Every statement that Pombo runs on the ledger, by its name. $1 and ?1 are parameters.\n")
	s.printComment("It needs SELECT, INSERT, UPDATE and DELETE on the tables of the ledger, which pombo migrate makes.")
	for _, statement := range list {
		s.printStatement(statement.Name+": "+statement.Purpose, statement.Text)
	}
	return nil
}

// printStatements writes statements that can be pasted, what each is for in a
// comment.
func (s *shell) printStatements(list []source.Statement) {
	for _, statement := range list {
		s.printStatement(statement.Purpose, statement.Text)
	}
}

func (s *shell) printStatement(purpose, text string) {
	s.printf("\n")
	s.printComment(purpose)
	if text := strings.TrimRight(strings.TrimSpace(text), ";"); text != "" {
		s.printf("%s;\n", text)
	}
}

func (s *shell) printComment(text string) {
	s.printf("-- %s\n", strings.ReplaceAll(text, "\n", "\n-- "))
}
