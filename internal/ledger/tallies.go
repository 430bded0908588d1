package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"pombo"
)

// Tallies are how many notifications were taken in by the hour, what became of them,
// and how long it took.
//
// They are derived: no step of a message's way touches them. Recount reads the
// notifications of an hour and replaces its counts as a whole, in one transaction. So
// they cannot drift, whatever was killed when, and a count may be repeated at will.
// They miss only what has changed since the hour was last counted.
//
// Counting ends where retention begins: Finish counts the hours that Retire is going to
// change for the last time, and from then on they never change. They contain no
// personal data.
type Tallies struct{ *store }

const (
	// tallyPart is how many notifications are read at a time: some ten milliseconds.
	tallyPart = 2000
	// tallySlack is how far the order of the numbers may be from that of the times: a
	// page waits for its turn to be written, and the clocks of machines differ. Where a
	// clock was set back by more, some of those hours are not counted.
	tallySlack = 10 * time.Minute
)

const hourMillis = int64(time.Hour / time.Millisecond)

// hourNumber returns the number of the hour that has a time.
func hourNumber(t time.Time) int64 { return t.Unix() / 3600 }

// hourStart returns the start of an hour.
func hourStart(number int64) time.Time { return time.UnixMilli(number * hourMillis).UTC() }

// Now returns the time by the ledger's clock, which the hours follow.
func (t *Tallies) Now() time.Time { return time.UnixMilli(t.now()).UTC() }

// Recount counts again the hours that begin at or after from and before to, and returns
// how many notifications were taken in within them. Hours that Finish has ended stay as
// they are. It reads in parts, through the connections of the readers, and rests after
// each for nine times as long, so that sending is not slowed.
func (t *Tallies) Recount(ctx context.Context, from, to time.Time) (n int, err error) {
	p, err := t.Counted(ctx)
	if err != nil {
		return 0, err
	}
	for hour, end := max(hourUp(from), hourUp(p.Final)), hourUp(to); hour < end; hour++ {
		begun := time.Now()
		some, err := t.recount(ctx, hour, &begun)
		if err == nil && some == 0 {
			// Nights and years without notifications are passed over.
			hour, err = t.beforeNext(ctx, hour)
		}
		if err != nil {
			return n, fmt.Errorf("count an hour: %w", err)
		}
		n += some
		if err := rest(ctx, begun); err != nil {
			return n, err
		}
	}
	return n, nil
}

// beforeNext returns the hour before the next one that has notifications or counts.
func (t *Tallies) beforeNext(ctx context.Context, after int64) (int64, error) {
	var counted sql.NullInt64
	if err := t.get(ctx, sqlNextTally, []any{after}, &counted); err != nil {
		return 0, err
	}
	next := int64(endOfTime)
	if counted.Valid {
		next = counted.Int64
	}
	var seq, created int64
	from, err := t.since(ctx, (after+1)*hourMillis)
	if err == nil {
		err = t.get(ctx, sqlCreatedFrom, []any{from}, &seq, &created)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return 0, err
	default:
		next = min(next, created/hourMillis)
	}
	return max(next-1, after), nil
}

// recount counts an hour.
func (t *Tallies) recount(ctx context.Context, hour int64, begun *time.Time) (n int, err error) {
	c := newCount(hour)
	if err := t.count(ctx, c, begun); err != nil {
		return 0, err
	}
	return c.n, t.replace(ctx, c)
}

// count reads the notifications among which those of the hour are.
func (t *Tallies) count(ctx context.Context, c *count, begun *time.Time) error {
	from, err := t.since(ctx, c.hour*hourMillis-tallySlack.Milliseconds())
	if err != nil {
		return err
	}
	until, err := t.since(ctx, (c.hour+1)*hourMillis+tallySlack.Milliseconds())
	if err != nil {
		return err
	}
	for {
		seen := 0
		err := t.all(ctx, sqlTallyPart, []any{from, until, tallyPart}, func(rows *sql.Rows) error {
			var created int64
			var state pombo.State
			var message, history sql.RawBytes
			if err := rows.Scan(&from, &created, &state, &message, &history); err != nil {
				return err
			}
			seen++
			if created/hourMillis == c.hour {
				c.add(time.UnixMilli(created), state, message, history)
			}
			return nil
		})
		if err != nil || seen < tallyPart {
			return err
		}
		from++
		if err := rest(ctx, *begun); err != nil {
			return err
		}
		*begun = time.Now()
	}
}

// replace replaces the counts of an hour.
func (t *Tallies) replace(ctx context.Context, c *count) error {
	return t.put(ctx, c, c.hour, hourly, func(tx *txn) (bool, error) {
		var final sql.NullInt64
		err := tx.queryRow(sqlTallyFinal).Scan(&final)
		// What was read of an ended hour may have been erased in part.
		return c.hour >= final.Int64, err
	})
}

// Fold sums the hours that begin at or after from and before to into the counts of a day,
// a date. The caller, which knows the zone, says which hours a day has. The hours stay,
// so a day may be summed again at any time.
func (t *Tallies) Fold(ctx context.Context, day, from, to time.Time) error {
	c := newCount(0)
	begun := time.Now()
	if err := t.sum(ctx, c, hourly, hourUp(from), hourUp(to)); err != nil {
		return fmt.Errorf("sum a day: %w", err)
	}
	err := t.put(ctx, c, dayNumber(day), daily, func(*txn) (bool, error) { return true, nil })
	if err != nil {
		return fmt.Errorf("sum a day: %w", err)
	}
	return rest(ctx, begun)
}

// period has the statements for the counts of an hour, or of a day.
type period struct{ cells, latencies, clearCells, clearLatencies, writeCells, writeLatencies statement }

var (
	hourly = period{sqlTallies, sqlLatencies, sqlClearTally, sqlClearLatency, sqlWriteTally, sqlWriteLatency}
	daily  = period{sqlTallyDays, sqlLatencyDays, sqlClearTallyDay, sqlClearLatencyDay, sqlWriteTallyDay, sqlWriteLatencyDay}
)

// sum adds the counts from one hour or day on, until before another.
func (t *Tallies) sum(ctx context.Context, c *count, p period, from, to int64) error {
	err := t.cells(ctx, p, from, to, func(_ int64, cell pombo.Cell) {
		c.cells[cellKey{cell.Template, cell.State, cell.Reason}] += cell.N
	})
	if err != nil {
		return err
	}
	return t.latencies(ctx, p, from, to, func(_ int64, l pombo.Latency) {
		c.latencies[latencyKey{l.Template, l.Leg, l.Bucket}] += l.N
	})
}

// put replaces the counts of an hour or a day, unless they are the same, if may agrees in
// the same transaction.
func (t *Tallies) put(ctx context.Context, c *count, at int64, p period, may func(*txn) (bool, error)) error {
	before := newCount(at)
	if err := t.sum(ctx, before, p, at, at+1); err != nil {
		return err
	}
	if maps.Equal(before.cells, c.cells) && maps.Equal(before.latencies, c.latencies) {
		return nil
	}
	cellRows, latencyRows, err := c.rows()
	if err != nil {
		return err
	}
	return t.inBulk(ctx, func(tx *txn) error {
		if ok, err := may(tx); !ok || err != nil {
			return err
		}
		if err := tx.exec(p.clearCells, at); err != nil {
			return err
		}
		if err := tx.exec(p.writeCells, at, cellRows); err != nil {
			return err
		}
		if err := tx.exec(p.clearLatencies, at); err != nil {
			return err
		}
		return tx.exec(p.writeLatencies, at, latencyRows)
	})
}

// inBulk runs f in a transaction, behind what workers wait for.
func (t *Tallies) inBulk(ctx context.Context, f func(*txn) error) error {
	w := newWrite()
	w.run = f
	return t.submit(ctx, t.bulk, w)
}

// Finish counts the hours before a time for the last time, that of the time included.
// Retire may then take out what was finished by that time. The first Finish on a ledger
// that was never counted as a whole counts nothing: retention has been at work on those
// hours.
func (t *Tallies) Finish(ctx context.Context, until time.Time) error {
	p, err := t.Counted(ctx)
	if err != nil {
		return err
	}
	end := hourNumber(until) + 1
	if !p.Final.IsZero() || !p.Whole.IsZero() {
		from := p.Since
		if p.Final.After(from) {
			from = p.Final
		}
		if _, err := t.Recount(ctx, from, hourStart(end)); err != nil {
			return err
		}
	}
	return t.note(ctx, sqlEndTally, end)
}

// NoteCounted notes when the current hour was counted; NoteLate and NoteWhole when a count
// of the last days and of all hours began.
func (t *Tallies) NoteCounted(ctx context.Context, at time.Time) error {
	return t.note(ctx, sqlTallyCounted, at.UnixMilli())
}

// NoteLate is documented at NoteCounted.
func (t *Tallies) NoteLate(ctx context.Context, at time.Time) error {
	return t.note(ctx, sqlTallyLate, at.UnixMilli())
}

// NoteWhole is documented at NoteCounted.
func (t *Tallies) NoteWhole(ctx context.Context, at time.Time) error {
	return t.note(ctx, sqlTallyWhole, at.UnixMilli())
}

func (t *Tallies) note(ctx context.Context, name statement, value int64) error {
	err := t.inBulk(ctx, func(tx *txn) error { return tx.exec(name, value) })
	if err != nil {
		return fmt.Errorf("note what was counted: %w", err)
	}
	return nil
}

// Counted says how far the count has come.
func (t *Tallies) Counted(ctx context.Context) (c pombo.Counted, err error) {
	var counted, late, whole, final, first sql.NullInt64
	if err := t.get(ctx, sqlTallyProgress, nil, &counted, &late, &whole, &final, &first); err != nil {
		return c, fmt.Errorf("read what was counted: %w", err)
	}
	c.At, c.Late, c.Whole = moment(counted), moment(late), moment(whole)
	if final.Valid {
		c.Final = hourStart(final.Int64)
	}
	if first.Valid {
		c.Since = hourStart(first.Int64)
	}
	return c, nil
}

// Cells returns the counts of the hours that begin at or after from and before to, in
// order.
func (t *Tallies) Cells(ctx context.Context, from, to time.Time) (list []pombo.Cell, err error) {
	err = t.cells(ctx, hourly, hourUp(from), hourUp(to), func(hour int64, c pombo.Cell) {
		c.Hour = hourStart(hour)
		list = append(list, c)
	})
	return list, err
}

// Latencies returns how long messages took, for the same hours as Cells.
func (t *Tallies) Latencies(ctx context.Context, from, to time.Time) (list []pombo.Latency, err error) {
	err = t.latencies(ctx, hourly, hourUp(from), hourUp(to), func(hour int64, l pombo.Latency) {
		l.Hour = hourStart(hour)
		list = append(list, l)
	})
	return list, err
}

// DayCells returns the counts of the days from a date on, until before another. Their Hour
// is midnight of the date in UTC.
func (t *Tallies) DayCells(ctx context.Context, from, to time.Time) (list []pombo.Cell, err error) {
	err = t.cells(ctx, daily, dayNumber(from), dayNumber(to), func(day int64, c pombo.Cell) {
		c.Hour = hourStart(24 * day)
		list = append(list, c)
	})
	return list, err
}

// DayLatencies returns how long messages took, for the same days as DayCells.
func (t *Tallies) DayLatencies(ctx context.Context, from, to time.Time) (list []pombo.Latency, err error) {
	err = t.latencies(ctx, daily, dayNumber(from), dayNumber(to), func(day int64, l pombo.Latency) {
		l.Hour = hourStart(24 * day)
		list = append(list, l)
	})
	return list, err
}

func (t *Tallies) cells(ctx context.Context, p period, from, to int64, each func(int64, pombo.Cell)) error {
	err := t.all(ctx, p.cells, []any{from, to}, func(rows *sql.Rows) error {
		var c pombo.Cell
		var at int64
		err := rows.Scan(&at, &c.Template, &c.State, &c.Reason, &c.N)
		each(at, c)
		return err
	})
	if err != nil {
		return fmt.Errorf("read tallies: %w", err)
	}
	return nil
}

func (t *Tallies) latencies(ctx context.Context, p period, from, to int64, each func(int64, pombo.Latency)) error {
	err := t.all(ctx, p.latencies, []any{from, to}, func(rows *sql.Rows) error {
		var l pombo.Latency
		var at int64
		err := rows.Scan(&at, &l.Template, &l.Leg, &l.Bucket, &l.N)
		each(at, l)
		return err
	})
	if err != nil {
		return fmt.Errorf("read latencies: %w", err)
	}
	return nil
}

// dayNumber returns the number of a date, as the time has it in its zone.
func dayNumber(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86_400
}

// hourUp returns the first hour that begins at or after a time; the zero time is before all.
func hourUp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return hourNumber(t.Add(time.Hour - 1))
}
