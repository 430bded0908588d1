package oracle_test

import (
	"fmt"
	"strings"
	"testing"

	"pombo"
	"pombo/internal/source/oracle"
	"pombo/test/nightly"
	"pombo/test/oracletest"
)

// The error names what a person has to correct, and the statement that does it.
func TestOracle_Rights(t *testing.T) {
	nightly.WithoutRace(t)
	const (
		grant     = `as the table's owner run GRANT SELECT, UPDATE ("ST") ON "NOTIFICACAO" TO "POMBO"`
		wrongName = "see whether NOTIFICACAO is the right name, with the schema in front of it if it is another account's (SCHEMA.TABLE), and whether a synonym of that name means a table that is there (DB_TABLE)"
	)
	for name, c := range map[string]struct {
		spoil func(*oracletest.Table)
		want  []string
	}{
		"no right to write": {func(c *oracletest.Table) { c.RevokeUpdate("ST") }, []string{"write to NOTIFICACAO", "the account lacks a right (ORA-01031)", grant}},
		"no right to read":  {(*oracletest.Table).RevokeSelect, []string{"read pending rows of NOTIFICACAO", "ORA-01031", grant}},
		"no right at all":   {func(c *oracletest.Table) { c.RevokeSelect(); c.RevokeUpdate() }, []string{"the account POMBO sees no such table", wrongName, grant}},
		"a view":            {(*oracletest.Table).ReadOnly, []string{"the view cannot be changed (ORA-01732)", "INSTEAD OF trigger"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := startOracle(t, oracletest.Options{})
			company := pendingTable(t, d, "NOTIFICACAO", 1)
			c.spoil(company)
			err := openOracle(t, d, small()).Check(t.Context())
			for _, w := range c.want {
				wantError(t, err, w)
			}
		})
	}
}

// Oracle says the same of a table that is gone and of one that the account may not
// read any more: the error names both.
func TestOracle_UnseenTable(t *testing.T) {
	nightly.WithoutRace(t)
	d := startOracle(t, oracletest.Options{})
	company := pendingTable(t, d, "NOTIFICACAO", 1)
	table := openOracle(t, d, small())
	if err := table.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	company.RevokeSelect()
	company.RevokeUpdate()
	_, err := table.Page(t.Context(), "", 10)
	for _, want := range []string{"ORA-00942", "see whether NOTIFICACAO is the right name", "SCHEMA.TABLE", "synonym", "DB_TABLE", "as the table's owner run GRANT SELECT"} {
		wantError(t, err, want)
	}
}

// A row that the database refuses is parked; the others of its batch are written.
func TestOracle_RefusedRows(t *testing.T) {
	nightly.WithoutRace(t)
	const secret = "Maria da Silva"
	for name, c := range map[string]struct {
		spoil func(*oracletest.Table)
		want  string
	}{
		"a CHECK": {func(c *oracletest.Table) {
			c.Check("CK_"+strings.ReplaceAll(secret, " ", "_"), func(r oracletest.Row) bool { return r["ID"] != "2" || r["ST"] != "2" })
		}, "a CHECK of the table refuses the new values (ORA-02290)"},
		"a trigger": {func(c *oracletest.Table) {
			c.BeforeUpdate(func(before, _ oracletest.Row) error {
				if before["ID"] == "2" {
					return oracletest.Errorf(20001, "%s", secret)
				}
				return nil
			})
		}, "a trigger or function of the table refuses the change (ORA-20001)"},
	} {
		t.Run(name, func(t *testing.T) {
			d := startOracle(t, oracletest.Options{})
			company := pendingTable(t, d, "NOTIFICACAO", 9)
			c.spoil(company)
			table := openOracle(t, d, small())
			answers, err := table.Settle(t.Context(), batchOf(9))
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range answers {
				want, status := pombo.SettleDone, "2"
				if i == 1 {
					want, status = pombo.SettleRefused, "1"
					if a.Detail != c.want {
						t.Errorf("detail = %q, want %q", a.Detail, c.want)
					}
				}
				if r, _ := company.Row(i + 1); a.Result != want || r["ST"] != status {
					t.Errorf("row %d is %s with status %v, want %s and %s", i+1, a.Result, r["ST"], want, status)
				}
			}
			// An update that failed is undone before anything else happens.
			var failed, undone int
			for _, call := range d.Calls() {
				switch call.Step {
				case oracletest.Write:
					failed++
				case oracletest.Commit:
					failed--
				case oracletest.Rollback:
					undone++
				}
			}
			if failed == 0 || undone != failed {
				t.Errorf("%d updates failed and %d were rolled back", failed, undone)
			}
			// Nothing is locked any more.
			if err := company.Update(1, oracletest.Row{"ST": 1}); err != nil {
				t.Error(err)
			}
		})
	}
	// A code that the column is too small for is refused row by row as well.
	d := startOracle(t, oracletest.Options{})
	pendingTable(t, d, "NOTIFICACAO", 2)
	batch := batchOf(2)
	batch[1].Code = "77"
	answers, err := openOracle(t, d, small()).Settle(t.Context(), batch)
	if err != nil || answers[0].Result != pombo.SettleDone || answers[1].Result != pombo.SettleRefused || !strings.Contains(answers[1].Detail, "ORA-01438") {
		t.Errorf("answers = %+v, %v; want the second refused with ORA-01438", answers, err)
	}
}

// The driver asks for the errors of all rows of a batch. An 11g says that there are
// some, and later ones which: either way the row is found, and blocks no other.
func TestOracle_RefusedRowsOfABatch(t *testing.T) {
	nightly.WithoutRace(t)
	for _, version := range []oracletest.Version{oracletest.Oracle10, oracletest.Oracle11, oracletest.Oracle12, oracletest.Oracle19, oracletest.Oracle21} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			d := startOracle(t, oracletest.Options{Version: version})
			company := pendingTable(t, d, "NOTIFICACAO", 30)
			company.Check("CK", func(r oracletest.Row) bool { return r["ID"] != "7" && r["ID"] != "9" || r["ST"] != "2" })
			answers, err := openOracle(t, d, small()).Settle(t.Context(), batchOf(30))
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range answers {
				want, detail := pombo.SettleDone, ""
				if i == 6 || i == 8 {
					want, detail = pombo.SettleRefused, "a CHECK of the table refuses the new values (ORA-02290)"
				}
				if a.Result != want || a.Detail != detail {
					t.Errorf("row %s is %s (%s), want %s", a.RowKey, a.Result, a.Detail, want)
				}
			}
		})
	}
}

// The classes of the codes that matter, and a sentence for each.
func TestOracle_ClassesOfCodes(t *testing.T) {
	for class, codes := range map[string][]int{
		"lost":    {3106, 3120, 3137, 3146, 28, 1012, 1041, 1092, 2396, 2399, 3113, 3114, 3135, 12537, 12547, 12571, 25408},
		"away":    {1033, 1034, 1089, 1090, 1109, 12170, 12505, 12514, 12516, 12519, 12528, 12541, 18, 20, 60, 4020, 8177, 1555, 1013, 1000, 1652, 1653, 4031, 1153, 2391, 12599},
		"busy":    {54, 30006, 2049},
		"person":  {1017, 1031, 1045, 28000, 28001, 942, 904, 933, 911, 900, 1732, 1779, 12154, 12269, 12650, 12660, 997, 16000, 6550, 65000},
		"refused": {24381, 20000, 20999, 4088, 4091, 2290, 2291, 12899, 1438, 1407, 1722, 1, 28115},
	} {
		for _, code := range codes {
			got, says, _ := oracle.Meaning(code)
			if got != class {
				t.Errorf("ORA-%05d is %s, want %s", code, got, class)
			}
			if !strings.HasSuffix(says, fmt.Sprintf(" (ORA-%05d)", code)) || strings.HasPrefix(says, " ") {
				t.Errorf("ORA-%05d says %q", code, says)
			}
			if _, _, hint := oracle.Meaning(code); class == "person" && hint == "" {
				t.Errorf("ORA-%05d has no hint", code)
			}
		}
	}
}
