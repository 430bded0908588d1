package demo

import (
	"fmt"
	"strings"
	"time"

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

// asks is the template whose messages have buttons.
const asks = "confirmacao"

// answers reports whether the person answers.
func (s sample) answers() bool { return s.behaviour.Answer.Act != "" }

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
		{phone: "(31) 98888-0121", name: "Úrsula", text: "Sua consulta é amanhã às 10h.", template: asks, behaviour: blipsim.Behaviour{Answer: blipsim.Answer{Act: blipsim.QuoteText, Text: "Não posso nesse dia"}}},
	}
}

// sampleRows returns n rows: the zoo, spread among good ones.
func sampleRows(n int) []sample {
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
	s := sample{
		phone: fmt.Sprintf(spellings[i%len(spellings)], area, 9100+i/9000, 1000+i%9000),
		name:  names[i%len(names)],
		text:  texts[i%len(texts)],
	}
	if i%len(texts) == 1 {
		s.template, s.text = asks, "Sua consulta é amanhã às 10h."
		switch i / len(texts) % 5 { // one of five does not answer
		case 0, 1, 2:
			s.behaviour.Answer = blipsim.Answer{Act: blipsim.PressButton, Button: 1}
		case 3:
			s.behaviour.Answer = blipsim.Answer{Act: blipsim.PressButton, Button: 2}
		}
	}
	return s
}

// scripts tells the simulator how the numbers of the rows behave.
func scripts(rows []sample) map[string]blipsim.Behaviour {
	behaviours := map[string]blipsim.Behaviour{}
	for _, s := range rows {
		if s.behaviour != (blipsim.Behaviour{}) {
			digits := strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, s.phone)
			behaviours[digits[len(digits)-8:]] = s.behaviour
		}
	}
	return behaviours
}
