package oracletest_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"testing"

	"pombo/test/oracletest"
)

func struck(t *testing.T, f *oracletest.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-f.Struck():
	case <-ctx.Done():
		t.Fatal("the fault did not strike")
	}
}

// What became of an UPDATE is up to the moment at which the line broke, and the
// client cannot tell which it was.
func TestFault_CutWrite(t *testing.T) {
	for _, c := range []struct {
		kind oracletest.Kind
		want string // the status afterwards
	}{
		{oracletest.CutBefore, "1"},
		{oracletest.CutAfter, "2"},
		{oracletest.CutWithin, "2"},
	} {
		d := start(t, oracletest.Options{})
		made := table(t, d, 3)
		db := connect(t, d, quick())
		s, err := db.Prepare(statusSQL)
		if err != nil {
			t.Fatal(err)
		}
		f := d.Fault(oracletest.Write, c.kind, 1)
		if _, err := s.Exec(2, 1, 1); err == nil || ora(err) > 0 {
			t.Errorf("%v: error = %v, want one of the line", c.kind, err)
		}
		struck(t, f)
		wantColumn(t, made, 1, "CD_STATUS", c.want)
		if n := d.Statements()[statusSQL]; n != 1 {
			t.Errorf("%v: executed %d times, want once", c.kind, n)
		}
		// The pool heals by itself, and the next one is not hurt.
		if _, err := s.Exec(2, 2, 1); err != nil {
			t.Errorf("%v: the next one: %v", c.kind, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A statement that is not prepared is executed twice by database/sql when the
// line breaks at the driver's closing of the cursor, which comes after the commit.
func TestFault_CutAfterUnpreparedWrite(t *testing.T) {
	d := start(t, oracletest.Options{})
	table(t, d, 1)
	db := connect(t, d, quick())
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	struckBy := d.Fault(oracletest.Ping, oracletest.CutBefore, 1)
	if _, err := db.Exec(statusSQL, 2, 1, 1); err != nil {
		t.Errorf("Exec: %v, want no error", err)
	}
	struck(t, struckBy)
	if n := d.Statements()[statusSQL]; n != 2 {
		t.Errorf("executed %d times, want 2", n)
	}
}

func TestFault_CutTransaction(t *testing.T) {
	for _, c := range []struct {
		step oracletest.Step
		kind oracletest.Kind
		want string
	}{
		{oracletest.Write, oracletest.CutAfter, "1"}, // not committed
		{oracletest.Commit, oracletest.CutBefore, "1"},
		{oracletest.Commit, oracletest.CutAfter, "2"},
		{oracletest.Rollback, oracletest.CutAfter, "1"},
	} {
		d := start(t, oracletest.Options{})
		made := table(t, d, 3)
		db := connect(t, d, quick())
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		f := d.Fault(c.step, c.kind, 1)
		_, err = tx.Exec(statusSQL, 2, 1, 1)
		if c.step == oracletest.Rollback {
			err = errors.Join(err, tx.Rollback())
		} else {
			err = errors.Join(err, tx.Commit())
		}
		struck(t, f)
		if err == nil {
			t.Errorf("%s, %v: no error", c.step, c.kind)
		}
		// Once it is seen that the row is free, all of it is over.
		if err := made.Update(1, oracletest.Row{"DS_ERRO": "x"}); err != nil {
			t.Error(err)
		}
		wantColumn(t, made, 1, "CD_STATUS", c.want)
	}
}

func TestFault_CutFetch(t *testing.T) {
	for _, kind := range []oracletest.Kind{oracletest.CutBefore, oracletest.CutWithin} {
		d := start(t, oracletest.Options{})
		table(t, d, 100)
		options := quick()
		options["PREFETCH_ROWS"] = "20"
		db := connect(t, d, options)
		f := d.Fault(oracletest.Fetch, kind, 2)
		rows, err := db.Query(pageSQL, 1, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		struck(t, f)
		if n != 40 || rows.Err() == nil {
			t.Errorf("%v: %d rows and the error %v, want 40 and one", kind, n, rows.Err())
		}
		_ = rows.Close()
	}
}

func TestFault_CutLogin(t *testing.T) {
	for _, step := range []oracletest.Step{oracletest.Connect, oracletest.Negotiate, oracletest.Login} {
		for _, kind := range []oracletest.Kind{oracletest.CutBefore, oracletest.CutAfter, oracletest.CutWithin} {
			d := start(t, oracletest.Options{})
			db := connect(t, d, quick())
			f := d.Fault(step, kind, 1)
			// A bad connection is one that database/sql tries again by itself.
			if err := db.Ping(); err != nil && ora(err) > 0 {
				t.Errorf("%s, %v: %v, want an error of the line or none", step, kind, err)
			}
			struck(t, f)
			if err := db.Ping(); err != nil {
				t.Errorf("%s, %v: the second login: %v", step, kind, err)
			}
		}
	}
}

func TestRaise(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 1)
	db := connect(t, d, quick())
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		step oracletest.Step
		code int
	}{{oracletest.Write, 54}, {oracletest.Write, 60}, {oracletest.Write, 1653}} {
		d.Fault(c.step, oracletest.Raise(c.code), 1)
		_, err := db.Exec(statusSQL, 2, 1, 1)
		wantORA(t, "an UPDATE", err, c.code)
	}
	d.Fault(oracletest.Query, oracletest.Raise(1555), 2)
	if _, err := statusOf(t.Context(), db, 1); err != nil {
		t.Errorf("the first SELECT: %v", err)
	}
	_, err := statusOf(t.Context(), db, 1)
	wantORA(t, "the second SELECT", err, 1555)
	wantColumn(t, made, 1, "CD_STATUS", "1")

	d.Fault(oracletest.Login, oracletest.Raise(1034), 1)
	wantORA(t, "a login", connect(t, d, quick()).Ping(), 1034)
	d.Fault(oracletest.Connect, oracletest.Raise(12520), 1)
	wantORA(t, "a connection", connect(t, d, quick()).Ping(), 12520)
}

// A cancelled call ends with ORA-01013 and the session continues.
func TestFault_SlowCallIsCancelled(t *testing.T) {
	for _, step := range []oracletest.Step{oracletest.Query, oracletest.Write} {
		d := start(t, oracletest.Options{})
		made := table(t, d, 1)
		db, way := connectWatched(t, d)
		f := d.Fault(step, oracletest.Slow, 1)
		go func() {
			<-f.Struck()
			way.interrupt(t)
		}()
		var err error
		if step == oracletest.Query {
			_, err = statusOf(t.Context(), db, 1)
		} else {
			_, err = db.ExecContext(t.Context(), statusSQL, 2, 1, 1)
		}
		wantORA(t, "a cancelled "+string(step), err, 1013)
		if status, err := statusOf(t.Context(), db, 1); err != nil || status != 1 {
			t.Errorf("afterwards the status is %d, %v; want 1", status, err)
		}
		wantColumn(t, made, 1, "CD_STATUS", "1")
		if n := len(d.Sessions()); n != 1 {
			t.Errorf("%d sessions, want the one", n)
		}
	}
}

// A cancel does not help against a server that says nothing at all.
func TestFault_Stall(t *testing.T) {
	d := start(t, oracletest.Options{})
	table(t, d, 1)
	db, way := connectWatched(t, d)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := d.Fault(oracletest.Write, oracletest.Stall, 1)
	done := make(chan error, 1)
	go func() {
		_, err := conn.ExecContext(t.Context(), statusSQL, 2, 1, 1)
		done <- err
	}()
	struck(t, f)
	<-way.waits
	way.interrupt(t)
	select {
	case err := <-done:
		t.Errorf("it ended by itself: %v", err)
	default:
	}
	d.CutSessions()
	if err := <-done; err == nil || ora(err) > 0 {
		t.Errorf("error = %v, want one of the line", err)
	}
	_ = conn.Close()
}

// Stalls before and within the login last until the line is cut.
func TestFault_StallLogin(t *testing.T) {
	for _, step := range []oracletest.Step{oracletest.Connect, oracletest.Negotiate, oracletest.Login} {
		d := start(t, oracletest.Options{})
		db := connect(t, d, quick())
		f := d.Fault(step, oracletest.Stall, 1)
		done := make(chan error, 1)
		go func() { done <- db.PingContext(t.Context()) }()
		struck(t, f)
		select {
		case err := <-done:
			t.Errorf("a login that stalls at %s ended by itself: %v", step, err)
		default:
			d.CutSessions()
			if err := <-done; ora(err) > 0 {
				t.Errorf("a login that stalls at %s and is cut: %v, want no ORA error", step, err)
			}
		}
	}
}

func TestKill(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 2)
	db := connect(t, d, quick())
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(statusSQL, 2, 1, 1); err != nil {
		t.Fatal(err)
	}
	d.KillSessions()
	// Its locks are gone although its client says nothing.
	if err := made.Update(1, oracletest.Row{"DS_ERRO": "livre"}); err != nil {
		t.Fatal(err)
	}
	// The driver makes a bad connection of ORA-00028.
	if _, err = tx.Exec(statusSQL, 2, 2, 1); !errors.Is(err, driver.ErrBadConn) && ora(err) != 28 {
		t.Errorf("an UPDATE of a killed session: %v", err)
	}
	_ = tx.Rollback()
	if status, err := statusOf(t.Context(), db, 1); err != nil || status != 1 {
		t.Errorf("afterwards the status is %d, %v; want 1", status, err)
	}
}

// A session that waits for a row is killed all the same.
func TestKillSessions_Waiting(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 1)
	db := connect(t, d, quick())
	s, err := db.Prepare(statusSQL)
	if err != nil {
		t.Fatal(err)
	}
	release, err := made.Lock(1)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	blocked := d.Blocked()
	go func() {
		<-blocked
		d.KillSessions()
	}()
	if _, err = s.Exec(2, 1, 1); ora(err) != 28 && !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("error = %v, want ORA-00028", err)
	}
	_ = s.Close()
}

// Six workers that share the rows, cancels and faults among them.
func TestDouble_Concurrency(t *testing.T) {
	const workers, each = 6, 40
	d := start(t, oracletest.Options{})
	made := table(t, d, workers*each)
	db := connect(t, d, quick())
	db.SetMaxOpenConns(workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			s, err := db.PrepareContext(t.Context(), statusSQL)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			for i := range each {
				id := w*each + i + 1
				if i%10 == 9 {
					d.Fault(oracletest.Write, oracletest.CutAfter, 3)
				}
				// Try until it is known to be done, as a caller has to.
				for {
					if _, err := s.ExecContext(t.Context(), 2, id, 1); err == nil {
						break
					}
					if status, err := statusOf(t.Context(), db, id); err == nil && status == 2 {
						break
					}
				}
			}
		})
	}
	running.Wait()
	for id := 1; id <= workers*each; id++ {
		wantColumn(t, made, id, "CD_STATUS", "2")
	}
	if err := db.Close(); err != nil && !errors.Is(err, driver.ErrBadConn) {
		t.Error(err)
	}
}
