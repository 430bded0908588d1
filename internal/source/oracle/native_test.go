package oracle_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"pombo"
	"pombo/test/nightly"
	"pombo/test/oracletest"
	"pombo/test/sourcetest"
)

// What a database says that wants its lines encrypted, and that finds no way.
func TestOracle_NativeEncryptionRefused(t *testing.T) {
	nightly.WithoutRace(t)
	d := startOracle(t, oracletest.Options{})
	for code, want := range map[int]string{
		12660: "the database wants the line encrypted or checked, and DB_URL rejects that (ORA-12660); take ENCRYPTION and DATA INTEGRITY out of DB_URL",
		12650: "the database and the driver know no common way to encrypt or check the line (ORA-12650); let SQLNET.ENCRYPTION_TYPES_SERVER have AES256",
		12269: "the database refuses encryption that it considers weak, and the driver knows no other (ORA-12269); use TCPS",
		12599: "the connection to the database failed (ORA-12599)",
	} {
		d.RefuseNative(code)
		_, err := openOracle(t, d, small()).Page(t.Context(), "", 1)
		sourcetest.WantError(t, err, code != 12599, want)
	}
}

// The driver encrypts and checks by itself where the database wants it: texts that
// take several packets, errors, which begin the checksums anew, and a cancel.
func TestOracle_NativeEncryption(t *testing.T) {
	nightly.WithoutRace(t)
	d := startOracle(t, oracletest.Options{Encrypt: true})
	company := pendingTable(t, d, "NOTIFICACAO", 700)
	company.Check("CK", func(r oracletest.Row) bool { return r["ID"] != "2" || r["ST"] != "2" })
	if err := company.Update(1, oracletest.Row{"TX": strings.Repeat("ação ", 800)}); err != nil {
		t.Fatal(err)
	}
	table := openOracle(t, d, small())
	rows := mustPage(t, table, "", 700)
	if len(rows) != 700 || rows[0].Params[0].Value.Reveal() != strings.Repeat("ação ", 800) {
		t.Errorf("%d rows", len(rows))
	}
	if sessions := d.Sessions(); len(sessions) != 1 || !sessions[0].Encrypted {
		t.Errorf("sessions = %+v, want one that is encrypted", sessions)
	}
	answers, err := table.Settle(t.Context(), batchOf(9))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		want := pombo.SettleDone
		if i == 1 {
			want = pombo.SettleRefused
		}
		if a.Result != want {
			t.Errorf("row %s is %s, want %s", a.RowKey, a.Result, want)
		}
	}
	struck := d.Fault(oracletest.Query, oracletest.Slow, 1).Struck()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-struck
		cancel()
	}()
	if _, err = table.Page(ctx, "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that of the context", err)
	}
	d.Forget()
	mustPage(t, table, "", 700)
	for _, c := range d.Calls() {
		if c.Step == oracletest.Connect {
			t.Error("a cancelled statement has cost a login")
		}
	}
}
