package sqlite

import (
	"context"
	"strings"

	"pombo/internal/source"
)

// sqliteIndexes has the first column of each index, and its text.
const indexesText = "SELECT l.name, x.name, s.sql FROM pragma_index_list(?1, 'main') AS l JOIN pragma_index_info(l.name, 'main') AS x " +
	"LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name WHERE x.seqno = 0 ORDER BY l.seq"

// aspects are few: a file has no clock, no password and one character set.
func (d *dialect) Diagnostics() []source.Diagnostic {
	return []source.Diagnostic{source.DiagnosticIndex, source.DiagnosticPlan}
}

func (d *dialect) Inspect(ctx context.Context, query source.Querier, l source.Layout, what source.Diagnostic) (source.Inspection, error) {
	if what == source.DiagnosticPlan {
		var steps []string
		slow := false
		q := d.Page(l, nil, 1)
		_, err := query(ctx, d.mapping.InspectOp(what), source.Query{Text: d.planText(), Args: q.Args}, func(v []any) {
			step := source.Text(v[3])
			steps = append(steps, step)
			slow = slow || strings.Contains(step, "TEMP B-TREE") // it sorts all pending rows for each page
		})
		return source.JudgePlan(steps, slow), err
	}
	var all []source.Index
	_, err := query(ctx, d.mapping.InspectOp(what), source.Query{Text: indexesText, Args: []any{d.mapping.TableName[len(d.mapping.TableName)-1].Text}}, func(v []any) {
		i := source.Index{Name: source.Text(v[0]), FirstColumn: source.Text(v[1])}
		if at := strings.LastIndex(strings.ToUpper(source.Text(v[2])), "WHERE"); at >= 0 {
			i.Where = source.Text(v[2])[at:]
		}
		all = append(all, i)
	})
	return source.JudgeIndexes(d.mapping, l, all, d.Advice()[0].Text), err
}

func (d *dialect) planText() string { return "EXPLAIN QUERY PLAN " + d.pageText }
