package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// A batch on PostgreSQL is one statement over arrays, one array for each parameter:
// UPDATE … FROM unnest($1, $2, …) instead of an UPDATE for each row. Row by row, each would be
// parsed and planned again. It returns the positions, from 1, of the rows that changed
// something.

// batchKeys lists every batchable statement, with the parameters, one or two, that name
// the row of the table that it changes.
var batchKeys = map[statement][]int{
	sqlBegin:            {2},
	sqlFinish:           {8},
	sqlPostpone:         {4},
	sqlRetry:            {3},
	sqlHasten:           {3},
	sqlCorrect:          {3},
	sqlCancel:           {4},
	sqlExpire:           {4},
	sqlLapse:            {4},
	sqlWithdraw:         {2},
	sqlSettled:          {4},
	sqlSettleLater:      {2},
	sqlSettleNever:      {4},
	sqlNothingOwed:      {1},
	sqlHandOver:         {3},
	sqlNotHandedOver:    {2},
	sqlApply:            {7},
	sqlPolled:           {2},
	sqlResend:           {4},
	sqlReplaced:         {2},
	sqlEnqueue:          {9, 10},
	sqlEnqueueAgain:     {9, 10},
	sqlRememberIdentity: {1},
	sqlAcquireRecipient: {1},
	sqlEndDoubt:         {7},
	sqlErase:            {2},
	sqlRemove:           {1},
	sqlKeepReference:    {1},
	sqlKeepIdentity:     {1},
	sqlStartReplyPoll:   {1},
	sqlEventAcked:       {3},
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

func (p *postgres) queueOne(b *pgx.Batch, name statement, rows [][]any, hit []bool) ([]step, error) {
	key, ok := batchKeys[name]
	if !ok {
		return nil, fmt.Errorf("the statement %s takes no batch", name)
	}
	text := p.text(name)
	clear(hit)
	var steps []step
	for _, index := range waves(rows, key) {
		args := make([]any, len(rows[0]))
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
func waves(rows [][]any, key []int) [][]int {
	seen := make(map[[2]any]int, len(rows))
	var list [][]int
	for i, row := range rows {
		var of [2]any
		for k, parameter := range key {
			of[k] = row[parameter-1]
		}
		wave := seen[of]
		seen[of]++
		if wave == len(list) {
			list = append(list, make([]int, 0, len(rows)-i))
		}
		list[wave] = append(list[wave], i)
	}
	if len(key) == 1 {
		// Two processes that change the same rows lock them in the same order.
		// Rows that are taken in keep theirs: it is that of their numbers.
		for _, index := range list {
			slices.SortFunc(index, func(a, b int) int { return cmp.Compare(keyOf(rows[a], key), keyOf(rows[b], key)) })
		}
	}
	return list
}

func keyOf(row []any, key []int) int64 {
	n, _ := row[key[0]-1].(int64) // it always is
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
func (p *postgres) each(tx *txn, name statement, rows [][]any, hit []bool) error {
	return raw(tx.conn, func(c *pgx.Conn) error {
		b := &pgx.Batch{}
		steps, err := p.queueOne(b, name, rows, hit)
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
