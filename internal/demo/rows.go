package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the sample table is made here, not by package source, which may not

	"pombo/internal/blipsim"
)

// sample is one row of the demo's table.
type sample struct {
	phone, name string
	text        string // "" = NULL
	template    string // "" = NULL, the configured one
	// behaviour is what becomes of messages to the number.
	behaviour blipsim.Behaviour
	fails     bool // else it is delivered
	doubt     bool // after nobody knew for some seconds whether it had gone
}

// zoo has one row of each kind that a table meets in a year. The last eight
// digits of a number tell the simulator how it behaves.
func zoo() []sample {
	const ready = "seu exame está pronto"
	return []sample{
		{phone: "+55 (11) 98888-0101", name: "Ana", text: ready},
		{phone: "sem telefone", name: "Bruno", text: ready, fails: true},
		{phone: "(31) 98888-0103", name: "Carla", text: ready, fails: true, behaviour: blipsim.Behaviour{Reason: 131026}}, // no WhatsApp
		{phone: "(31) 98888-0104", name: "Davi", text: ready, doubt: true, behaviour: blipsim.Behaviour{Fault: blipsim.CutAfterAccept, Times: 1}},
		{phone: "21 8888-0105", name: "Elisa", text: ready},                                           // the ninth digit is missing
		{phone: "(31) 98888-0106", name: "Fábio", text: strings.Repeat(ready+". ", 200), fails: true}, // too long
		{phone: "(31) 98888-0107", name: "Gilda", text: "seu exame\nestá pronto", fails: true},        // a line break
		{phone: "(31) 98888-0108", name: "Heitor", text: "", fails: true},                             // no text
		{phone: "(31) 3222-0109", name: "Inês", text: ready},                                          // a landline
		{phone: "+351 912 345 110", name: "João", text: ready},                                        // abroad
		{phone: "0055 41 98888 0111", name: "Kátia", text: ready},                                     //
		{phone: "0xx51 98888-0112", name: "Luís", text: ready},                                        // as on old letterheads
		{phone: "(81) 98888-0113 / (81) 3222-0113", name: "Márcia", text: ready},                      // two in one field
		{phone: "(31) 98888-0114", name: "Nelson", text: ready, behaviour: blipsim.Behaviour{Fault: blipsim.Slow, Wait: 1500 * time.Millisecond}},
		{phone: "(31) 98888-0115", name: "Olga", text: ready, doubt: true, behaviour: blipsim.Behaviour{Fault: blipsim.Error502, Times: 1}},
		{phone: "(31) 98888-0116", name: "Paulo", text: ready, doubt: true, behaviour: blipsim.Behaviour{Fault: blipsim.Error503, Times: 1}},
		{phone: "(31) 98888-0117", name: "Quitéria", text: ready, doubt: true, behaviour: blipsim.Behaviour{Fault: blipsim.Error504, Times: 1, Taken: true}},
		{phone: "(31) 98888-0118", name: "Rui", text: ready, doubt: true, behaviour: blipsim.Behaviour{Fault: blipsim.Hang, Times: 1}},
		{phone: "(31) 98888-0119", name: "Sônia", text: ready, fails: true, behaviour: blipsim.Behaviour{Reason: 131050}}, // opted out
		{phone: "(31) 98888-0120", name: "Tiago", text: ready, fails: true, behaviour: blipsim.Behaviour{Fault: blipsim.Refuse}},
	}
}

// demoRows returns n rows: the zoo, spread among good ones.
func demoRows(n int) []sample {
	special := zoo()
	rows := make([]sample, 0, n)
	every := max(1, n/len(special))
	for i := range n {
		if k := i / every; i%every == every-1 && k < len(special) {
			rows = append(rows, special[k])
			continue
		}
		rows = append(rows, goodRow(i))
	}
	return rows
}

// goodRow returns a row whose number nobody else of the demo has, spelled in
// one of the ways that people spell numbers.
func goodRow(i int) sample {
	areas := []int{11, 21, 31, 41, 51, 61, 71, 81, 85, 92}
	names := []string{"Maria", "José", "Antônia", "Francisco", "Adriana", "Carlos", "Juliana", "Paulo", "Márcia", "Pedro"}
	texts := []string{"seu exame está pronto", "sua consulta é amanhã às 10h", "sua fatura vence em 3 dias", "seu pedido saiu para entrega"}
	spellings := []string{"(%d) 9%04d-%04d", "%d9%04d%04d", "+55 %d 9%04d-%04d", "0%d 9%04d %04d", "55%d9%04d%04d"}
	area := areas[i%len(areas)]
	return sample{
		phone: fmt.Sprintf(spellings[i%len(spellings)], area, 9100+i/9000, 1000+i%9000),
		name:  names[i%len(names)],
		text:  texts[i%len(texts)],
	}
}

// demoScripts tells the simulator how the numbers of the zoo behave.
func demoScripts() map[string]blipsim.Behaviour {
	scripts := map[string]blipsim.Behaviour{}
	for _, s := range zoo() {
		if s.behaviour != (blipsim.Behaviour{}) {
			digits := strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, s.phone)
			scripts[digits[len(digits)-8:]] = s.behaviour
		}
	}
	return scripts
}

// The codes that the demo's settings have, so that the table tells all.
const (
	codePending = iota + 1
	codeSent
	codeFailed
	codeDelivered
	codeRead
)

// demoTable is the company's table of the demo, as the company sees it.
type demoTable struct{ db *sql.DB }

// createDemoTable makes the file with the rows. The caller closes it.
func createDemoTable(ctx context.Context, path string, rows []sample) (*demoTable, error) {
	address := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(),
		RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return nil, fmt.Errorf("make the sample table: %w", err)
	}
	if err := fillDemoTable(ctx, db, rows); err != nil {
		return nil, errors.Join(fmt.Errorf("make the sample table: %w", err), db.Close())
	}
	return &demoTable{db}, nil
}

func fillDemoTable(ctx context.Context, db *sql.DB, rows []sample) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	_, err = tx.ExecContext(ctx, `CREATE TABLE NOTIFICACAO (
		ID          INTEGER PRIMARY KEY,
		NR_TELEFONE TEXT,
		NM_CONTATO  TEXT,
		DS_MENSAGEM TEXT,
		CD_STATUS   INTEGER NOT NULL DEFAULT 1,
		NM_TEMPLATE TEXT,
		DS_ERRO     TEXT
	); CREATE INDEX NOTIFICACAO_PENDENTE ON NOTIFICACAO (CD_STATUS, ID)`)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO NOTIFICACAO (NR_TELEFONE, NM_CONTATO, DS_MENSAGEM, NM_TEMPLATE)
		VALUES (?, ?, nullif(?, ''), nullif(?, ''))`)
	if err != nil {
		return err
	}
	defer insert.Close() //nolint:errcheck // it ends with the transaction
	for _, r := range rows {
		if _, err := insert.ExecContext(ctx, r.phone, r.name, r.text, r.template); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (t *demoTable) close() error { return t.db.Close() }

// codes counts the rows by their status code.
func (t *demoTable) codes(ctx context.Context) (map[int]int, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT CD_STATUS, count(*) FROM NOTIFICACAO GROUP BY CD_STATUS`)
	if err != nil {
		return nil, fmt.Errorf("count the sample table: %w", err)
	}
	defer rows.Close()
	counts := map[int]int{}
	for rows.Next() {
		var code, n int
		if err := rows.Scan(&code, &n); err != nil {
			return nil, fmt.Errorf("count the sample table: %w", err)
		}
		counts[code] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count the sample table: %w", err)
	}
	return counts, nil
}
