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

func (d *oracleDialect) aspects() []Aspect {
	return []Aspect{Index, Plan, Locks, Charset, Clock, Password}
}

func (d *oracleDialect) examine(ctx context.Context, t *Table, l layout, a Aspect) (Remark, error) {
	op := t.examineOp(a)
	switch a {
	case Index:
		var all []index
		seen := d.seen.Load() // Examine has learned it
		_, err := t.each(ctx, op, query{oracleIndexes, []any{seen.owner, seen.name}}, func(v []any) {
			all = append(all, index{name: text(v[0]), first: text(v[1])})
		})
		return t.indexed(all), err
	case Plan:
		return Remark{Unasked: true, What: "EXPLAIN PLAN would write to PLAN_TABLE; the DBA sees the plan that is used with DBMS_XPLAN.DISPLAY_CURSOR, for the statements of V$SQL whose MODULE is Pombo"}, nil
	case Locks:
		_, err := t.each(ctx, op, query{text: d.lockText()}, func([]any) {})
		e, ok := errors.AsType[*oracleError](err)
		switch {
		case err == nil:
			return Remark{What: "a row that somebody has open is left for later, and holds up no other"}, nil
		case ok && e.code == 1031:
			return Remark{
				What: "rows cannot be locked one by one (ORA-01031: READ in place of SELECT?), so a single row that somebody has open holds up its whole batch",
				Hint: "as the table's owner run " + strings.Join(d.grants(), "; "),
			}, nil
		case ok && slices.Contains(notForUpdate, e.code):
			return Remark{What: fmt.Sprintf("rows of this view cannot be locked one by one (ORA-%05d), so a single row that somebody has open holds up its whole batch", e.code), Hint: "map the table behind it, if that can be (DB_TABLE)"}, nil
		}
		return Remark{}, err
	case Charset:
		charset, _, err := t.one(ctx, op, oracleCharset)
		return oracleKeeps(charset), err
	case Clock:
		begun := time.Now()
		utc, local, err := t.one(ctx, op, oracleClock)
		if err != nil {
			return Remark{}, err
		}
		return t.timed(l, utc, local, begun, time.Now())
	default: // Password
		at, now, err := t.one(ctx, op, oracleExpiry)
		if err != nil {
			return Remark{}, err
		}
		return expiring(at, now, "a profile with PASSWORD_LIFE_TIME UNLIMITED keeps it")
	}
}

// oracleKeeps judges the character set in which texts are kept. What Pombo writes
// has no letters but those of ASCII, what it reads has.
func oracleKeeps(charset string) Remark {
	switch {
	case charset == "AL32UTF8", charset == "UTF8":
		return Remark{What: "texts are kept in " + charset}
	case strings.HasPrefix(charset, "WE8"):
		return Remark{What: fmt.Sprintf("texts are kept in %s: accents, but no emoji", charset)}
	}
	return Remark{
		What: "texts are kept in " + charset,
		Hint: "see whether accents come back as they were written: letters that the character set lacks are lost when the row is written",
	}
}
