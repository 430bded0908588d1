package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pombo/internal/source"
)

const (
	indexesText = "SELECT INDEX_NAME, COLUMN_NAME FROM ALL_IND_COLUMNS WHERE TABLE_OWNER = NVL(:1, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) AND TABLE_NAME = :2 AND COLUMN_POSITION = 1 ORDER BY INDEX_NAME"
	// SYSDATE is the wall clock of the server's machine, by which triggers and
	// defaults fill a DATE.
	clockText  = "SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), " + dateFormat + "), TO_CHAR(SYSDATE, " + dateFormat + ") FROM DUAL"
	expiryText = "SELECT TO_CHAR(EXPIRY_DATE, " + dateFormat + "), TO_CHAR(SYSDATE, " + dateFormat + ") FROM USER_USERS"
)

func (d *dialect) Diagnostics() []source.Diagnostic {
	return []source.Diagnostic{source.DiagnosticIndex, source.DiagnosticPlan, source.DiagnosticLocks, source.DiagnosticCharset, source.DiagnosticClock, source.DiagnosticPassword}
}

func (d *dialect) Inspect(ctx context.Context, query source.Querier, l source.Layout, what source.Diagnostic) (source.Inspection, error) {
	op := d.mapping.InspectOp(what)
	switch what {
	case source.DiagnosticIndex:
		var all []source.Index
		seen := d.seen.Load() // Examine has learned it
		_, err := query(ctx, op, source.Query{Text: indexesText, Args: []any{seen.owner, seen.name}}, func(v []any) {
			all = append(all, source.Index{Name: source.Text(v[0]), FirstColumn: source.Text(v[1])})
		})
		return source.JudgeIndexes(d.mapping, l, all, d.Advice()[0].Text), err
	case source.DiagnosticPlan:
		return source.Inspection{Skipped: true, Message: "EXPLAIN PLAN would write to PLAN_TABLE; the DBA sees the plan that is used with DBMS_XPLAN.DISPLAY_CURSOR, for the statements of V$SQL whose MODULE is Pombo"}, nil
	case source.DiagnosticLocks:
		_, err := query(ctx, op, source.Query{Text: d.lockText()}, func([]any) {})
		e, ok := errors.AsType[*serverError](err)
		switch {
		case err == nil:
			return source.Inspection{Message: "a row that somebody has open is left for later, and holds up no other"}, nil
		case ok && e.code == 1031:
			return source.Inspection{
				Message: "rows cannot be locked one by one (ORA-01031: READ in place of SELECT?), so a single row that somebody has open holds up its whole batch",
				Hint:    "as the table's owner run " + strings.Join(d.grants(), "; "),
			}, nil
		case ok && slices.Contains(notForUpdate, e.code):
			return source.Inspection{Message: fmt.Sprintf("rows of this view cannot be locked one by one (ORA-%05d), so a single row that somebody has open holds up its whole batch", e.code), Hint: "map the table behind it, if that can be (DB_TABLE)"}, nil
		}
		return source.Inspection{}, err
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
		return source.JudgeExpiry(at, now, "a profile with PASSWORD_LIFE_TIME UNLIMITED keeps it")
	}
}

// oracleKeeps judges the character set in which texts are kept. What Pombo writes
// has no letters but those of ASCII, what it reads has.
func judgeCharset(charset string) source.Inspection {
	switch {
	case charset == "AL32UTF8", charset == "UTF8":
		return source.Inspection{Message: "texts are kept in " + charset}
	case strings.HasPrefix(charset, "WE8"):
		return source.Inspection{Message: fmt.Sprintf("texts are kept in %s: accents, but no emoji", charset)}
	}
	return source.Inspection{
		Message: "texts are kept in " + charset,
		Hint:    "see whether accents come back as they were written: letters that the character set lacks are lost when the row is written",
	}
}
