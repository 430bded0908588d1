package desk

import (
	"net/http"

	"pombo"
)

// helpView is page/help.tmpl: the reasons by whose matter they are.
type helpView struct{ Groups []helpGroup }

type helpGroup struct {
	ID, Name, Meaning string
	Reasons           []helpLine
}

type helpLine struct{ Code, Message string }

// reasonView is page/reason.tmpl: one reason, long form.
type reasonView struct {
	Code, Message, Hint string
	Class, Meaning      string
	Does                string
	Steps               []string
}

func (s *Server) getHelp(w http.ResponseWriter, r *http.Request) error {
	say := wordsOf(r)
	var v helpView
	at := map[pombo.Class]int{}
	for class := pombo.ClassRow; class <= pombo.ClassOperator; class++ {
		at[class] = len(v.Groups)
		v.Groups = append(v.Groups, helpGroup{ID: "c" + string(rune('0'+class)), Name: say.ClassName(class), Meaning: say.ClassMeaning(class)})
	}
	for _, reason := range pombo.Reasons() {
		g := &v.Groups[at[reason.Class()]]
		g.Reasons = append(g.Reasons, helpLine{string(reason), say.Reason(reason)})
	}
	return s.render(w, r, "help", v)
}

func (s *Server) getHelpReason(w http.ResponseWriter, r *http.Request) error {
	reason, say := pombo.Reason(r.PathValue("reason")), wordsOf(r)
	if reason == pombo.NoReason || !reason.Valid() {
		return pombo.ErrNotFound
	}
	return s.render(w, r, "reason", reasonView{
		Code: string(reason), Message: say.Reason(reason), Hint: say.ReasonHint(reason),
		Class: say.ClassName(reason.Class()), Meaning: say.ClassMeaning(reason.Class()),
		Does: say.ReasonDoes(reason), Steps: say.ReasonSteps(reason),
	})
}
