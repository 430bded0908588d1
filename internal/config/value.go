package config

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/agnivade/levenshtein"

	"pombo"
)

// The functions here make the set functions of the table. Each reads a text
// that is not empty into its field or says what is wrong with it.

type setter = func(c *Config, s string) *Problem

// forever is the longest duration that makes sense: a year.
const forever = 365 * 24 * time.Hour

// text is any text on one line.
func text(field func(*Config) *string) setter {
	return func(c *Config, s string) *Problem {
		s = strings.TrimSpace(s)
		if strings.ContainsFunc(s, unicode.IsControl) {
			return trouble("has a line break, a tab or another control character in it", "write it again by hand")
		}
		*field(c) = s
		return nil
	}
}

// longestCode is longer than any code of a status.
const longestCode = 64

// code is a status code.
func code(field func(*Config) *string) setter {
	read := text(field)
	return func(c *Config, s string) *Problem {
		if n := len([]rune(strings.TrimSpace(s))); n > longestCode {
			return trouble(fmt.Sprintf("has %d characters, which is not a status code", n), fmt.Sprintf("write the code as it stands in DB_COL_STATUS, at most %d characters", longestCode))
		}
		return read(c, s)
	}
}

// word is a text without blanks.
func word(field func(*Config) *string) setter {
	return func(c *Config, s string) *Problem {
		s = strings.TrimSpace(s)
		if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			return trouble("has a blank or an invisible character in it", "copy it again from the Blip portal, or write it by hand")
		}
		*field(c) = s
		return nil
	}
}

// templateName is a name as WhatsApp allows it.
func templateName(c *Config, s string) *Problem {
	p := word(func(c *Config) *string { return &c.Blip.Template })(c, s)
	if p == nil && c.Blip.Template != "" && !pombo.ValidTemplateName(c.Blip.Template) {
		return trouble("is not a name that WhatsApp allows", "write it as the Blip portal shows it: lower-case letters without accents, digits and _")
	}
	return p
}

// oneOf is one of a few words.
func oneOf(field func(*Config) *string, choices ...string) setter {
	return func(c *Config, s string) *Problem {
		s = strings.ToLower(strings.TrimSpace(s))
		if !slices.Contains(choices, s) {
			return trouble("is "+quote(s), "write "+listOr(choices))
		}
		*field(c) = s
		return nil
	}
}

func listOr(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// parsed is what another package reads; fix says how to write it.
func parsed[T any](field func(*Config) *T, parse func(string) (T, error), fix string) setter {
	return func(c *Config, s string) *Problem {
		v, err := parse(s)
		if err != nil {
			return trouble("cannot be used: "+err.Error(), fix)
		}
		*field(c) = v
		return nil
	}
}

// holidays reads a file of days.
func holidays(c *Config, path string) *Problem {
	path = strings.TrimSpace(path)
	content, p := readText(path)
	if p != nil {
		return trouble("names the file "+quote(path)+", which "+p.Message, p.Hint)
	}
	return parsed(func(c *Config) *[]pombo.Day { return &c.Dispatch.Quiet.Holidays }, pombo.ParseHolidays,
		"write it as 2026-12-25, or as 12-25 for every year, with its name behind it")(c, content)
}

// exempt is a list of templates.
func exempt(c *Config, s string) *Problem {
	var names []string
	for name := range strings.SplitSeq(s, ",") {
		if p := word(func(*Config) *string { return &name })(c, name); p != nil {
			return p
		}
		if name == "" {
			return trouble("has a comma with no name beside it", "write the names of templates with commas between")
		}
		names = append(names, name)
	}
	c.Dispatch.Quiet.Exempt = names
	return nil
}

// policies is a list of templates, each with what to do in doubt about it.
func policies(c *Config, s string) *Problem {
	const write = "write template:policy, with commas between, such as otp:hold,exam_ready:resend"
	list := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		name, policy, _ := strings.Cut(part, ":")
		name, policy = strings.TrimSpace(name), strings.ToLower(strings.TrimSpace(policy))
		switch _, twice := list[name]; {
		case name == "" || policy == "" || strings.ContainsFunc(name, unicode.IsSpace):
			return trouble(quote(strings.TrimSpace(part))+" is not a template with its policy", write)
		case twice:
			return trouble("has the template "+quote(name)+" twice", "take one of the two away")
		case !slices.Contains(uncertain, policy):
			fix := "write " + listOr(uncertain)
			near := func(p string) bool { return levenshtein.ComputeDistance(policy, p) <= 2 }
			if i := slices.IndexFunc(uncertain, near); i >= 0 {
				fix = "did you mean " + uncertain[i] + "? Else " + fix
			}
			return trouble("has the policy "+quote(policy)+" for "+quote(name), fix)
		}
		list[name] = policy
	}
	c.Dispatch.UncertainTemplates = list
	return nil
}

// uncertain has the policies.
var uncertain = []string{"check", "hold", "resend"}

// duration is a time span from least to most, in Go's notation.
func duration(field func(*Config) *time.Duration, least, most time.Duration) setter {
	return func(c *Config, s string) *Problem {
		s = strings.TrimSpace(s)
		d, err := time.ParseDuration(s)
		if err != nil {
			if n, err := strconv.ParseUint(s, 10, 32); err == nil {
				fix := fmt.Sprintf("write %ds", n)
				if n >= 60 && n%60 == 0 {
					fix += fmt.Sprintf(" or %dm", n/60)
				}
				return trouble(quote(s)+" has no unit", fix)
			}
			return trouble(quote(s)+" is not a time span", "write a number with its unit, such as 30s, 5m or 1h30m")
		}
		if d < least || d > most {
			return trouble(quote(s)+" is out of range", fmt.Sprintf("write a time span from %s to %s", span(least), span(most)))
		}
		*field(c) = d
		return nil
	}
}

// leastRetention is longer than Blip tells about a message and than the schedule
// of retries.
const leastRetention = 7

// retention is a number of days such as 90d, or of hours; 0 = for ever.
func retention(c *Config, s string) *Problem {
	const day = 24 * time.Hour
	const write = "write a number of days such as 90d, or 0 to keep everything"
	s = strings.ToLower(strings.TrimSpace(s))
	d, err := time.ParseDuration(s) // which reads 0 too
	if text, isDays := strings.CutSuffix(s, "d"); isDays {
		var n uint64
		n, err = strconv.ParseUint(text, 10, 16)
		d = time.Duration(n) * day
	}
	switch {
	case err != nil:
		return trouble(quote(s)+" is not a number of days", write)
	case d < 0 || d > 0 && d < leastRetention*day:
		return trouble(quote(s)+" is too short: a message of which Blip still tells, or that still waits for a retry, must be known",
			fmt.Sprintf("write at least %dd, or 0 to keep everything", leastRetention))
	}
	c.Ledger.Retention = d
	return nil
}

// reconcileAt is a time of the day, or "-" for never.
func reconcileAt(c *Config, s string) *Problem {
	if s = strings.TrimSpace(s); s == "-" {
		c.Ledger.ReconcileAt = Never
		return nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return trouble(quote(s)+" is not a time of the day", "write it as 03:30, or - for never")
	}
	c.Ledger.ReconcileAt = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	return nil
}

// span prints a duration as people write it: 24h, not 24h0m0s.
func span(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// leastRate is one an hour. What is slower looks like a Pombo that hangs.
const leastRate = 1.0 / 3600

// rate is a number a second, 0 or more.
func rate(field func(*Config) *float64) setter {
	return func(c *Config, s string) *Problem {
		s = strings.TrimSpace(s)
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
			return trouble(quote(s)+" is not a rate", "write a number such as 45 or 0.5, with a point and without a unit; 0 = no limit")
		}
		if n > 0 && n < leastRate {
			return trouble(quote(s)+" is less than one an hour", "write at least 0.0003, or 0 for no limit; pombo pause holds all sending")
		}
		*field(c) = n
		return nil
	}
}

// whole is a whole number from least to most.
func whole(field func(*Config) *int, least, most int) setter {
	return func(c *Config, s string) *Problem {
		s = strings.TrimSpace(s)
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return trouble("is "+quote(s), fmt.Sprintf("write a whole number from %d to %d", least, most))
		}
		*field(c) = n
		return nil
	}
}

// key is the key of the bot. It is opaque to Pombo, but it goes into an HTTP
// header, and what cannot stand there came in by copying.
func key(c *Config, s string) *Problem {
	const again = "copy it again from the Blip portal, all of it and nothing else, onto one line"
	s = strings.TrimSpace(s)
	if n := len(s) - 1; n > 0 && s[0] == s[n] && (s[0] == '"' || s[0] == '\'') {
		s = strings.TrimSpace(s[1:n])
	}
	if len(s) >= 4 && strings.EqualFold(s[:3], "key") && (s[3] == ' ' || s[3] == '\t') {
		s = strings.TrimSpace(s[4:])
	}
	switch {
	case s == "" || strings.EqualFold(s, "key"):
		return trouble("has nothing in it but quotes or the word Key", again)
	case strings.ContainsAny(s, "\r\n"):
		return trouble("contains a line break", again)
	case strings.ContainsFunc(s, unicode.IsSpace):
		return trouble("contains a blank in the middle", again)
	case strings.ContainsAny(s, `"'`):
		return trouble("contains a quote", again)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return trouble("contains an invisible character or a letter with an accent", again)
	}
	c.Blip.Key = pombo.Private(s)
	return nil
}

// looksLikeKey reports whether the key is what keys are seen to be: base64 of
// "identifier:access key". Blip does not promise it, so it is worth a warning
// and no more.
func looksLikeKey(key pombo.Private) bool {
	b, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(key.Reveal())
	}
	i := slices.Index(b, ':')
	return err == nil && i > 0 && i < len(b)-1
}

// token is the bearer token: what RFC 6750 lets stand in the header.
func token(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return trouble("contains a blank, a letter with an accent or an invisible character", "write one long word of letters and digits")
	}
	c.API.Token = pombo.Private(s)
	return nil
}

// leastSecret is how many characters cannot be guessed.
const leastSecret = 16

// webhookSecret is a part of an address, so it has only what may stand there as it
// is.
func webhookSecret(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	allowed := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.~", r)
	}
	switch {
	case !only(s, allowed):
		return trouble("has a character that cannot stand in an address as it is", "write one long word of letters, digits, - and _")
	case len(s) < leastSecret:
		return trouble(fmt.Sprintf("has only %d characters: it could be guessed, and whoever guesses it could say that messages were read", len(s)),
			fmt.Sprintf("write a random word of at least %d characters", leastSecret))
	}
	c.API.WebhookSecret = pombo.Private(s)
	return nil
}

// optOutWords are words, or sentences, separated by commas.
func optOutWords(c *Config, s string) *Problem {
	const write = "write words with commas between them, such as SAIR,PARAR,STOP, or - for none"
	c.API.OptOutWords = nil
	if strings.TrimSpace(s) == "-" {
		return nil
	}
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		if !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			return trouble(quote(word)+" is not a word", write)
		}
		c.API.OptOutWords = append(c.API.OptOutWords, word)
	}
	if len(c.API.OptOutWords) == 0 {
		return trouble("has no word between its commas", write)
	}
	return nil
}

// part is a piece of an address; checkDatabase puts them together.
func part(*Config, string) *Problem { return nil }

// zone is an IANA time zone.
func zone(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	const write = "write an IANA name such as America/Sao_Paulo, America/Manaus or UTC"
	if strings.EqualFold(s, "local") {
		return trouble("is the zone of whatever machine this runs on", write)
	}
	z, err := time.LoadLocation(s)
	if err != nil {
		return trouble(quote(s)+" is not a time zone", write)
	}
	c.Source.Zone = z
	return nil
}

// language is a language code as WhatsApp's templates have it.
func language(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	lang, region, hasRegion := strings.Cut(s, "_")
	lower := func(r rune) bool { return r >= 'a' && r <= 'z' }
	upper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	if only(lang, lower) && (len(lang) == 2 || len(lang) == 3) && (!hasRegion || only(region, upper) && len(region) >= 2 && len(region) <= 3) {
		c.Blip.Language = s
		return nil
	}
	fix := "write it as pt_BR, en_US or es"
	if l, r, found := strings.Cut(strings.ReplaceAll(s, "-", "_"), "_"); found && len(l) == 2 && len(r) == 2 {
		fix = "write " + strings.ToLower(l) + "_" + strings.ToUpper(r)
	}
	return trouble(quote(s)+" is not a language of a template", fix)
}

func only(s string, allowed func(rune) bool) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !allowed(r) })
}

// documentsDir is the path of a folder. Whether it is there is seen when a file is needed: a
// share may be away.
func documentsDir(c *Config, s string) *Problem {
	s = strings.TrimSpace(s)
	if s == "-" || strings.ContainsRune(s, 0) {
		return trouble(quote(s)+" is not a folder", "write the path of a folder, or take it away")
	}
	c.Dispatch.DocumentsDir = s
	return nil
}

// fallbackOn is a list of reasons, or "-" for none.
func fallbackOn(c *Config, s string) *Problem {
	c.Source.FallbackOn = nil
	if s = strings.TrimSpace(s); s == "-" {
		return nil
	}
	for word := range strings.SplitSeq(s, ",") {
		r := pombo.Reason(strings.ToLower(strings.TrimSpace(word)))
		switch {
		case r == pombo.NoReason || !r.Valid():
			return trouble(quote(strings.TrimSpace(word))+" is not a reason", "write reasons as pombo show has them, such as not_on_whatsapp,undeliverable")
		case r == pombo.OptedOut || r == pombo.OptedOutOfMarketing:
			return trouble(string(r)+" cannot lead to another channel: the person wants no messages", "take it away")
		case !r.FallsBack():
			return trouble(string(r)+" says nothing about whether the person can be reached on WhatsApp", "take it away")
		}
		c.Source.FallbackOn = append(c.Source.FallbackOn, r)
	}
	return nil
}

// logFile is a path, or "-" for none.
func logFile(c *Config, s string) *Problem {
	if s = strings.TrimSpace(s); s == "-" {
		s = ""
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return trouble("has a control character in it", `write the path without quotes or in single quotes: \n and \t mean something else in double quotes`)
	}
	c.Log.File = s
	return nil
}

// level is a level of package slog, by its name.
func level(c *Config, s string) *Problem {
	var name string
	if p := oneOf(func(*Config) *string { return &name }, "debug", "info", "warn", "error")(c, s); p != nil {
		return p
	}
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // these four are names it knows
	c.Log.Level = l
	return nil
}
