package pombo

import (
	"errors"
	"testing"
)

func TestError_SaysItsReasonAndKeepsItsCause(t *testing.T) {
	cause := errors.New("cause")
	err := error(&Error{Reason: NoAnswer, Detail: "cut after 20s", Err: cause})
	if got, want := err.Error(), "no_answer: cut after 20s"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if got, want := (&Error{Reason: NoAnswer}).Error(), "no_answer"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}

// The zero value must be the careful one: maybe sent, so that nothing is sent twice.
func TestDelivery_ZeroIsMaybeSent(t *testing.T) {
	if got := (&Error{}).Delivery; got != MaybeSent || got.String() != "maybe sent" {
		t.Errorf("delivery = %s, want maybe sent", got)
	}
	if got, want := NotSent.String(), "not sent"; got != want {
		t.Errorf("NotSent = %q, want %q", got, want)
	}
}
