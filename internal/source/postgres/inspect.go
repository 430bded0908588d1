package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo/internal/source"
)

const (
	// An index that CREATE INDEX CONCURRENTLY could not finish serves nobody.
	indexesText = "SELECT quote_ident(c.relname), quote_ident(a.attname), pg_get_expr(i.indpred, i.indrelid) FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid " +
		"LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass($1) AND i.indisvalid ORDER BY 1"
	charsetText = "SELECT current_setting('server_encoding')"
	clockText   = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS')"
	expiryText  = "SELECT CASE WHEN isfinite(rolvaliduntil) THEN to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') END, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM pg_catalog.pg_roles WHERE rolname = session_user"
)

func (d *dialect) Diagnostics() []source.Diagnostic {
	return []source.Diagnostic{source.DiagnosticIndex, source.DiagnosticPlan, source.DiagnosticCharset, source.DiagnosticClock, source.DiagnosticPassword}
}

// planText asks for the plan alone: without ANALYZE nothing is run.
func (d *dialect) planText() string { return "EXPLAIN " + d.firstText }

func (d *dialect) Inspect(ctx context.Context, query source.Querier, l source.Layout, what source.Diagnostic) (source.Inspection, error) {
	op := d.mapping.InspectOp(what)
	switch what {
	case source.DiagnosticIndex:
		var all []source.Index
		_, err := query(ctx, op, source.Query{Text: indexesText, Args: []any{d.table()}}, func(v []any) {
			all = append(all, source.Index{Name: source.Text(v[0]), FirstColumn: source.Text(v[1]), Where: source.Text(v[2])})
		})
		return source.JudgeIndexes(d.mapping, l, all, d.Advice()[0].Text), err
	case source.DiagnosticPlan:
		var lines []string
		_, err := query(ctx, op, source.Query{Text: d.planText(), Args: d.Page(l, nil, 1).Args}, func(v []any) { lines = append(lines, source.Text(v[0])) })
		steps, slow := planSteps(lines)
		return source.JudgePlan(steps, slow), err
	case source.DiagnosticCharset:
		charset, _, err := source.QueryRow(ctx, query, op, charsetText)
		return judgeCharset(charset), err
	case source.DiagnosticClock:
		begun := time.Now()
		utc, local, err := source.QueryRow(ctx, query, op, clockText)
		if err != nil {
			return source.Inspection{}, err
		}
		return source.JudgeClock(d.mapping, l, utc, local, begun, time.Now())
	default: // Password
		at, now, err := source.QueryRow(ctx, query, op, expiryText)
		if err != nil {
			return source.Inspection{}, err
		}
		return source.JudgeExpiry(at, now, "ALTER ROLE "+d.user()+" VALID UNTIL 'infinity' keeps it")
	}
}

var planCost = regexp.MustCompile(`  \(cost=[0-9.]+\.\.([0-9.]+) .*`)

// postgresSteps tells the steps of a plan without what is beside them, and whether
// it reads all of a table that is not small: the server rightly does so with one
// of a few thousand rows.
func planSteps(lines []string) (steps []string, slow bool) {
	const small = 1000 // in the server's own measure
	for _, line := range lines {
		cost := planCost.FindStringSubmatch(line)
		if cost == nil {
			continue // a condition of the step before
		}
		step := strings.TrimLeft(planCost.ReplaceAllString(line, ""), " ->")
		steps = append(steps, step)
		total, _ := strconv.ParseFloat(cost[1], 64)
		slow = slow || strings.Contains(step, "Seq Scan") && total > small
	}
	return steps, slow
}

// postgresKeeps judges the encoding in which texts are kept.
func judgeCharset(encoding string) source.Inspection {
	switch {
	case encoding == "UTF8":
		return source.Inspection{Message: "texts are kept in UTF8"}
	case slices.Contains([]string{"LATIN1", "LATIN9", "WIN1252"}, encoding):
		return source.Inspection{Message: fmt.Sprintf("texts are kept in %s: accents, but no emoji", encoding)}
	case encoding == "SQL_ASCII":
		return source.Inspection{
			Message: "the database does not know in which encoding its texts are (SQL_ASCII)",
			Hint:    "see to it that all who fill the table write UTF-8: rows with other accents are not taken in",
		}
	}
	return source.Inspection{Message: "texts are kept in " + encoding, Hint: "see whether it has the accents of your language: a row whose change has others is refused"}
}
