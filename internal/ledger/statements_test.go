package ledger

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"pombo/test/nightly"
)

// declared returns the statements that the program runs: the constants of statements.go.
func declared(t *testing.T) (names []statement) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "statements.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "statement" {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, statement(name))
		}
		return true
	})
	return names
}

// namesIn returns the names of the statements in the files of a database.
func namesIn(t *testing.T, folder string) map[string][]string {
	t.Helper()
	files, err := fs.Glob(sqlFiles, folder+"/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, file := range files {
		text, err := fs.ReadFile(sqlFiles, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^-- name: (.*)$`).FindAllStringSubmatch(string(text), -1) {
			found[path.Base(file)] = append(found[path.Base(file)], match[1])
		}
	}
	return found
}

// What is run alike is in both once; what is not is in each database's folder, in the same place.
func TestStatements_ExistForBothDatabases(t *testing.T) {
	sqlite, postgres := namesIn(t, inSQLite), namesIn(t, inPostgres)
	both := 0
	for file, names := range sqlite {
		if others, ok := postgres[file]; ok {
			both++
			if !slices.Equal(names, others) {
				t.Errorf("%s: SQLite has %v\nPostgreSQL has %v", file, names, others)
			}
		}
	}
	if both < 6 {
		t.Errorf("%d files are there for each database, want at least 6", both)
	}
	known := declared(t)
	for _, name := range known {
		if sqliteCatalogue()[name] == "" && postgresCatalogue()[name] == "" {
			t.Errorf("%s is in no file", name)
		}
	}
	for _, folder := range []string{inSQLite, inPostgres} {
		list, err := readStatements(folder)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, s := range list {
			switch {
			case seen[s.Name]:
				t.Errorf("%s: %s is there twice", folder, s.Name)
			case !slices.Contains(known, statement(s.Name)):
				t.Errorf("%s: nothing runs %s", folder, s.Name)
			case s.Purpose == "":
				t.Errorf("%s: %s does not say what it is for", folder, s.Name)
			}
			seen[s.Name] = true
		}
	}
	for name := range batchKeys {
		if text := postgresCatalogue()[name]; !strings.Contains(text, "WITH ORDINALITY") || !strings.Contains(text, "batch.nth") {
			t.Errorf("%s takes no arrays:\n%s", name, text)
		}
	}
}

// Names of states and queue classes come from the program, so that they are the same in the
// code and in both databases.
func TestStatements_NameStatesAndClasses(t *testing.T) {
	states := make([]string, 0, 16)
	for name, value := range sqlConstants {
		if _, err := strconv.Atoi(value); err != nil && regexp.MustCompile(`^[a-z]+$`).MatchString(value) && !strings.HasPrefix(name, "Settle") {
			states = append(states, value)
		}
	}
	bare := regexp.MustCompile(`['"](` + strings.Join(states, "|") + `)['"]|\blane (=|<|<=|>|>=|BETWEEN) -?[0-9]+`)
	for _, folder := range []string{inBoth, inSQLite, inPostgres} {
		for file := range namesIn(t, folder) {
			text, err := fs.ReadFile(sqlFiles, folder+"/"+file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if found := bare.FindString(line); found != "" && !strings.Contains(line, "LIMIT ?3 + 0") { // the claim's priorities
					t.Errorf("%s/%s: %s in %s", folder, file, found, line)
				}
			}
		}
	}
}

func TestStatements_PrepareOnSQLite(t *testing.T) {
	nightly.WithoutRace(t)
	db := openSQLite(t, sqliteURL(t))
	for name, text := range sqliteCatalogue() {
		s, err := db.read.PrepareContext(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStatements_PrepareOnPostgres(t *testing.T) {
	nightly.WithoutRace(t)
	conn, err := pgx.Connect(t.Context(), postgresURL(t))
	must(t, err)
	defer func() { must(t, conn.Close(t.Context())) }()
	for name, text := range postgresCatalogue() {
		if _, err := conn.Prepare(t.Context(), string(name), text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
