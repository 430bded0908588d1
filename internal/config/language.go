package config

import (
	"regexp"
	"strings"

	"pombo/internal/words"
)

// locales matches what other programs take from a variable LANGUAGE of the
// environment: "pt_BR:pt:en". Such a list is the system's, not written for Pombo.
var locales = regexp.MustCompile(`^[A-Za-z]{1,3}([_-][A-Za-z0-9]+)?([.@][A-Za-z0-9-]+)*(:[A-Za-z0-9_.@-]*)*$`)

// ofSystem reports whether the value of LANGUAGE in the environment is such a list.
func ofSystem(text string) bool {
	_, err := words.Parse(text)
	return err != nil && locales.MatchString(text)
}

// localeLanguage is the language of the system: the first of the list in LANGUAGE
// that Pombo speaks, else that of the other variables.
func localeLanguage(environ []string) words.Language {
	env := map[string]string{}
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		env[strings.ToUpper(name)] = text
	}
	if list := env["LANGUAGE"]; ofSystem(list) {
		for locale := range strings.SplitSeq(list, ":") {
			l := words.FromLocale(func(string) string { return locale })
			if l != words.English || strings.HasPrefix(locale, "en") {
				return l
			}
		}
	}
	return words.FromLocale(func(name string) string { return env[name] })
}

// spoken reads LANGUAGE.
func spoken(c *Config, s string) *Problem {
	l, err := words.Parse(strings.TrimSpace(s))
	if err != nil {
		return trouble("is "+quote(s)+", which is not a language of Pombo", "write pt-BR or en")
	}
	c.Language = l
	return nil
}
