package sourcetest

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"pombo"
)

// documents: a page has the place of a BLOB and not its bytes, which are read alone.
func documents(b *bench) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	rows := []Row{b.row(1), b.row(2), b.row(3), b.row(4)}
	rows[0].Document = all
	rows[1].Document = bytes.Repeat(all, 3<<20/len(all))
	rows[2].Document = []byte{}
	rows[3].Document = []byte(`\x4d5a`) // as PostgreSQL writes bytes in text
	b.Insert(rows...)

	for _, r := range b.page("", 10) {
		want := []pombo.Slot{Document, pombo.Body, pombo.HeaderText}
		if got := pombo.Slots(r.Params); !slices.Equal(got, want) || r.Params[0].Value != "" {
			b.Errorf("row %s gives %q, the first %q; want %q and nothing", r.RowKey, got, r.Params[0].Value.Reveal(), want)
		}
	}
	row, err := b.Row(b.Context(), b.key(1))
	if err != nil || len(row.Params) != 3 || row.Params[1].Value != "Maria" {
		b.Errorf("Row = %d values, %v", len(row.Params), err)
	}
	for i, r := range rows {
		size, err := b.BlobSize(b.Context(), r.RowKey, Document)
		if err != nil || size != int64(len(r.Document)) {
			b.Errorf("document %d: size %d, %v; want %d", i+1, size, err, len(r.Document))
		}
		got, err := b.Blob(b.Context(), r.RowKey, Document)
		if err != nil || !bytes.Equal(got, r.Document) {
			b.Errorf("document %d: %d bytes, %v; want the %d that were inserted", i+1, len(got), err, len(r.Document))
		}
	}
	b.Insert(b.row(5)) // NULL
	if size, err := b.BlobSize(b.Context(), b.key(5), Document); size != 0 || err != nil {
		b.Errorf("NULL has the size %d, %v", size, err)
	}
	if got, err := b.Blob(b.Context(), b.key(5), Document); len(got) != 0 || err != nil {
		b.Errorf("NULL has %d bytes, %v", len(got), err)
	}
	for _, key := range []string{b.key(9), "no key of any kind here"} {
		if _, err := b.BlobSize(b.Context(), key, Document); !errors.Is(err, pombo.ErrNotFound) {
			b.Errorf("size of a row that is not there: %v, want pombo.ErrNotFound", err)
		}
	}
	if _, err := b.Blob(b.Context(), b.key(1), pombo.HeaderImage+"-blob"); err == nil {
		b.Error("a slot without a column: no error")
	}
	if err := b.Check(b.Context()); err != nil {
		b.Errorf("Check: %v", err)
	}
	b.settle(b.to(1, "1", "2"))
	b.wantStatus(1, "2")
}

// languages: as people write them; a phone in the column is not one.
func languages(b *bench) {
	rows := []Row{b.row(1), b.row(2), b.row(3), b.row(4), b.row(5)}
	rows[0].Language = "en_US"
	rows[1].Language = " PT-br "
	rows[2].Language = nil
	rows[3].Language = "31977774506planted"
	rows[4].Language = "es"
	b.Insert(rows...)
	var got []string
	for _, r := range b.page("", 10) {
		got = append(got, r.Language)
	}
	if want := []string{"en_US", "pt_BR", "", "es"}; !slices.Equal(got, want) {
		b.Errorf("languages = %q, want %q", got, want)
	}
	problems := b.Problems()
	if len(problems) != 1 || problems[0].Column != "CD_IDIOMA" || strings.Contains(problems[0].String(), "planted") {
		b.Errorf("problems = %v, want one that does not repeat the text", problems)
	}
}
