package settle

import (
	"context"
	"log/slog"
	"testing"

	"pombo"
	"pombo/internal/words"
)

type fakeTable struct{ got []pombo.Settlement }

func (f *fakeTable) Settle(_ context.Context, batch []pombo.Settlement) ([]pombo.Settled, error) {
	f.got = batch
	return nil, nil
}

type fakeLedger []pombo.Settlement

func (f fakeLedger) HandOver(context.Context, int, func(string, string) (bool, bool)) (failed, late int, err error) {
	return 0, 0, nil
}
func (f fakeLedger) Unsettled(context.Context, int) ([]pombo.Settlement, error) { return f, nil }
func (f fakeLedger) Settled(context.Context, []pombo.Settled) error             { return nil }

// TestSettle_ErrorInWords: the row gets the reason in the language of the settings,
// with its code, and nothing when the message was sent.
func TestSettle_ErrorInWords(t *testing.T) {
	for language, want := range map[words.Language]string{
		words.Portuguese: "o número não tem WhatsApp (not_on_whatsapp)",
		words.English:    "the number is not on WhatsApp (not_on_whatsapp)",
	} {
		var table fakeTable
		ledger := fakeLedger{{RowKey: "1", Reason: pombo.NotOnWhatsApp}, {RowKey: "2"}}
		s := New(Options{Source: &table, Ledger: ledger, Words: words.In(language), Logger: slog.New(slog.DiscardHandler)})
		if _, err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(table.got) != 2 || table.got[0].Error != want || table.got[1].Error != "" {
			t.Errorf("%s: the table gets %+v, want %q and nothing", language, table.got, want)
		}
	}
}
