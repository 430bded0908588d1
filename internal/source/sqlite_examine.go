package source

import (
	"context"
	"strings"
)

// sqliteIndexes has the first column of each index, and its text.
const sqliteIndexes = "SELECT l.name, x.name, s.sql FROM pragma_index_list(?1, 'main') AS l JOIN pragma_index_info(l.name, 'main') AS x " +
	"LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name WHERE x.seqno = 0 ORDER BY l.seq"

// aspects are few: a file has no clock, no password and one character set.
func (d *sqliteDialect) Diagnostics() []Diagnostic {
	return []Diagnostic{DiagnosticIndex, DiagnosticPlan}
}

func (d *sqliteDialect) Inspect(ctx context.Context, query Querier, l Layout, what Diagnostic) (Inspection, error) {
	if what == DiagnosticPlan {
		var steps []string
		slow := false
		q := d.Page(l, nil, 1)
		_, err := query(ctx, d.m.InspectOp(what), Query{d.planText(), q.Args}, func(v []any) {
			step := Text(v[3])
			steps = append(steps, step)
			slow = slow || strings.Contains(step, "TEMP B-TREE") // it sorts all pending rows for each page
		})
		return JudgePlan(steps, slow), err
	}
	var all []Index
	_, err := query(ctx, d.m.InspectOp(what), Query{sqliteIndexes, []any{d.m.TableName[len(d.m.TableName)-1].Text}}, func(v []any) {
		i := Index{Name: Text(v[0]), FirstColumn: Text(v[1])}
		if at := strings.LastIndex(strings.ToUpper(Text(v[2])), "WHERE"); at >= 0 {
			i.Where = Text(v[2])[at:]
		}
		all = append(all, i)
	})
	return JudgeIndexes(d.m, l, all, d.Advice()[0].Text), err
}

func (d *sqliteDialect) planText() string { return "EXPLAIN QUERY PLAN " + d.pageText }
