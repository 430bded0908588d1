//go:build unix

package main

import (
	"fmt"
	"strconv"
	"time"

	"pombo"
)

// persona is what becomes of a row's message, and what its person does.
type persona int

const (
	silent      persona = iota // the message arrives, and nobody says so
	noPhone                    // the row has a phone that nobody can call
	refused                    // WhatsApp refuses the first message after Blip has taken it: a second one follows
	presses                    // a button of the message
	writes                     // a text that quotes nothing
	quotes                     // the message
	thanks                     // quotes the message, and presses a button after that
	unheard                    // presses a button, and Blip's webhook does not say so
	unreachable                // not on WhatsApp: the row goes to another channel, and the message may arrive after all
	late                       // not reached in time: the same, and then WhatsApp refuses the message
	leaves                     // opts out, and then the message fails: no other channel may have the row
	leavesLate                 // the same, and the message is late
	personas
)

// personaOf says who has a row, of so many rows.
func personaOf(row, rows int) persona {
	switch row % 100 {
	case 0:
		return noPhone
	case 50:
		return refused
	case 5:
		return leaves
	case 6:
		return leavesLate
	case 7:
		return unreachable
	case 8:
		return late
	}
	switch row % 20 {
	case 1:
		return presses
	case 2:
		return writes
	case 3:
		return quotes
	case 4:
		return thanks
	case 9:
		// Blip is asked for these a minute after the message has arrived: a short run has none.
		if rows >= 1500 && row <= min(rows/10, 10_000) {
			return unheard
		}
	}
	return silent
}

// What people send. The words of the buttons give the row a code, and so does one of the texts.
const (
	pressed = "Confirmar"
	written = "Posso chegar mais tarde?"
	quoted  = "Cancelar."
	thanked = "Obrigada pelo aviso!"
	left    = "SAIR"
)

// ending is how a row has to end.
type ending struct {
	code     string
	answer   string // that stands in the row
	messages int    // that Blip has for it, each under an id of its own
	replies  int    // that the ledger has to it
	matched  bool   // they are known to be about the row
}

var endings = [personas]ending{
	silent:      {code: statusSent, messages: 1},
	noPhone:     {code: statusFailed},
	refused:     {code: statusSent, messages: 2},
	presses:     {code: statusYes, answer: pressed, messages: 1, replies: 1, matched: true},
	writes:      {code: statusSent, answer: written, messages: 1, replies: 1, matched: true},
	quotes:      {code: statusNo, answer: quoted, messages: 1, replies: 1, matched: true},
	thanks:      {code: statusYes, answer: pressed, messages: 1, replies: 2, matched: true},
	unheard:     {code: statusYes, answer: pressed, messages: 1, replies: 1, matched: true},
	unreachable: {code: statusElsewhere, messages: 1},
	late:        {code: statusElsewhere, messages: 1},
	leaves:      {code: statusFailed, messages: 1, replies: 1, matched: true},
	leavesLate:  {code: statusSent, messages: 1, replies: 1},
}

// endingOf returns how a row has to end, of so many rows.
func endingOf(row, rows int) ending { return endings[personaOf(row, rows)] }

// deed is one step of a life: what Blip posts or the person sends, until that has its 2xx, or
// what has to happen first.
type deed func(p *people, row int) error

// lives are what happens once Blip has the first message of a row.
var lives = [personas][]deed{
	refused:     {reports(down(ago))},
	presses:     {says(quoting(pressed, pressed))},
	writes:      {reports(event("received")), says(text(written))}, // what a text is about is known once that has arrived
	quotes:      {says(quoting(quoted, ""))},
	thanks:      {says(quoting(thanked, "")), sometimes(reports(event("received"))), says(quoting(pressed, pressed))},
	unheard:     {reports(event("received"))},
	unreachable: {reports(undeliverable), sometimes(elsewhere), sometimes(reports(event("received")))},
	late:        {reports(event("dispatched")), later, timeIsOver, elsewhere, reports(down(time.Hour))}, // it would be sent again at once
	leaves:      {says(quoting(left, "")), reports(undeliverable)},
	leavesLate:  {reports(event("dispatched")), says(text(left)), timeIsOver},
}

// ago is how long ago the receipt says that a message was refused. The resend is due five
// minutes after that: soon, and late enough for the row to be read again before.
const ago = 5*time.Minute - 8*time.Second

// envelope is the body of a POST of Blip's; nth tells the messages of one person apart.
type envelope func(row, nth int, at time.Time) string

// reports posts a receipt.
func reports(of envelope) deed {
	return func(p *people, row int) error { return p.post("notifications", of(row, 0, time.Now()), nil) }
}

// says posts what the person sends.
func says(what envelope) deed {
	return func(p *people, row int) error {
		at := time.Now()
		return p.post("messages", what(row, p.ackedOf(row)+1, at), func() { p.got(row, at) })
	}
}

// sometimes does something for one person in two.
func sometimes(do deed) deed {
	return func(p *people, row int) error {
		if p.chance(row, 1)%2 == 0 {
			return do(p, row)
		}
		return nil
	}
}

func later(p *people, row int) error {
	return sleep(p.ctx, time.Duration(p.chance(row, 1)%3000)*time.Millisecond)
}

// timeIsOver has the time run out in which a message has to arrive: in the ledger a day passes
// for the row.
func timeIsOver(p *people, row int) error {
	return p.until(func() bool {
		done, err := p.book.dayPasses(p.ctx, row)
		return done && err == nil
	})
}

// elsewhere waits until the row has been handed over.
func elsewhere(p *people, row int) error {
	return p.until(func() bool {
		code, err := p.source.status(p.ctx, strconv.Itoa(row))
		return err == nil && code == statusElsewhere
	})
}

func idOf(row, generation int) pombo.MessageID {
	return pombo.Key{Source: "notificacao", RowKey: strconv.Itoa(row), Generation: generation}.MessageID()
}

// number is the phone of a row without its country and area. Up to twenty million rows differ
// in it.
func number(row int) int { return 80_000_000 + row%20_000_000 }

// identity is what Blip calls the person of a row: without the ninth digit.
func identity(row int) string { return fmt.Sprintf("5531%d@wa.gw.msging.net", number(row)) }

// receipt is what Blip posts of the first message of a row.
func receipt(row int, event string, at time.Time, more string) string {
	return fmt.Sprintf(`{"event":%q,"id":%q,"from":"postmaster@wa.gw.msging.net/#gw1","to":"mybot@msging.net"%s,`+
		`"metadata":{"#envelope.timestamp":"%d","#message.to":%q}}`, event, idOf(row, 1), more, at.UnixMilli(), identity(row))
}

func event(name string) envelope {
	return func(row, _ int, at time.Time) string { return receipt(row, name, at, "") }
}

// undeliverable is not sent again.
func undeliverable(row, _ int, at time.Time) string {
	return receipt(row, "failed", at, `,"reason":{"code":131026,"description":"Message undeliverable"}`)
}

// down is the failure of a message that is sent again.
func down(ago time.Duration) envelope {
	return func(row, _ int, at time.Time) string {
		return receipt(row, "failed", at.Add(-ago), `,"reason":{"code":131016,"description":"Service unavailable"}`)
	}
}

// said is what Blip posts of what a person sends.
func said(row, nth int, kind, content, payload string, at time.Time) string {
	if payload != "" {
		payload = fmt.Sprintf(`,"#blip.payload.content":%q`, payload)
	}
	return fmt.Sprintf(`{"id":"wamid.HBgM%dX%d","from":%q,"to":"mybot@msging.net","type":%q,"content":%s,"metadata":{"#wa.timestamp":"%d"%s}}`,
		row, nth, identity(row), kind, content, at.Unix(), payload)
}

func text(words string) envelope {
	return func(row, nth int, at time.Time) string {
		return said(row, nth, "text/plain", strconv.Quote(words), "", at)
	}
}

func quoting(words, payload string) envelope {
	return func(row, nth int, at time.Time) string {
		return said(row, nth, "application/vnd.lime.reply+json", fmt.Sprintf(`{"replied":{"type":"text/plain","value":%q},`+
			`"inReplyTo":{"id":%q,"type":"application/json","direction":"sent"}}`, words, idOf(row, 1)), payload, at)
	}
}
