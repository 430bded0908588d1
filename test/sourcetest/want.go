package sourcetest

import (
	"errors"
	"strings"
	"testing"

	"pombo"
	"pombo/internal/source"
)

// Defaults is the mapping of the settings' defaults.
func Defaults() source.Mapping {
	return source.Mapping{
		Table: "NOTIFICACAO", RowKey: "ID", Phone: "NR_TELEFONE", Status: "CD_STATUS", Pending: "1",
		Params: []source.Param{{Slot: pombo.Body, Name: "NM_CONTATO"}, {Slot: pombo.Body, Name: "DS_MENSAGEM"}},
	}
}

// WantError fails the test unless err is a *source.TableError that is permanent or not,
// and says every text of want.
func WantError(t *testing.T, err error, permanent bool, want ...string) {
	t.Helper()
	e, ok := errors.AsType[*source.TableError](err)
	if !ok {
		t.Fatalf("error = %v, want a *TableError", err)
	}
	if e.Permanent != permanent {
		t.Errorf("permanent = %t, want %t: %v", e.Permanent, permanent, err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error = %q, want it to say %q", err, w)
		}
	}
}

// WantInspection fails the test unless Inspect says message and hint; a hint of "" means
// that nothing needs to be done.
func WantInspection(t *testing.T, table *source.Table, d source.Diagnostic, message, hint string) {
	t.Helper()
	found, err := table.Inspect(t.Context(), d)
	if err != nil {
		t.Errorf("%s: %v", d, err)
		return
	}
	if !strings.Contains(found.Message, message) || !strings.Contains(found.Hint, hint) || (found.Hint == "") != (hint == "") {
		t.Errorf("%s: %+v, want %q and the hint %q", d, found, message, hint)
	}
}

// Keys returns the row keys of the first hundred pending rows.
func Keys(t *testing.T, table *source.Table) []string {
	t.Helper()
	rows, err := table.Page(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.RowKey)
	}
	return keys
}
