package pombo

import (
	"slices"
	"testing"
)

// TestState_CanBecome holds the table of moves against the diagram of the
// design, written down once more as a matrix: a row for the state before, a
// column for the state after, in the order of States.
func TestState_CanBecome(t *testing.T) {
	//                queued claimed sending accepted dispatched delivered read failed uncertain cancelled expired suppressed
	matrix := map[State]string{
		Queued:     ".x.x....xxxx",
		Claimed:    "x.xx...xxxxx",
		Sending:    "x..x...xx...",
		Accepted:   "....xxxx....",
		Dispatched: ".....xxx....",
		Delivered:  "......x.....",
		Read:       "............",
		Failed:     "x....xx.....",
		Uncertain:  "x..xxxxx.x..",
		Cancelled:  "x...........",
		Expired:    "x...........",
		Suppressed: "x...........",
	}
	if len(matrix) != len(States()) {
		t.Fatalf("%d states in the matrix, want %d", len(matrix), len(States()))
	}
	for from, line := range matrix {
		for i, to := range States() {
			if got, want := from.CanBecome(to), line[i] == 'x'; got != want {
				t.Errorf("%s → %s allowed = %v, want %v", from, to, got, want)
			}
		}
	}
}

// A message that Blip may have is never queued again without a person or a
// question to Blip in between: that is promise P2 as a property of the table.
func TestState_SentIsNotQueuedAgain(t *testing.T) {
	for _, s := range States() {
		if s.Sent() && s.CanBecome(Queued) {
			t.Errorf("%s can be queued again although Blip has the message", s)
		}
	}
}

func TestState_EachIsReachable(t *testing.T) {
	reached := map[State]bool{Queued: true}
	for range States() {
		for from, tos := range moves {
			for _, to := range tos {
				reached[to] = reached[to] || reached[from]
			}
		}
	}
	for _, s := range States() {
		if !reached[s] {
			t.Errorf("%s cannot be reached from queued", s)
		}
	}
}

func TestState_Groups(t *testing.T) {
	open := []State{Queued, Claimed, Sending, Uncertain}
	sent := []State{Accepted, Dispatched, Delivered, Read}
	for _, s := range States() {
		if got, want := s.Open(), slices.Contains(open, s); got != want {
			t.Errorf("%s open = %v, want %v", s, got, want)
		}
		if got, want := s.Sent(), slices.Contains(sent, s); got != want {
			t.Errorf("%s sent = %v, want %v", s, got, want)
		}
		if !s.Valid() {
			t.Errorf("%s is not valid", s)
		}
	}
	if State("lost").Valid() || State("").Valid() {
		t.Error("a word that is no state is valid")
	}
}
