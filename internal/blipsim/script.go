package blipsim

import (
	"slices"
	"sync"
	"time"
)

// Behaviour is how a number behaves.
type Behaviour struct {
	// Reason is the code with which each accepted message to the number fails; 0 = none
	// fails. After says when; 0 = FailedAfter.
	Reason int
	After  time.Duration
	// NoAccount makes /accounts fail for the number under LegacyAccounts.
	NoAccount bool

	// Fault hits the first Times POSTs of each message to the number; Times 0 = all of
	// them. Taken says that an ambiguous one is processed. Wait is how long the answer
	// takes.
	Fault Fault
	Times int
	Taken bool
	Wait  time.Duration

	// StopAfter ends the receipts after this event; "" = all come.
	StopAfter Event

	// Answer is what the person sends when a message was received.
	Answer Answer
}

// DefaultScripts returns the behaviour of some numbers, by their last four digits. It
// applies only if Options.Scripts has it: a benchmark with random numbers must not meet
// them.
//
//	0001  not on WhatsApp: failed 131026; no account under LegacyAccounts
//	0002  the 24 hour window is closed: failed 131047
//	0003  WhatsApp's marketing cap: failed 131049
//	0004  opted out: failed 131050
//	0005  too many messages to one person: failed 131056
//	0006  in one of WhatsApp's experiments: failed 130472
//	0007  the gateway gives no answer: failed 86 after 60 s
//	0008  the first POST of each message is accepted, its answer cut
//	0009  the first POST is cut and not accepted
//	0010  the first POST hangs and is not accepted
//	0011  the first POST gets 502 and is not accepted
//	0012  the first POST gets 503 and is not accepted
//	0013  the first POST gets 504 and is accepted
//	0014  the answer takes 3 s
//	0015  accepted, then no further receipt
//	0016  the first POST gets 429
//	0017  every POST is refused with 400
//	0018  presses the first quick reply
//	0019  presses the second quick reply
//	0020  writes a text
//	0021  writes a text that quotes the message
//	0022  reacts with an emoji
//	0023  withdraws a reaction
//	0024  sends a picture that quotes the message
func DefaultScripts() map[string]Behaviour {
	return map[string]Behaviour{
		"0001": {Reason: 131026, NoAccount: true},
		"0002": {Reason: 131047},
		"0003": {Reason: 131049},
		"0004": {Reason: 131050},
		"0005": {Reason: 131056},
		"0006": {Reason: 130472},
		"0007": {Reason: 86, After: time.Minute},
		"0008": {Fault: CutAfterAccept, Times: 1},
		"0009": {Fault: CutBeforeRead, Times: 1},
		"0010": {Fault: Hang, Times: 1},
		"0011": {Fault: Error502, Times: 1},
		"0012": {Fault: Error503, Times: 1},
		"0013": {Fault: Error504, Times: 1, Taken: true},
		"0014": {Fault: Slow, Wait: 3 * time.Second},
		"0015": {StopAfter: Accepted},
		"0016": {Fault: Throttle, Times: 1},
		"0017": {Fault: Refuse},
		"0018": {Answer: Answer{Act: PressButton, Button: 1}},
		"0019": {Answer: Answer{Act: PressButton, Button: 2}},
		"0020": {Answer: Answer{Act: WriteText, Text: "Pode confirmar, por favor"}},
		"0021": {Answer: Answer{Act: QuoteText, Text: "Não posso nesse dia"}},
		"0022": {Answer: Answer{Act: React}},
		"0023": {Answer: Answer{Act: Withdraw}},
		"0024": {Answer: Answer{Act: SendPicture}},
	}
}

// scripts finds the behaviour of a number by its last digits.
type scripts struct {
	bySuffix map[string]script
	lengths  []int // of the suffixes, longest first
}

type script struct {
	Behaviour
	outcome uint16
}

func compile(in map[string]Behaviour, to *outcomes) scripts {
	sc := scripts{bySuffix: make(map[string]script, len(in))}
	to.index(outcome{}) // delivery is number 0, even without scripts
	seen := map[int]bool{}
	for suffix, b := range in {
		sc.bySuffix[suffix] = script{b, to.index(outcome{
			code: b.Reason, after: b.After, handedOver: b.Reason != 0, stop: b.StopAfter,
		})}
		if !seen[len(suffix)] {
			seen[len(suffix)] = true
			sc.lengths = append(sc.lengths, len(suffix))
		}
	}
	slices.Sort(sc.lengths)
	slices.Reverse(sc.lengths)
	return sc
}

// of returns the script of the longest matching suffix, or the zero script.
func (sc *scripts) of(digits string) script {
	for _, n := range sc.lengths {
		if n > len(digits) {
			continue
		}
		if found, ok := sc.bySuffix[digits[len(digits)-n:]]; ok {
			return found
		}
	}
	return script{}
}

// attempts counts the POSTs of each message whose script has Times.
type attempts struct {
	mu   sync.Mutex
	byID map[string]int
}

func (a *attempts) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byID = map[string]int{}
}

// fault returns the fault of this POST of the message.
func (a *attempts) fault(sc script, id string) fault {
	if sc.Fault == NoFault {
		return fault{}
	}
	if sc.Times > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.byID[id] >= sc.Times {
			return fault{}
		}
		a.byID[id]++
	}
	return fault{kind: sc.Fault, taken: sc.Taken, wait: sc.Wait}
}
