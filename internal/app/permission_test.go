package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

// WhatsApp answers to one message that the person has switched marketing messages off. The
// next message of a marketing template is not sent; an exam result is.
func TestOptOut_MarketingSwitchedOff(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	w := newFixture(t, 4, blipsim.Options{Scripts: blipsim.DefaultScripts(), Templates: []blipsim.Template{
		{Name: "notificacao", Category: "MARKETING", Body: "Olá, {{1}}! {{2}}"}, {Name: "exame", Category: "UTILITY", Body: "Olá, {{1}}! {{2}}"},
	}}, "DB_COL_TEMPLATE=DS_TEMPLATE")
	w.exec(`ALTER TABLE NOTIFICACAO ADD COLUMN DS_TEMPLATE TEXT`)
	_, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	var list api.OptOutList
	w.eventually(func() bool {
		var err error
		if list, err = client.OptOuts(t.Context(), "", 0); err != nil {
			t.Fatal(err)
		}
		return len(list.OptOuts) > 0
	})
	if o := list.OptOuts[0]; len(list.OptOuts) != 1 || o.By != "blip" || o.Scope != "marketing" || !strings.HasSuffix(o.Phone, "04") {
		t.Errorf("opt-outs = %+v, want the phone that ends in 04, of marketing, by blip", list.OptOuts)
	}
	w.exec(`INSERT INTO NOTIFICACAO SELECT 100, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, 1, NULL FROM NOTIFICACAO WHERE ID = 4`)
	w.exec(`INSERT INTO NOTIFICACAO SELECT 101, NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, 1, 'exame' FROM NOTIFICACAO WHERE ID = 4`)
	run, err := client.Send(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if run.Found != 2 || run.Cancelled != 1 {
		t.Errorf("run %+v, want two rows and one of them suppressed", run)
	}
	// It waits until six seconds after the message before, if they have not passed.
	w.eventually(func() bool { return w.blip.Counts().Messages == 5 })
}

// The owner withdraws a row before its next try. Set back to pending, it is sent after all.
func TestRow_WithdrawnAndSetBack(t *testing.T) {
	nightly.WithoutRace(t)
	w := newFixture(t, 17, blipsim.Options{Scripts: map[string]blipsim.Behaviour{"0017": {Fault: blipsim.Refuse, Times: 1}}})
	_, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	list, err := client.List(t.Context(), pombo.Filter{State: pombo.Failed})
	if err != nil || len(list.Notifications) != 1 {
		t.Fatalf("%d failed, %v, want one", len(list.Notifications), err)
	}
	id := list.Notifications[0].ID
	w.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 9 WHERE ID = 17`)
	if _, err := client.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool {
		n, err := client.Show(t.Context(), id)
		return err == nil && n.State == pombo.Cancelled && n.Reason == pombo.Withdrawn
	})
	if got := w.count(`SELECT CD_STATUS FROM NOTIFICACAO WHERE ID = 17`); got != 9 {
		t.Errorf("status %d, want 9: it is the owner's", got)
	}
	if run, err := client.Send(t.Context(), 0); err != nil || run.Found != 0 {
		t.Errorf("run %+v, %v, want nothing found", run, err)
	}
	w.exec(`UPDATE NOTIFICACAO SET CD_STATUS = 1 WHERE ID = 17`)
	if run, err := client.Send(t.Context(), 0); err != nil || run.Found != 1 {
		t.Errorf("run %+v, %v, want the row found", run, err)
	}
}

// On a holiday rows wait, and /readyz says so; those that expire do expire.
func TestQuiet_Holiday(t *testing.T) {
	nightly.WithoutRace(t)
	t.Parallel() // it waits most of the time
	now := time.Now()
	var days []string
	for i := -1; i <= 2; i++ {
		days = append(days, now.AddDate(0, 0, i).Format(time.DateOnly)+" feriado")
	}
	file := filepath.Join(t.TempDir(), "holidays.txt")
	if err := os.WriteFile(file, []byte(strings.Join(days, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newFixture(t, 3, blipsim.Options{}, "HOLIDAYS_FILE="+file, "DB_COL_EXPIRES=DT_VALIDADE", "DB_TIMEZONE=UTC")
	w.exec(`ALTER TABLE NOTIFICACAO ADD COLUMN DT_VALIDADE TEXT`)
	w.exec(`UPDATE NOTIFICACAO SET DT_VALIDADE = ? WHERE ID = 2`, now.Add(3*time.Second).UTC().Format(time.DateTime))
	_, client := w.start()
	run, err := client.Send(t.Context(), 0)
	if err != nil || run.Found != 3 || run.Retrying+run.Cancelled != 3 {
		t.Fatalf("run %+v, %v, want 3 that wait", run, err)
	}
	w.eventually(func() bool {
		list, err := client.List(t.Context(), pombo.Filter{State: pombo.Expired})
		return err == nil && len(list.Notifications) == 1 && list.Notifications[0].Row == "2"
	})
	list, err := client.List(t.Context(), pombo.Filter{State: pombo.Queued})
	if err != nil || len(list.Notifications) != 2 {
		t.Fatalf("%d queued, %v, want 2", len(list.Notifications), err)
	}
	for _, n := range list.Notifications {
		if n.Reason != pombo.QuietHours || n.Message == "" || !strings.Contains(n.Detail, "in America/Sao_Paulo") || n.NotBefore.Before(now.Add(24*time.Hour)) {
			t.Errorf("%+v, want quiet_hours, until when and where", n)
		}
	}
	if got := w.blip.Counts().Messages; got != 0 {
		t.Errorf("%d messages, want none", got)
	}
}
