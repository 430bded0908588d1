package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	oracleIndexes = "SELECT INDEX_NAME, COLUMN_NAME FROM ALL_IND_COLUMNS WHERE TABLE_OWNER = NVL(:1, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) AND TABLE_NAME = :2 AND COLUMN_POSITION = 1 ORDER BY INDEX_NAME"
	// SYSDATE is the wall clock of the server's machine, by which triggers and
	// defaults fill a DATE.
	oracleClock  = "SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), " + oracleDate + "), TO_CHAR(SYSDATE, " + oracleDate + ") FROM DUAL"
	oracleExpiry = "SELECT TO_CHAR(EXPIRY_DATE, " + oracleDate + "), TO_CHAR(SYSDATE, " + oracleDate + ") FROM USER_USERS"
)

func (d *oracleDialect) Diagnostics() []Diagnostic {
	return []Diagnostic{DiagnosticIndex, DiagnosticPlan, DiagnosticLocks, DiagnosticCharset, DiagnosticClock, DiagnosticPassword}
}

func (d *oracleDialect) Inspect(ctx context.Context, query Querier, l Layout, what Diagnostic) (Inspection, error) {
	op := d.m.InspectOp(what)
	switch what {
	case DiagnosticIndex:
		var all []Index
		seen := d.seen.Load() // Examine has learned it
		_, err := query(ctx, op, Query{oracleIndexes, []any{seen.owner, seen.name}}, func(v []any) {
			all = append(all, Index{Name: Text(v[0]), FirstColumn: Text(v[1])})
		})
		return JudgeIndexes(d.m, l, all, d.Advice()[0].Text), err
	case DiagnosticPlan:
		return Inspection{Skipped: true, Message: "EXPLAIN PLAN would write to PLAN_TABLE; the DBA sees the plan that is used with DBMS_XPLAN.DISPLAY_CURSOR, for the statements of V$SQL whose MODULE is Pombo"}, nil
	case DiagnosticLocks:
		_, err := query(ctx, op, Query{Text: d.lockText()}, func([]any) {})
		e, ok := errors.AsType[*oracleError](err)
		switch {
		case err == nil:
			return Inspection{Message: "a row that somebody has open is left for later, and holds up no other"}, nil
		case ok && e.code == 1031:
			return Inspection{
				Message: "rows cannot be locked one by one (ORA-01031: READ in place of SELECT?), so a single row that somebody has open holds up its whole batch",
				Hint:    "as the table's owner run " + strings.Join(d.grants(), "; "),
			}, nil
		case ok && slices.Contains(notForUpdate, e.code):
			return Inspection{Message: fmt.Sprintf("rows of this view cannot be locked one by one (ORA-%05d), so a single row that somebody has open holds up its whole batch", e.code), Hint: "map the table behind it, if that can be (DB_TABLE)"}, nil
		}
		return Inspection{}, err
	case DiagnosticCharset:
		charset, _, err := QueryRow(ctx, query, op, oracleCharset)
		return oracleKeeps(charset), err
	case DiagnosticClock:
		begun := time.Now()
		utc, local, err := QueryRow(ctx, query, op, oracleClock)
		if err != nil {
			return Inspection{}, err
		}
		return JudgeClock(d.m, l, utc, local, begun, time.Now())
	default: // Password
		at, now, err := QueryRow(ctx, query, op, oracleExpiry)
		if err != nil {
			return Inspection{}, err
		}
		return JudgeExpiry(at, now, "a profile with PASSWORD_LIFE_TIME UNLIMITED keeps it")
	}
}

// oracleKeeps judges the character set in which texts are kept. What Pombo writes
// has no letters but those of ASCII, what it reads has.
func oracleKeeps(charset string) Inspection {
	switch {
	case charset == "AL32UTF8", charset == "UTF8":
		return Inspection{Message: "texts are kept in " + charset}
	case strings.HasPrefix(charset, "WE8"):
		return Inspection{Message: fmt.Sprintf("texts are kept in %s: accents, but no emoji", charset)}
	}
	return Inspection{
		Message: "texts are kept in " + charset,
		Hint:    "see whether accents come back as they were written: letters that the character set lacks are lost when the row is written",
	}
}
