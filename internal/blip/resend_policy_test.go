package blip

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"pombo"
)

var update = flag.Bool("update", false, "write the table into docs/receipts.md")

// TestResendPolicy repeats what follows from each code of a failed receipt.
func TestResendPolicy(t *testing.T) {
	const (
		never    = pombo.ResendNever
		backoff  = pombo.ResendBackoff
		days     = pombo.ResendDays
		template = pombo.ResendTemplate
		suspend  = pombo.ResendSuspend
		bot      = pombo.ResendBot
		account  = pombo.ResendAccount
	)
	tests := []struct {
		reason reason
		want   pombo.ResendPolicy
	}{
		{reason{code: 0}, never},
		{reason{code: 0, text: "invalid access token"}, bot},
		{reason{code: 1}, backoff},
		{reason{code: 13}, bot},
		{reason{code: 21}, never},
		{reason{code: 34}, backoff},
		{reason{code: 42}, never},
		{reason{code: 81}, backoff},
		{reason{code: 81, text: "(#131026) Message undeliverable"}, never},
		{reason{code: 81, text: "Gateway error: (#131049) healthy ecosystem"}, days},
		{reason{code: 81, text: "cannot determine the WhatsApp Business Account"}, bot},
		{reason{code: 86}, never}, // it may have been delivered
		{reason{code: 190}, bot},
		{reason{code: 200}, bot},
		{reason{code: 237}, bot},
		{reason{code: 299}, bot},
		{reason{code: 368}, bot},
		{reason{code: 131042}, bot},
		{reason{code: 131048}, bot},
		{reason{code: 130429}, backoff},
		{reason{code: 131056}, backoff},
		{reason{code: 131016}, backoff},
		{reason{code: 131053}, backoff},
		{reason{code: 131049}, days},
		{reason{code: 131064}, account},
		{reason{code: 135000}, account},
		{reason{code: 131063}, template},
		{reason{code: 131037}, bot},
		{reason{code: 130403}, never},
		{reason{code: 131062}, never},
		{reason{code: 134101}, backoff},
		{reason{code: 134100}, template},
		{reason{code: 134102}, template},
		{reason{code: 134103}, template},
		{reason{code: 134011}, template},
		{reason{code: 131058}, template},
		{reason{code: 2494100}, backoff},
		{reason{code: 81, text: "(#2494100) in maintenance"}, backoff},
		{reason{code: 133000}, bot},
		{reason{code: 133005}, bot},
		{reason{code: 133006}, bot},
		{reason{code: 133008}, bot},
		{reason{code: 133009}, bot},
		{reason{code: 133010}, bot},
		{reason{code: 133015}, bot},
		{reason{code: 133016}, bot},
		{reason{code: 33}, never},
		{reason{code: 33, text: "(#33) Object does not exist"}, bot},
		{reason{code: 132068}, suspend},
		{reason{code: 131026}, never},
		{reason{code: 130472}, never},
		{reason{code: 131047}, never},
		{reason{code: 131050}, never},
		{reason{code: 498}, never},
		{reason{code: 132000}, never},
		{reason{code: 132001}, template},
		{reason{code: 132012}, never},
		{reason{code: 132015}, template},
		{reason{code: 132016}, suspend},
		{reason{code: 470}, never},
		{reason{code: 471}, backoff},
		{reason{code: 1013}, never},
		{reason{code: 1015}, backoff},
		{reason{code: 2001}, template},
		{reason{code: 139999}, never}, // of tomorrow
		{reason{code: 77}, never},
	}
	for _, tt := range tests {
		if got := tt.reason.policy(); got != tt.want {
			t.Errorf("%d %q: policy = %q, want %q", tt.reason.code, tt.reason.text, got, tt.want)
		}
	}
}

// Codes of seven digits have existed since 2026; a number that could be a phone is not
// a code.
func TestParseReceipts_LongCodes(t *testing.T) {
	for body, want := range map[string]int{
		`[{"id":"b735cecf-e584-51d7-8ff8-9e832a896ba6","event":"failed","reason":{"code":2494100}}]`:       2494100,
		`[{"id":"b735cecf-e584-51d7-8ff8-9e832a896ba6","event":"failed","reason":{"code":"2494199"}}]`:     0, // not listed
		`[{"id":"b735cecf-e584-51d7-8ff8-9e832a896ba6","event":"failed","reason":{"code":5531900000001}}]`: 0,
		`[{"id":"b735cecf-e584-51d7-8ff8-9e832a896ba6","event":"failed","reason":{"code":900000001}}]`:     0,
	} {
		receipts, err := ParseReceipts([]byte(body))
		if err != nil || len(receipts) != 1 || receipts[0].Code != want {
			t.Errorf("%s: receipts = %+v, %v, want code %d", body, receipts, err, want)
		}
	}
}

// Each code in decide.go has one policy, and no other code has one.
func TestResendPolicy_EveryCodeHasOne(t *testing.T) {
	lines := map[cause]int{}
	for _, line := range resendPolicies {
		for _, code := range line.codes {
			lines[cause{line.list, code}]++
		}
	}
	for c := range decisions {
		if inReceipts := c.list == lime || c.list == channel || c.list == reasonText; inReceipts && lines[c] != 1 {
			t.Errorf("code %d of list %d is in %d lines, want 1", c.code, c.list, lines[c])
		}
		delete(lines, c)
	}
	for c := range lines {
		t.Errorf("code %d of list %d has a policy and no decision", c.code, c.list)
	}
}

// What may have been delivered is never sent again (promise P2), and what would
// be refused as a POST for the row's own fault is not either.
func TestResendPolicy_AgreesWithDecisions(t *testing.T) {
	for c, d := range decisions {
		if c.list != lime && c.list != channel && c.list != reasonText {
			continue
		}
		if d.delivery == maybeSent && policyFor[c] != pombo.ResendNever {
			t.Errorf("code %d may have been delivered, and is sent again: %q", c.code, policyFor[c])
		}
		if d.reason == pombo.BadRequest && policyFor[c] != pombo.ResendNever {
			t.Errorf("code %d is the message's fault, and is sent again: %q", c.code, policyFor[c])
		}
	}
}

// TestResendPolicy_Documented compares docs/receipts.md with the table; -update writes
// it.
func TestResendPolicy_Documented(t *testing.T) {
	const path = "../../docs/receipts.md"
	const begin, end = "<!-- resend policies: go test ./internal/blip -run Documented -update -->\n", "<!-- end of resend policies -->"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no markers for the table", path)
	}
	want := head + begin + policyTable() + end + tail
	switch {
	case *update:
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	case want != string(b):
		t.Errorf("%s does not have the table of resend_policy.go: go test ./internal/blip -run Documented -update", path)
	}
}

func policyTable() string {
	var b strings.Builder
	b.WriteString("| what follows | failure | codes |\n|---|---|---|\n")
	for _, line := range resendPolicies {
		codes := make([]string, len(line.codes))
		for i, c := range line.codes {
			codes[i] = strconv.Itoa(c)
		}
		whose := map[list]string{lime: "Blip ", channel: "WhatsApp ", reasonText: "Blip, by its text, "}[line.list]
		fmt.Fprintf(&b, "| %s | %s | %s%s |\n", line.policy.Message(), line.failure, whose, strings.Join(codes, ", "))
	}
	b.WriteString("| " + pombo.ResendNever.Message() + " | any other code | |\n")
	return b.String()
}
