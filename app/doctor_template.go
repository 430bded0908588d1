package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"pombo"
	"pombo/config"
)

// templateOf finds a template by name and language.
func templateOf(list []pombo.Template, name, language string) (pombo.Template, bool) {
	i := slices.IndexFunc(list, func(t pombo.Template) bool { return t.Name == name && t.Language == language })
	if i < 0 {
		return pombo.Template{}, false
	}
	return list[i], true
}

// templateStanding says whether WhatsApp takes messages of the template now.
func templateStanding(list []pombo.Template, name, language string) []Finding {
	t, ok := templateOf(list, name, language)
	if !ok {
		return noTemplate(list, name, language)
	}
	what := fmt.Sprintf("TEMPLATE_NAME=%s in %s is %s", name, language, t.Status)
	switch {
	case t.Status == "PAUSED":
		return bad(what, pombo.TemplatePaused.Todo())
	case t.Status == "DISABLED":
		return bad(what, pombo.TemplateDisabled.Todo())
	case !t.Approved():
		return bad(what, pombo.TemplateNotApproved.Todo())
	case t.PreviousCategory != "" && t.PreviousCategory != t.Category:
		return doubt(fmt.Sprintf("%s, but Meta has moved it from %s to %s", what, t.PreviousCategory, t.Category), "see what that costs, or change its text and have it approved again")
	}
	return good(what)
}

// noTemplate says what there is in its place.
func noTemplate(list []pombo.Template, name, language string) []Finding {
	var languages, names []string
	for _, t := range list {
		if t.Name == name {
			languages = append(languages, t.Language)
		} else if t.Approved() && t.Language == language {
			names = append(names, t.Name)
		}
	}
	switch {
	case len(list) == 0:
		return bad("this bot's account has no template at all", "check that KEYBLIP is the key of the bot that owns the number; make a template in the Blip portal and have it approved")
	case len(languages) > 0:
		return bad(fmt.Sprintf("TEMPLATE_NAME=%s is not there in %s, only in %s", name, language, strings.Join(languages, ", ")), "set TEMPLATE_LANGUAGE="+languages[0])
	}
	todo := pombo.TemplateMissing.Todo()
	if len(names) > 0 {
		near := slices.MinFunc(names, func(a, b string) int {
			return levenshtein.ComputeDistance(a, name) - levenshtein.ComputeDistance(b, name)
		})
		if levenshtein.ComputeDistance(near, name) <= max(2, len(name)/3) {
			todo = "did you mean " + near + "? Else " + todo
		}
	}
	return bad("Blip has no template TEMPLATE_NAME="+name, todo)
}

// templateValues holds the places that DB_COL_PARAMS fills against those that
// the template has. WhatsApp would refuse a misfit later, out of sight.
func templateValues(t pombo.Template, params []config.Column) []Finding {
	places := map[pombo.Place]int{}
	for _, p := range params {
		places[p.Place]++
	}
	misfits := slices.Concat(bodyMisfits(t, places), headerMisfits(t, places), buttonMisfits(t, places))
	if len(misfits) == 0 {
		return good(fmt.Sprintf("DB_COL_PARAMS gives the %d values that the template takes", len(params)))
	}
	var found []Finding
	for _, m := range misfits {
		found = append(found, bad(m, "compare DB_COL_PARAMS with the template (pombo templates)")...)
	}
	return found
}

func bodyMisfits(t pombo.Template, places map[pombo.Place]int) []string {
	if want, got := pombo.CountVariables(t.Body), places[pombo.Body]; want != got {
		return []string{fmt.Sprintf("the text of %s has %d values, DB_COL_PARAMS gives %d", t.Name, want, got)}
	}
	return nil
}

// mediaPlaces are the places of headers that are no text.
var mediaPlaces = map[string]pombo.Place{"IMAGE": pombo.HeaderImage, "VIDEO": pombo.HeaderVideo, "DOCUMENT": pombo.HeaderDocument}

func headerMisfits(t pombo.Template, places map[pombo.Place]int) (misfits []string) {
	want := map[pombo.Place]int{}
	switch place, media := mediaPlaces[t.Header]; {
	case media:
		want[place] = 1
	case t.Header == "TEXT":
		want[pombo.HeaderText] = pombo.CountVariables(t.HeaderText)
	case t.Header == "LOCATION":
		misfits = append(misfits, "the header of "+t.Name+" is a LOCATION, which DB_COL_PARAMS cannot fill")
	}
	for _, place := range []pombo.Place{pombo.HeaderText, pombo.HeaderImage, pombo.HeaderVideo, pombo.HeaderDocument} {
		if want[place] != places[place] {
			misfits = append(misfits, fmt.Sprintf("the header of %s takes %d values at %s:, DB_COL_PARAMS gives %d", t.Name, want[place], place, places[place]))
		}
	}
	return misfits
}

func buttonMisfits(t pombo.Template, places map[pombo.Place]int) (misfits []string) {
	for i := range 10 { // as many as pombo.ParsePlace knows
		end := pombo.Place(fmt.Sprintf("button%d", i))
		payload := end + "-payload"
		want, quick := 0, false
		if i < len(t.Buttons) {
			quick = t.Buttons[i].Kind == "QUICK_REPLY"
			want = pombo.CountVariables(t.Buttons[i].URL) // other kinds have none
		}
		if places[end] != want {
			misfits = append(misfits, fmt.Sprintf("button %d of %s takes %d values at %s:, DB_COL_PARAMS gives %d", i, t.Name, want, end, places[end]))
		}
		if places[payload] > 0 && !quick {
			misfits = append(misfits, fmt.Sprintf("button %d of %s is no quick reply, so %s: has no place", i, t.Name, payload))
		}
	}
	return misfits
}
