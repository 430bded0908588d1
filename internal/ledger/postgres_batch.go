package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A batch on PostgreSQL is one statement over arrays, one array for each
// parameter: UPDATE … FROM unnest($1, $2, …) AS j instead of an UPDATE for each
// row. Row by row, each would be parsed and planned anew.

// shape says what the arrays of a statement have in them, and which parameters
// name the row that it changes.
type shape struct {
	types string   // a letter for each parameter: i bigint, t text, b boolean
	key   []int    // its parameters, one or two
	names []string // its columns, in an INSERT
}

// shapes has every statement that batches are made of.
var shapes = map[string]shape{
	beginStatement:        {"titi", []int{2}, nil},
	finishStatement:       {"tiitiitittii", []int{8}, nil},
	postponeStatement:     {"ittii", []int{4}, nil},
	retryStatement:        {"ititi", []int{3}, nil},
	hastenStatement:       {"ititi", []int{3}, nil},
	correctStatement:      {"tiiti", []int{3}, nil},
	cancelStatement:       {"tititii", []int{4}, nil},
	expireStatement:       {"ititi", []int{5}, nil},
	lapseStatement:        {"ititi", []int{5}, nil},
	takenBackStatement:    {"ititi", []int{3}, nil},
	settledStatement:      {"ttii", []int{4}, nil},
	settleLaterStatement:  {"ii", []int{2}, nil},
	parkStatement:         {"titi", []int{4}, nil},
	nothingOwedStatement:  {"it", []int{1}, nil},
	applyStatement:        {"ttibititii", []int{7}, nil},
	polledStatement:       {"ii", []int{2}, nil},
	resendStatement:       {"iiiitiib", []int{4}, []string{"id"}},
	replacedStatement:     {"tii", []int{2}, nil},
	enqueueStatement:      {"iiitiiiitttt", []int{9, 10}, []string{"source", "row_key"}},
	enqueueAgainStatement: {"iiitiiiitttti", []int{9, 10}, []string{"source", "row_key"}},
	identityStatement:     {"iti", []int{1}, []string{"phone"}},
	recipientStatement:    {"iii", []int{1}, []string{"phone"}},
	endDoubtStatement:     {"tittitii", []int{7}, nil},
	eraseStatement:        {"titi", []int{2}, nil},
	removeStatement:       {"iti", []int{1}, nil},
}

// arrayText writes a statement so that it takes arrays and returns the positions,
// from 1, of the rows that changed something.
func arrayText(statement string, s shape) (string, error) {
	text := postgresText.Replace(statement)
	var arrays, columns []string
	for i := len(s.types); i >= 1; i-- { // $12 before $1
		n := strconv.Itoa(i)
		text = strings.ReplaceAll(text, "$"+n, "j.p"+n)
	}
	for i := range s.types {
		kind := map[byte]string{'i': "bigint", 't': "text", 'b': "boolean"}[s.types[i]]
		arrays = append(arrays, fmt.Sprintf("CAST($%d AS %s[])", i+1, kind))
		columns = append(columns, fmt.Sprintf("p%d", i+1))
	}
	j := "unnest(" + strings.Join(arrays, ", ") + ") WITH ORDINALITY AS j (" + strings.Join(columns, ", ") + ", n)"

	if s.names == nil && strings.HasPrefix(strings.TrimSpace(text), "DELETE ") {
		head, condition, ok := strings.Cut(text, "WHERE ")
		if !ok {
			return "", errors.New("the statement has no WHERE")
		}
		return head + "USING " + j + " WHERE " + condition + " RETURNING j.n", nil
	}
	if s.names == nil {
		at := strings.LastIndex(text, "WHERE ")
		if at < 0 {
			return "", errors.New("the statement has no WHERE")
		}
		return text[:at] + "FROM " + j + " " + text[at:] + " RETURNING j.n", nil
	}
	// Numbers are given in the order of the page: the SELECT is sorted first.
	head, conflict, ok := strings.Cut(text, "ON CONFLICT")
	if !ok {
		return "", errors.New("the statement has no ON CONFLICT")
	}
	if into, values, ok := strings.Cut(head, "VALUES ("); ok {
		head = into + "SELECT " + strings.TrimSuffix(strings.TrimSpace(values), ")") + " FROM j"
	} else {
		head = strings.Replace(head, "FROM notification WHERE", "FROM j JOIN notification ON", 1)
	}
	var same []string
	for i, name := range s.names {
		same = append(same, fmt.Sprintf("changed.%s = j.p%d", name, s.key[i]))
	}
	return "WITH j AS MATERIALIZED (SELECT * FROM " + j + "),\nchanged AS (" + head + " ORDER BY j.n ON CONFLICT" + conflict +
		" RETURNING " + strings.Join(s.names, ", ") + ")\nSELECT j.n FROM changed JOIN j ON " + strings.Join(same, " AND "), nil
}

// step is one statement of a message: rows of a batch that change different
// rows of the table.
type step struct {
	hit   []bool // the batch's
	index []int  // of the step's rows in it
}

// queue adds the batches to a message.
func (p *postgres) queue(b *pgx.Batch, list []batch) ([]step, error) {
	var steps []step
	for i := range list {
		more, err := p.queueOne(b, list[i].statement, list[i].rows, list[i].hit)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

func (p *postgres) queueOne(b *pgx.Batch, statement string, rows [][]any, hit []bool) ([]step, error) {
	s, ok := shapes[statement]
	if !ok {
		return nil, fmt.Errorf("no shape for the batch %s", statement)
	}
	text, ok := p.arrays[statement]
	if !ok {
		var err error
		if text, err = arrayText(statement, s); err != nil {
			return nil, fmt.Errorf("%w: %s", err, statement)
		}
		p.arrays[statement] = text
	}
	clear(hit)
	var steps []step
	for _, index := range waves(rows, s) {
		args := make([]any, len(s.types))
		for column := range args {
			a, err := array(rows, index, column)
			if err != nil {
				return nil, err
			}
			args[column] = a
		}
		b.Queue(text, args...)
		steps = append(steps, step{hit, index})
	}
	return steps, nil
}

// waves parts the rows so that no two of a wave name the same row of the table:
// what one statement does to a row, it does once. A row comes in a later wave than
// those before it that name the same.
func waves(rows [][]any, s shape) [][]int {
	seen := make(map[[2]any]int, len(rows))
	var list [][]int
	for i, row := range rows {
		var key [2]any
		for k, parameter := range s.key {
			key[k] = row[parameter-1]
		}
		wave := seen[key]
		seen[key]++
		if wave == len(list) {
			list = append(list, make([]int, 0, len(rows)-i))
		}
		list[wave] = append(list[wave], i)
	}
	if len(s.key) == 1 {
		// Two processes that change the same rows lock them in the same order.
		// Rows that are taken in keep theirs: it is that of their numbers.
		for _, index := range list {
			slices.SortFunc(index, func(a, b int) int { return cmp.Compare(keyOf(rows[a], s), keyOf(rows[b], s)) })
		}
	}
	return list
}

func keyOf(row []any, s shape) int64 {
	n, _ := row[s.key[0]-1].(int64) // it always is
	return n
}

// array writes a column of the rows as PostgreSQL reads an array.
func array(rows [][]any, index []int, column int) (string, error) {
	b := append(make([]byte, 0, 16*len(index)), '{')
	for n, i := range index {
		if n > 0 {
			b = append(b, ',')
		}
		switch v := rows[i][column].(type) {
		case nil:
			b = append(b, "NULL"...)
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case bool:
			b = strconv.AppendBool(b, v)
		case string:
			b = append(b, '"')
			for k := range len(v) {
				if v[k] == '"' || v[k] == '\\' {
					b = append(b, '\\')
				}
				b = append(b, v[k])
			}
			b = append(b, '"')
		default:
			return "", fmt.Errorf("no array can be made of a %T", v)
		}
	}
	return string(append(b, '}')), nil
}

// each carries out a batch within a transaction that is under way.
func (p *postgres) each(tx *txn, statement string, rows [][]any, hit []bool) error {
	return raw(tx.conn, func(c *pgx.Conn) error {
		b := &pgx.Batch{}
		steps, err := p.queueOne(b, statement, rows, hit)
		if err != nil || len(steps) == 0 {
			return err
		}
		if err := p.prepare(tx.ctx, c, b); err != nil {
			return err
		}
		return receive(c.SendBatch(tx.ctx, b), 0, steps)
	})
}

// receive reads the answers to a message: those of the first statements, which
// return nothing, and those of the steps.
func receive(r pgx.BatchResults, first int, steps []step) error {
	err := func() error {
		for range first {
			if _, err := r.Exec(); err != nil {
				return err
			}
		}
		for _, s := range steps {
			rows, err := r.Query()
			if err != nil {
				return err
			}
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					rows.Close()
					return err
				}
				s.hit[s.index[n-1]] = true
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	}()
	if e := r.Close(); err == nil {
		err = e
	}
	return err
}
