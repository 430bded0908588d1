package desk

import (
	"strings"
	"unicode/utf8"

	"pombo"
	"pombo/internal/phone"
	"pombo/internal/template"
)

// This file is the only one of the desk that takes private text out of its wrapping.
// It returns first name and initials for a list, and all of one message for a visitor
// who has the grant and gave a purpose, once the audit trail has it.

const mostName = 40 // letters of a name in a list

// initials returns first name and initials of the person: a list must not show full
// names.
func initials(n *pombo.Notification, slot pombo.Slot, number int) string {
	values := pombo.At(n.Params, slot)
	if slot == "" || number < 1 || number > len(values) {
		return ""
	}
	var out strings.Builder
	for i, part := range strings.Fields(values[number-1].Reveal()) {
		if i == 0 {
			if utf8.RuneCountInString(part) > mostName { // not a name
				return ""
			}
			out.WriteString(part)
			continue
		}
		if i > 6 {
			break
		}
		first, _ := utf8.DecodeRuneInString(part)
		out.WriteString(" " + string(first) + ".")
	}
	return out.String()
}

// uncovered is what is shown of one message when it is uncovered.
type uncovered struct {
	Phone     string
	Recipient string // as the row has it, where it is not a phone
	Values    []uncoveredValue
	values    template.Values
}

type uncoveredValue struct{ Slot, Value string }

// uncoverMessage takes phone and values out of a notification.
func uncoverMessage(n *pombo.Notification) *uncovered {
	u := &uncovered{Phone: openPhone(n.Phone), values: openValues(n)}
	if u.Phone == "" {
		u.Recipient = n.Recipient.Reveal()
	}
	for _, p := range n.Params {
		u.Values = append(u.Values, uncoveredValue{string(p.Slot), p.Value.Reveal()})
	}
	return u
}

func openValues(n *pombo.Notification) template.Values {
	return func(slot pombo.Slot, number int) (string, bool) {
		values := pombo.At(n.Params, slot)
		if number < 1 || number > len(values) {
			return "", false
		}
		return values[number-1].Reveal(), true
	}
}

// pressedWord is what stands on the button that was pressed: the company's own word.
func pressedWord(r *pombo.Reply) string {
	if !r.Kind.Pressed() || r.OptOut {
		return ""
	}
	return r.Answer().Reveal()
}

// openAnswer is the text of an answer, for visitors who may see it; "" when there is
// none.
func openAnswer(r *pombo.Reply) string {
	if r.Text == "" && r.Payload == "" {
		return ""
	}
	return r.Answer().Reveal()
}

// uncoveredReply is what is shown of one reply when it is uncovered.
type uncoveredReply struct {
	Phone  string // "" = unknown
	Answer string // "" when there is no text
}

// uncoverReply takes phone and text out of a reply.
func uncoverReply(r *pombo.Reply) *uncoveredReply {
	return &uncoveredReply{openPhone(replyPhone(r)), openAnswer(r)}
}

// replyPhone is the number of the person who answered, shown masked; zero = unknown.
func replyPhone(r *pombo.Reply) phone.Number {
	n, err := phone.FromE164("+" + r.Phone.Reveal())
	if err != nil {
		return phone.Number{}
	}
	return n
}

// openPhone writes a number in full, without a plus: a spreadsheet would take that for a
// formula.
func openPhone(n phone.Number) string {
	if n.IsZero() {
		return ""
	}
	digits := n.E164()[1:]
	switch n.Kind() {
	case phone.Mobile, phone.Landline:
		local := digits[4:]
		return digits[:2] + " " + digits[2:4] + " " + local[:len(local)-4] + "-" + local[len(local)-4:]
	}
	return digits
}

// openWords is what somebody has typed into the search box, to look for it.
func openWords(p pombo.Private) string { return p.Reveal() }

// openList is all values of a message in one cell of a spreadsheet.
func openList(n *pombo.Notification) string {
	var out []string
	for _, p := range n.Params {
		out = append(out, string(p.Slot)+": "+p.Value.Reveal())
	}
	return strings.Join(out, " | ")
}
