package words

import (
	"strings"

	"golang.org/x/text/language"
)

// FromLocale returns the language of the process's locale: that of the first of
// LC_ALL, LC_MESSAGES and LANG that is set, else, on Windows, that of the user's
// desktop; English for every other language.
func FromLocale(env func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := env(name); locale != "" {
			return fromTag(locale)
		}
	}
	return fromTag(desktopLanguage())
}

func fromTag(tag string) Language {
	if tag = strings.ToLower(tag); tag == "pt" || strings.HasPrefix(tag, "pt_") || strings.HasPrefix(tag, "pt-") {
		return Portuguese
	}
	return English
}

var accepted = language.NewMatcher([]language.Tag{language.BrazilianPortuguese, language.English})

// Accept returns the language that a header Accept-Language asks for; Portuguese
// if it asks for none of ours.
func Accept(header string) Language {
	const enough = 200 // a browser sends fewer bytes
	if len(header) > enough {
		return Portuguese
	}
	_, i := language.MatchStrings(accepted, header)
	return Languages()[i]
}
