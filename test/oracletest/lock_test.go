package oracletest_test

import (
	"testing"

	"pombo/test/oracletest"
)

func TestDouble_RowLocks(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 3)
	db := connect(t, d, quick())
	db.SetMaxOpenConns(3)

	t.Run("a session waits for the company and then looks again", func(t *testing.T) {
		release, err := made.Lock(1)
		if err != nil {
			t.Fatal(err)
		}
		blocked := d.Blocked()
		changed := make(chan int64, 1)
		go func() {
			r, err := db.Exec(statusSQL, 2, 1, 1)
			if err != nil {
				t.Error(err)
				changed <- -1
				return
			}
			n, _ := r.RowsAffected()
			changed <- n
		}()
		<-blocked
		release()
		if n := <-changed; n != 1 {
			t.Errorf("%d rows changed, want 1", n)
		}
	})

	t.Run("a session waits for another one, which changes the row", func(t *testing.T) {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(statusSQL, 2, 2, 1); err != nil {
			t.Fatal(err)
		}
		wantColumn(t, made, 2, "CD_STATUS", "1") // others do not see it yet
		blocked := d.Blocked()
		changed := make(chan int64, 1)
		go func() {
			r, err := db.Exec(statusSQL, 3, 2, 1)
			if err != nil {
				t.Error(err)
				changed <- -1
				return
			}
			n, _ := r.RowsAffected()
			changed <- n
		}()
		<-blocked
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := <-changed; n != 0 {
			t.Errorf("%d rows changed, want none: the status was no longer 1", n)
		}
		wantColumn(t, made, 2, "CD_STATUS", "2")
	})

	t.Run("a wait is cancelled", func(t *testing.T) {
		release, err := made.Lock(3)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		watchedDB, way := connectWatched(t, d)
		blocked := d.Blocked()
		go func() {
			<-blocked
			way.interrupt(t)
		}()
		_, err = watchedDB.ExecContext(t.Context(), statusSQL, 2, 3, 1)
		wantORA(t, "a cancelled wait", err, 1013)
	})

	t.Run("a deadlock", func(t *testing.T) {
		a, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		b, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		touch := "UPDATE NOTIFICACAO SET DS_ERRO = 'x' WHERE ID = :1"
		if _, err := a.Exec(touch, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Exec(touch, 2); err != nil {
			t.Fatal(err)
		}
		blocked := d.Blocked()
		first := make(chan error, 1)
		go func() {
			_, err := a.Exec(touch, 2)
			first <- err
		}()
		<-blocked
		_, err = b.Exec(touch, 1)
		wantORA(t, "the wait that closes the circle", err, 60)
		if err := b.Rollback(); err != nil {
			t.Error(err)
		}
		if err := <-first; err != nil {
			t.Errorf("the other one: %v", err)
		}
		if err := a.Rollback(); err != nil {
			t.Error(err)
		}
	})
}

// A statement that is refused for one of its rows changes none of them, and does
// not touch what its transaction did before.
func TestDouble_UndoesARefusedStatement(t *testing.T) {
	d := start(t, oracletest.Options{})
	made := table(t, d, 5)
	made.BeforeUpdate(func(before, _ oracletest.Row) error {
		if before["ID"] == "4" {
			return oracletest.Errorf(20001, "não")
		}
		return nil
	})
	db := connect(t, d, quick())
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE NOTIFICACAO SET DS_ERRO = 'antes' WHERE ID = :1", 1); err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec("UPDATE NOTIFICACAO SET DS_ERRO = 'todas', CD_STATUS = 7")
	wantORA(t, "an UPDATE of all rows", err, 20001)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantColumn(t, made, 1, "DS_ERRO", "antes")
	wantColumn(t, made, 2, "DS_ERRO", nil)
	wantColumn(t, made, 1, "CD_STATUS", "1")
}
