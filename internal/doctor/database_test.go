package doctor

import (
	"strings"
	"testing"
	"time"

	"pombo/internal/config"
	"pombo/internal/ledger"
	"pombo/test/oracletest"
)

// seen is what is said of one check.
func seen(t *testing.T, found []Finding, check string) Finding {
	t.Helper()
	for _, f := range found {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding of %s in %+v", check, found)
	return Finding{}
}

func wantSeen(t *testing.T, found []Finding, check string, result Result, what, todo string) {
	t.Helper()
	f := seen(t, found, check)
	if f.Result != result || !strings.Contains(f.Message, what) || !strings.Contains(f.Hint, todo) {
		t.Errorf("%s: %+v, want %s with %q and to do %q", check, f, result, what, todo)
	}
}

// Faults that are planted in an Oracle database are found, each by its check. What
// the source says of each in detail is tested there.
func TestDiagnoseSource_FindsFaultsOfOracle(t *testing.T) {
	days := func(n int) time.Time { return time.Now().Add(time.Duration(n)*24*time.Hour + time.Hour) }
	for name, c := range map[string]struct {
		options oracletest.Options
		plant   func(*oracletest.Double, *oracletest.Table)
		check   string
		result  Result
		what    string
		todo    string
	}{
		"all in order":     {check: "table", result: OK},
		"no code":          {check: "status codes", result: Warn, what: "keeps CD_STATUS = 1", todo: "STATUS_FAILED"},
		"a plan unasked":   {check: "plan", result: Skipped, what: "PLAN_TABLE"},
		"no index":         {check: "index", result: Warn, what: "no index of NOTIFICACAO", todo: "CREATE INDEX"},
		"a clock behind":   {options: oracletest.Options{Now: func() time.Time { return time.Now().Add(-10 * time.Minute) }}, check: "clock", result: Warn, what: "behind", todo: "NTP"},
		"a dying password": {plant: func(d *oracletest.Double, _ *oracletest.Table) { d.SetExpiry(days(5)) }, check: "password", result: Warn, what: "expires in 5 days", todo: "DB_PASSWORD"},
		"a wrong password": {options: oracletest.Options{Password: "another"}, check: "table", result: Fail, what: "ORA-01017", todo: "DB_PASSWORD"},
		"a locked account": {plant: func(d *oracletest.Double, _ *oracletest.Table) { d.SetAccount(oracletest.AccountLocked) }, check: "table", result: Fail, what: "ORA-28000", todo: "ACCOUNT UNLOCK"},
		"an expired one":   {plant: func(d *oracletest.Double, _ *oracletest.Table) { d.SetAccount(oracletest.AccountExpired) }, check: "table", result: Fail, what: "ORA-28001", todo: "set a new one"},
		"an unknown one":   {options: oracletest.Options{Service: "RH"}, check: "table", result: Fail, what: "ORA-12514", todo: "lsnrctl services"},
		"another schema": {plant: func(d *oracletest.Double, c *oracletest.Table) {
			c.RevokeSelect()
			c.RevokeUpdate()
			mustTable(t, d, "ERP.NOTIFICACAO")
		}, check: "table", result: Fail, what: "sees no such table", todo: "did you mean ERP.NOTIFICACAO?"},
		"no right to write": {plant: func(_ *oracletest.Double, c *oracletest.Table) { c.RevokeUpdate("CD_STATUS") }, check: "table", result: Fail, what: "ORA-01031", todo: "GRANT SELECT, UPDATE"},
		"a rigid view":      {plant: func(_ *oracletest.Double, c *oracletest.Table) { c.ReadOnly() }, check: "table", result: Fail, what: "ORA-01732", todo: "INSTEAD OF"},
		"listener down":     {plant: func(d *oracletest.Double, _ *oracletest.Table) { d.Down() }, check: "network", result: Fail, what: "no connection", todo: "DB_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := oracletest.Start(c.options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Close)
			table := mustTable(t, d, "NOTIFICACAO")
			if c.plant != nil {
				c.plant(d, table)
			}
			found := diagnoseSource(t.Context(), settings(t, "DB_URL=oracle://pombo:s3nha@"+d.Addr()+"/ERP"), running{})
			wantSeen(t, found, c.check, c.result, c.what, c.todo)
			for _, call := range d.Calls() {
				if strings.HasPrefix(call.SQL, "UPDATE") && !strings.HasSuffix(call.SQL, "WHERE 1 = 0") {
					t.Errorf("doctor changed something: %s", call.SQL)
				}
			}
		})
	}
}

func mustTable(t *testing.T, d *oracletest.Double, name string) *oracletest.Table {
	t.Helper()
	table, err := d.NewTable(name, "ID NUMBER(19) PRIMARY KEY", "NR_TELEFONE VARCHAR2(30)", "NM_CONTATO VARCHAR2(100)", "DS_MENSAGEM CLOB", "CD_STATUS NUMBER(2) NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func settings(t *testing.T, environ ...string) config.Config {
	t.Helper()
	c, _, err := config.Load("", environ, config.NeedSource)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The rights of the account on a ledger in PostgreSQL: to make it, then to use it.
func TestLedgerRights(t *testing.T) {
	server := postgres.Server(t)
	database := databaseFor(t, "pombo")
	do := func(statements ...string) {
		t.Helper()
		if err := server.Exec(t.Context(), database, statements...); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE ROLE pombo LOGIN PASSWORD 'x'", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	address := server.DSNAs("pombo", "x", database)
	want := func(result Result, what, todo string) {
		t.Helper()
		wantSeen(t, diagnoseServer(t.Context(), address), "rights", result, what, todo)
	}
	want(Fail, "there is no ledger yet, and pombo may not create tables in the schema public", "GRANT CREATE ON SCHEMA public TO pombo")
	do("GRANT CREATE ON SCHEMA public TO pombo")
	want(OK, "may create the ledger's tables", "")
	if _, _, err := ledger.Migrate(t.Context(), server.DSN(database)); err != nil { // as somebody else
		t.Fatal(err)
	}
	want(Fail, "INSERT on notification", "GRANT SELECT, INSERT, UPDATE, DELETE")
	do("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pombo")
	want(OK, "may read and write the ledger's tables", "")
	do("REVOKE UPDATE ON quota FROM pombo")
	want(Fail, "pombo lacks UPDATE on quota in the schema public", "GRANT")
	do("ALTER ROLE pombo SET search_path = elsewhere")
	want(Fail, "no schema to work in", "search_path")

	// A wrong password is reported with the schema.
	address = server.DSNAs("pombo", "y", database)
	want(Skipped, "has to be reached first", "")
}
