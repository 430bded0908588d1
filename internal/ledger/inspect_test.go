package ledger_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pombo"
	"pombo/internal/ledger"
	"pombo/test/nightly"
)

func TestInspect_ChangesNothing(t *testing.T) {
	nightly.WithoutRace(t)
	path := filepath.Join(t.TempDir(), "pombo.db")
	files := func() (names []string) {
		t.Helper()
		list, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			names = append(names, f.Name())
		}
		return names
	}
	inspect := func() (ledger.Schema, error) {
		t.Helper()
		before := files()
		s, err := ledger.Inspect(t.Context(), "sqlite:"+path)
		if after := files(); !slices.Equal(before, after) {
			t.Errorf("files = %v, want %v as before", after, before)
		}
		return s, err
	}

	if s, err := inspect(); !errors.Is(err, pombo.ErrNotFound) || s.Want < 1 {
		t.Errorf("no file: %+v, %v, want not found", s, err)
	}
	db, err := ledger.Open(t.Context(), ledger.Options{URL: "sqlite:" + path, Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := inspect(); err != nil || s.Have != s.Want {
		t.Errorf("beside the one that has it: %+v, %v", s, err)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Errorf("the one that has it: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := inspect(); err != nil || s.Have != s.Want {
		t.Errorf("at rest: %+v, %v", s, err)
	}
}

func TestInspect_RefusesWhatIsNoLedger(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := filepath.Join(folder, "other.db")
	db, err := sql.Open("sqlite", other)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Inspect(t.Context(), "sqlite:"+write("empty", "")); !errors.Is(err, pombo.ErrNotFound) {
		t.Errorf("an empty file: %v, want not found", err)
	}
	for _, path := range []string{write("text", "this is no ledger, and it is long enough to be seen to be none"), other, folder} {
		if _, err := ledger.Inspect(t.Context(), "sqlite:"+path); err == nil || errors.Is(err, pombo.ErrNotFound) {
			t.Errorf("%s: %v, want an error that says what it is", path, err)
		}
	}
}
