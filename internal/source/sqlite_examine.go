package source

import (
	"context"
	"strings"
)

// sqliteIndexes has the first column of each index, and its text.
const sqliteIndexes = "SELECT l.name, x.name, s.sql FROM pragma_index_list(?1, 'main') AS l JOIN pragma_index_info(l.name, 'main') AS x " +
	"LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name WHERE x.seqno = 0 ORDER BY l.seq"

// aspects are few: a file has no clock, no password and one character set.
func (d *sqliteDialect) aspects() []Aspect { return []Aspect{Index, Plan} }

func (d *sqliteDialect) examine(ctx context.Context, t *Table, l layout, a Aspect) (Remark, error) {
	if a == Plan {
		var steps []string
		slow := false
		q := d.page(l, nil, 1)
		_, err := t.each(ctx, t.examineOp(a), query{d.planText(), q.args}, func(v []any) {
			step := text(v[3])
			steps = append(steps, step)
			slow = slow || strings.Contains(step, "TEMP B-TREE") // it sorts all pending rows for each page
		})
		return planned(steps, slow), err
	}
	var all []index
	_, err := t.each(ctx, t.examineOp(a), query{sqliteIndexes, []any{d.m.table[len(d.m.table)-1].text}}, func(v []any) {
		i := index{name: text(v[0]), first: text(v[1])}
		if at := strings.LastIndex(strings.ToUpper(text(v[2])), "WHERE"); at >= 0 {
			i.where = text(v[2])[at:]
		}
		all = append(all, i)
	})
	return t.indexed(all), err
}

func (d *sqliteDialect) planText() string { return "EXPLAIN QUERY PLAN " + d.pageText }
