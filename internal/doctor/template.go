package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/fold"
)

// templateStanding says whether WhatsApp takes messages of the template now.
func templateStatus(list []pombo.Template, name, language string) []Finding {
	t, missing := pombo.FindTemplate(list, name, language)
	if missing.Reason != pombo.NoReason {
		return noTemplate(list, name, language, missing)
	}
	if wrong := issuesOf(t, nil, false); len(wrong) > 0 {
		return wrong
	}
	what := fmt.Sprintf("TEMPLATE_NAME=%s in %s is %s", name, language, t.Status)
	if t.Category == "UTILITY" {
		validity := "for 30 days, unless its validity in WhatsApp Manager says otherwise: give reminders one of hours"
		if t.Validity > 0 {
			validity = "for " + t.Validity.String()
		}
		what += "; WhatsApp tries to deliver its messages " + validity
	}
	if t.Recategorized() {
		return doubt(fmt.Sprintf("%s, but Meta has moved it from %s to %s", what, t.PreviousCategory, t.Category), "see what that costs, or change its text and have it approved again")
	}
	return good(what)
}

// noTemplate says what there is in its place.
func noTemplate(list []pombo.Template, name, language string, missing pombo.TemplateIssue) []Finding {
	if len(list) == 0 {
		return bad("this bot's account has no template at all", "check that KEYBLIP is the key of the bot that owns the number; make a template in the Blip portal and have it approved")
	}
	var names []string
	for _, t := range list {
		if t.Name == name {
			return bad(missing.Message, missing.Hint)
		}
		if t.Approved() && t.Language == language {
			names = append(names, t.Name)
		}
	}
	todo := missing.Hint
	if len(names) > 0 {
		near := slices.MinFunc(names, func(a, b string) int {
			return levenshtein.ComputeDistance(a, name) - levenshtein.ComputeDistance(b, name)
		})
		if levenshtein.ComputeDistance(near, name) <= max(2, len(name)/3) {
			todo = "did you mean " + near + "? Else " + todo
		}
	}
	return bad(missing.Message+" (TEMPLATE_NAME)", todo)
}

// templateValues holds the places that DB_COL_PARAMS fills against those that
// the template has.
func templateValues(t pombo.Template, places []pombo.Slot) []Finding {
	if wrong := issuesOf(t, places, true); len(wrong) > 0 {
		return wrong
	}
	return good(fmt.Sprintf("DB_COL_PARAMS gives the %d values that the template takes", len(places)))
}

// templateAnswers compares the buttons that answer with the answers that have a code.
func templateAnswers(t pombo.Template, c config.Source) []Finding {
	var buttons []string
	for i, b := range t.Buttons {
		if b.QuickReply() && !slices.ContainsFunc(c.Params, func(p config.Column) bool { return p.Place == pombo.PayloadSlot(i) }) {
			buttons = append(buttons, b.Text)
		}
	}
	coded := func(button string) bool {
		return slices.ContainsFunc(c.ReplyCodes, func(r config.ReplyCode) bool { return fold.Text(r.Answer) == fold.Text(button) })
	}
	switch missing := slices.DeleteFunc(slices.Clone(buttons), coded); {
	case len(c.ReplyCodes) == 0 && len(buttons) == 0:
		return good("template " + t.Name + " has no buttons that answer, and no answer has a code")
	case len(c.ReplyCodes) == 0:
		return good("no answer has a code (REPLY_CODES); answers to template " + t.Name + " are kept in the ledger")
	case len(missing) > 0:
		return doubt(fmt.Sprintf("template %s has buttons without a code: %s", t.Name, strings.Join(missing, ", ")),
			"write them into REPLY_CODES letter by letter (case and accents do not matter), if the table is to know of them")
	case len(buttons) == 0:
		return doubt("REPLY_CODES has codes for answers, and template "+t.Name+" has no button whose text could be one",
			"nothing, if rows name other templates or give the buttons payloads; otherwise send with a template that has quick replies")
	}
	return good("each button of template " + t.Name + " has its code")
}

// issuesOf returns the findings about the values, or those about everything else.
func issuesOf(t pombo.Template, places []pombo.Slot, ofValues bool) []Finding {
	var found []Finding
	for _, m := range t.Check(t.Language, places) {
		if m.FixableByValues() == ofValues {
			found = append(found, bad(m.Message, m.Hint)...)
		}
	}
	return found
}
