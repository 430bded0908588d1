package delivery

import "fmt"

// Policy says what to do with a message that left without an answer.
type Policy string

// The policies.
const (
	// Check asks Blip for the id and sends again only if it has no trace.
	Check Policy = "check"
	// AskOperator leaves the decision to a person.
	AskOperator Policy = "hold"
	// Resend sends again at once: rather twice than never.
	Resend Policy = "resend"
)

// Policies has the policy of each template.
type Policies struct {
	Default    Policy            // "" = Check
	ByTemplate map[string]Policy // of templates that differ from Default
}

// Validate returns an error that names the setting with an unknown policy.
func (p Policies) Validate() error {
	if p.Default != "" && !p.Default.valid() {
		return fmt.Errorf("UNCERTAIN=%s: use check, hold or resend", p.Default)
	}
	for template, policy := range p.ByTemplate {
		if !policy.valid() {
			return fmt.Errorf("UNCERTAIN_TEMPLATES=%s:%s: use check, hold or resend", template, policy)
		}
	}
	return nil
}

func (p Policy) valid() bool { return p == Check || p == AskOperator || p == Resend }

// of returns what to do in doubt about a message of a template.
func (p Policies) of(template string) Policy {
	if policy, ok := p.ByTemplate[template]; ok {
		return policy
	}
	if p.Default == "" {
		return Check
	}
	return p.Default
}
