// Package sourcetest is the conformance suite of source databases: what every kind of
// database must do as the company's table. Run plays the program; an Owner, one for each
// database, plays the company, which fills the table and changes it meanwhile.
package sourcetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/source"
	"pombo/test/nightly"
)

// KeyKind is the type of the key column.
type KeyKind string

// The types of row keys that every database must support.
const (
	Whole KeyKind = "whole numbers"
	Words KeyKind = "text"
	UUID  KeyKind = "UUID"
)

// Key returns the n-th row key of the kind (from 1) in its canonical text. The keys
// increase with n.
func (k KeyKind) Key(n int) string {
	switch k {
	case Whole:
		return fmt.Sprint(n)
	case Words:
		return fmt.Sprintf("PED-%06d", n)
	default:
		return fmt.Sprintf("%08x-0000-4000-8000-00000000abcd", n)
	}
}

// Schema says how to create the table. Its name is NOTIFICACAO and it has the columns of
// Mapping.
type Schema struct {
	Key        KeyKind
	StatusText bool // the status column holds text; else whole numbers
	Where      string
	Documents  bool // BL_ANEXO, a column of bytes, is mapped: the table has it anyway
}

// Mapping returns the mapping of the table, with the schema's condition.
func (s Schema) Mapping() source.Mapping {
	m := Mapping()
	m.Where = s.Where
	if s.Documents {
		// Before other values: the order is that of the mapping.
		m.Params = append([]source.Param{{Slot: Document, Name: "BL_ANEXO"}}, m.Params...)
	}
	return m
}

// Mapping returns the mapping of the table: ID, NR_TELEFONE, NM_CONTATO,
// DS_MENSAGEM, CD_STATUS, CD_TEMPLATE, CD_IDIOMA, NR_PRIORIDADE (a number), DT_ENVIO and
// DT_EXPIRA (text), ID_LEMBRADA (as ID), CD_MENSAGEM, DT_ENVIADA, DS_ERRO, DS_RESPOSTA and
// DT_RESPOSTA.
func Mapping() source.Mapping {
	return source.Mapping{
		Table: "NOTIFICACAO", RowKey: "ID", Phone: "NR_TELEFONE", Status: "CD_STATUS",
		Params:   []source.Param{{Slot: pombo.Body, Name: "NM_CONTATO"}, {Slot: pombo.HeaderText, Name: "DS_MENSAGEM"}},
		Template: "CD_TEMPLATE", Language: "CD_IDIOMA", Priority: "NR_PRIORIDADE", SendAfter: "DT_ENVIO", Expires: "DT_EXPIRA",
		Reminds: "ID_LEMBRADA", MessageID: "CD_MENSAGEM", SentAt: "DT_ENVIADA", Error: "DS_ERRO", Reply: "DS_RESPOSTA", ReplyAt: "DT_RESPOSTA",
		Pending: "1", Codes: []string{"2", "3"},
		Zone: time.FixedZone("Brasília", -3*60*60),
	}
}

// Row is a row as the owner inserts it. A nil value is NULL.
type Row struct {
	RowKey                                                    string
	Phone, Name, Text, Template, Language, SendAfter, Expires any
	Priority                                                  any
	Reminds                                                   string // the key of another row; "" = NULL
	Status                                                    string
	Document                                                  []byte
}

// Document is the slot of the column of bytes.
const Document pombo.Slot = "header-document-blob"

// Owner is the company's side of a fresh table. Its methods fail the test when they cannot
// do their work.
type Owner interface {
	// Insert inserts the rows in one transaction.
	Insert(rows ...Row)
	// SetStatus changes the status of a row by hand.
	SetStatus(key, code string)
	Delete(key string)
	// Written returns what was written back to a row; NULL is "".
	Written(key string) Written
	// Refuse makes every change of the row fail, in a trigger whose message is words.
	Refuse(key, words string)
	// Ignore makes every change of the row vanish without an error. It returns false if the
	// database cannot do that.
	Ignore(key string) bool
	// Lock locks a row, like somebody who has changed it and not committed yet, until
	// release is called. It returns nil if the database cannot lock single rows.
	Lock(key string) (release func())
}

// Written is what Pombo writes back to a row.
type Written struct{ Status, MessageID, SentAt, Error, Reply, ReplyAt string }

// Open creates a fresh table for one test and opens it.
type Open func(t *testing.T, s Schema) (*source.Table, Owner)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, key := range []KeyKind{Whole, Words, UUID} {
		for _, statusText := range []bool{false, true} {
			if !nightly.On() && statusText != (key == Words) {
				continue // by day each kind of key and of status once
			}
			s := Schema{Key: key, StatusText: statusText}
			name := string(key) + ", status a number"
			if statusText {
				name = string(key) + ", status a text"
			}
			t.Run(name, func(t *testing.T) {
				for _, c := range cases {
					if (c.once || c.rare && !nightly.On()) && s != (Schema{Key: Whole}) {
						continue
					}
					t.Run(c.name, func(t *testing.T) {
						if !c.meeting {
							nightly.WithoutRace(t)
						}
						table, owner := open(t, s)
						c.run(&bench{T: t, key: key.Key, Table: table, Owner: owner})
					})
				}
			})
		}
	}
	t.Run("a condition beside the status", func(t *testing.T) {
		nightly.WithoutRace(t)
		table, owner := open(t, Schema{Key: Whole, Where: "NR_PRIORIDADE > 4 AND (NM_CONTATO <> 'x' OR NM_CONTATO IS NULL)"})
		where(&bench{T: t, key: Whole.Key, Table: table, Owner: owner})
	})
	for _, key := range []KeyKind{Whole, Words, UUID} {
		t.Run("documents, "+string(key), func(t *testing.T) {
			nightly.WithoutRace(t)
			table, owner := open(t, Schema{Key: key, Documents: true})
			documents(&bench{T: t, key: key.Key, Table: table, Owner: owner})
		})
	}
}

// where takes in the rows that meet the condition, page by page, and settles any row.
func where(b *bench) {
	for n := 1; n <= 9; n++ {
		r := b.row(n)
		r.Priority = n
		b.Insert(r)
	}
	b.wantKeys(b.pass(2), 5, 6, 7, 8, 9)
	b.wantResults(b.settle(b.to(1, "1", "2"), b.to(6, "1", "2")), pombo.SettleDone, pombo.SettleDone)
	b.wantKeys(b.pass(10), 5, 7, 8, 9)
	if err := b.Check(b.Context()); err != nil {
		b.Error(err)
	}
}

var cases = []struct {
	name string
	run  func(b *bench)
	once bool // it is slow, and does not depend on the types of keys and statuses
	rare bool // so by day, because keys and statuses go the same way in it as in others; at night it runs with all
	// meeting means that goroutines meet in it: by day the race detector watches it.
	meeting bool
}{
	{name: "an empty table", run: emptyTable, rare: true},
	{name: "pages in the order of the key", run: pages},
	{name: "a page begins after any key", run: pageBehindAnyKey},
	{name: "rows that come and go between pages", run: pagesOverChanges, meeting: true},
	{name: "ten thousand rows", run: tenThousand, rare: true},
	{name: "the values of a row", run: values, rare: true},
	{name: "NULL everywhere", run: nulls, rare: true},
	{name: "a text of ten megabytes", run: hugeText, rare: true},
	{name: "an unreadable time stops no other row", run: unreadableTime, rare: true},
	{name: "times beyond all calendars", run: farTimes, rare: true},
	{name: "a template name that is not one", run: noTemplate, rare: true},
	{name: "languages", run: languages, rare: true},
	{name: "a page of nothing but unreadable rows", run: onlyUnreadable, rare: true},
	{name: "one row", run: oneRow},
	{name: "statuses", run: statuses},
	{name: "settle writes everything mapped", run: settleWrites},
	{name: "settle again", run: settleAgain, rare: true},
	{name: "settle a row that may have one of two codes", run: settleUnsure, rare: true},
	{name: "settle keeps a value that is not known", run: settleKeeps, rare: true},
	{name: "settle what its owner changed", run: settleDiverged},
	{name: "settle a batch of several codes and one row twice", run: settleMixed},
	{name: "settle with a trigger that refuses one row", run: settleRefused},
	{name: "settle with every row refused", run: settleAllRefused, rare: true},
	{name: "settle with a trigger that ignores", run: settleIgnored, rare: true},
	{name: "settle keys that no row can have", run: settleImpossible},
	{name: "settle answers", run: settleAnswers},
	{name: "settle answers over a code that stays", run: settleAnswersAlone, rare: true},
	{name: "settle an answer that may have been written", run: settleAnswerAgain, rare: true},
	{name: "settle five hundred", run: settleMany},
	{name: "settle a row that its owner has locked", run: settleLocked, once: true, meeting: true},
	{name: "eight settle the same rows at once", run: settleTogether, meeting: true},
	{name: "values that look like SQL", run: injection},
	{name: "a context that has ended", run: contextEnded, rare: true, meeting: true},
	{name: "check", run: check},
	{name: "inspect", run: inspect, rare: true},
	{name: "statements and advice", run: listed},
}

// bench is the fixture of a case.
type bench struct {
	*testing.T
	*source.Table
	Owner
	key func(int) string
}

// fill inserts pending rows from first to last.
func (b *bench) fill(first, last int) {
	b.Helper()
	rows := make([]Row, 0, last-first+1)
	for n := first; n <= last; n++ {
		rows = append(rows, b.row(n))
	}
	b.Insert(rows...)
}

func (b *bench) row(n int) Row {
	return Row{RowKey: b.key(n), Phone: "(31) 98888-0000", Name: "Maria", Text: "Olá, João: “amanhã” às 10h", Status: "1"}
}

func (b *bench) page(after string, limit int) []pombo.Row {
	b.Helper()
	rows, err := b.Page(b.Context(), after, limit)
	if err != nil {
		b.Fatalf("Page(%q, %d): %v", after, limit, err)
	}
	return rows
}

// pass reads page after page until the end and returns the keys.
func (b *bench) pass(limit int) []string {
	b.Helper()
	var keys []string
	for after := ""; ; {
		rows := b.page(after, limit)
		for _, r := range rows {
			keys = append(keys, r.RowKey)
		}
		if len(rows) < limit {
			return keys
		}
		after = rows[len(rows)-1].RowKey
	}
}

func (b *bench) keys(numbers ...int) []string {
	keys := make([]string, len(numbers))
	for i, n := range numbers {
		keys[i] = b.key(n)
	}
	return keys
}

func (b *bench) wantKeys(got []string, numbers ...int) {
	b.Helper()
	if want := b.keys(numbers...); !slices.Equal(got, want) {
		b.Errorf("keys = %q, want %q", got, want)
	}
}

func (b *bench) settle(batch ...pombo.Settlement) []pombo.Settled {
	b.Helper()
	got, err := b.Settle(b.Context(), batch)
	if err != nil {
		b.Fatalf("Settle: %v", err)
	}
	if len(got) != len(batch) {
		b.Fatalf("Settle returned %d answers for %d settlements", len(got), len(batch))
	}
	for i := range got {
		if diff := cmp.Diff(batch[i], got[i].Settlement); diff != "" {
			b.Errorf("answer %d is of another settlement (-want +got):\n%s", i, diff)
		}
	}
	return got
}

func (b *bench) wantResults(got []pombo.Settled, want ...pombo.SettleResult) {
	b.Helper()
	for i, w := range want {
		if got[i].Result != w {
			b.Errorf("row %s is %s (%s), want %s", got[i].RowKey, got[i].Result, got[i].Detail, w)
		}
	}
}

func (b *bench) wantStatus(n int, want string) {
	b.Helper()
	if got := b.Written(b.key(n)).Status; got != want {
		b.Errorf("status of row %d = %q, want %q", n, got, want)
	}
}

func (b *bench) to(n int, expected, code string) pombo.Settlement {
	return pombo.Settlement{Seq: int64(n), RowKey: b.key(n), Expected: expected, Code: code}
}

// sent settles the rows up to last as sent.
func (b *bench) sent(last int) (batch []pombo.Settlement) {
	for n := 1; n <= last; n++ {
		batch = append(batch, b.to(n, "1", "2"))
	}
	return batch
}

func injection(b *bench) {
	const evil = `'; DROP TABLE NOTIFICACAO; --"]}`
	b.fill(1, 3)
	s := b.to(1, "1", "2")
	s.Error = evil
	b.settle(s)
	if got := b.Written(b.key(1)).Error; got != evil {
		b.Errorf("error column = %q, want %q", got, evil)
	}
	s = b.to(2, "1", "2")
	s.RowKey = evil
	b.wantResults(b.settle(s), pombo.SettleGone)
	s = b.to(2, evil, "2")
	b.wantResults(b.settle(s), pombo.SettleDiverged)
	b.wantKeys(b.pass(10), 2, 3)
}

func contextEnded(b *bench) {
	b.fill(1, 2)
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if _, err := b.Page(ctx, "", 10); err == nil {
		b.Error("Page with an ended context: no error")
	}
	got, err := b.Settle(ctx, []pombo.Settlement{b.to(1, "1", "2")})
	if err == nil {
		b.Error("Settle with an ended context: no error")
	}
	b.wantResults(got, pombo.SettleLater)
	b.wantStatus(1, "1")
}

func check(b *bench) {
	b.fill(1, 2)
	for range 2 {
		if err := b.Check(b.Context()); err != nil {
			b.Errorf("Check: %v", err)
		}
	}
	b.wantKeys(b.pass(10), 1, 2)
}

func inspect(b *bench) {
	b.fill(1, 2)
	if !slices.Contains(b.Diagnostics(), source.DiagnosticIndex) {
		b.Error("no diagnostic of the index: a slow page cannot say what it lacks")
	}
	for _, d := range b.Diagnostics() {
		if found, err := b.Inspect(b.Context(), d); err != nil || found.Message == "" || strings.Contains(found.Message+found.Hint, "Maria") {
			b.Errorf("Inspect(%s) = %+v, %v", d, found, err)
		}
	}
	b.wantKeys(b.pass(10), 1, 2)
}

// listed checks what pombo sql prints: every text has a purpose, and the first advice
// is the index.
func listed(b *bench) {
	for _, s := range append(b.SQL(), b.Advice()...) {
		if s.Purpose == "" {
			b.Errorf("statement %+v has no purpose", s)
		}
	}
	if a := b.Advice(); len(a) == 0 || !strings.HasPrefix(a[0].Text, "CREATE INDEX") {
		b.Errorf("advice = %+v, want an index first", a)
	}
	if len(b.SQL()) == 0 {
		b.Error("the table lists no statement")
	}
}
