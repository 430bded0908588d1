// Package words says in Portuguese and in English what Pombo shows to people: each
// state, reason, wait reason, discrepancy, alert and headline, and every other text
// that has a key. The languages stand side by side in tables, one file a subject;
// a test fails when one of them lacks a word or a placeholder of the other. What is
// a code, a label or a word of JSON is never translated.
package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pombo"
)

// Language is a language that Pombo speaks, as a tag of BCP 47.
type Language string

// The languages.
const (
	Portuguese Language = "pt-BR"
	English    Language = "en"
)

// Languages lists them all.
func Languages() []Language { return []Language{Portuguese, English} }

// Parse returns the language that s names, whatever its case.
func Parse(s string) (Language, error) {
	for _, l := range Languages() {
		if strings.EqualFold(s, string(l)) {
			return l, nil
		}
	}
	return "", fmt.Errorf("%q is not a language: %s or %s", s, Portuguese, English)
}

// Words says things in one language. It may be used by many goroutines.
type Words struct{ language Language }

var (
	inPortuguese = &Words{Portuguese}
	inEnglish    = &Words{English}
)

// In returns the words of a language; English for one that does not exist.
func In(l Language) *Words {
	if l == Portuguese {
		return inPortuguese
	}
	return inEnglish
}

// Language returns the language of these words.
func (w *Words) Language() Language { return w.language }

// pair is one text in each language.
type pair struct{ pt, en string }

func (w *Words) of(p pair) string {
	if w.language == Portuguese {
		return p.pt
	}
	return p.en
}

// texts are the tables of the texts that have a key.
var texts = merge(headlines, forecasts, alerts, menus, buttons, shell, deskMessages, deskMessage, deskActs,
	nowTexts, operateTexts, tableTexts, templateTexts, figureTexts, failureTexts, bulkTexts, reportTexts,
	personTexts, trailTexts, helpTexts, replyTexts, consoleTexts)

func merge(tables ...map[string]pair) map[string]pair {
	all := make(map[string]pair)
	for _, table := range tables {
		for key, p := range table {
			if _, twice := all[key]; twice {
				panic("words: two texts have the key " + key)
			}
			all[key] = p
		}
	}
	return all
}

// Keys lists the keys that start with prefix, in alphabetical order.
func Keys(prefix string) []string {
	var list []string
	for key := range texts {
		if strings.HasPrefix(key, prefix) {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}

// Phrase is a text that has not been said yet: its key and its arguments. It may be
// an argument of another one. The zero Phrase says nothing.
type Phrase struct {
	Key  string
	Args []any
}

// Say returns the phrase in these words.
func (w *Words) Say(p Phrase) string {
	if p.Key == "" {
		return ""
	}
	return w.Text(p.Key, p.Args...)
}

// Arguments of a text that are shown in a way of their own.
type (
	// Clock is a moment as Time shows it.
	Clock struct{ At, Now time.Time }
	// Hint is what to do about a reason.
	Hint pombo.Reason
	// WaitHint is what to do about a wait reason.
	WaitHint pombo.WaitReason
)

// Text returns the text of a key. In it, {1} is the first argument and {1:row|rows}
// is one of two words, the first one if that argument, a number, is 1. A number is
// shown as by Number, a duration as by Span, and a state, a reason or a wait reason
// in words.
//
// A key that does not exist, or an argument that is missing, panics in a test; in
// production the key, or the placeholder, is shown as it is.
func (w *Words) Text(key string, args ...any) string {
	p, ok := texts[key]
	if !ok {
		return missing(key)
	}
	return w.fill(w.of(p), args)
}

// missing is what is shown for a text that does not exist.
func missing(what string) string {
	if testing.Testing() {
		panic("words: there is no " + what)
	}
	return what
}

// fill replaces the placeholders of a text.
func (w *Words) fill(text string, args []any) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		place, after, _ := strings.Cut(rest, "}")
		number, choice, plural := strings.Cut(place, ":")
		i, err := strconv.Atoi(number)
		switch {
		case err != nil || i < 1 || i > len(args):
			out.WriteString(missing("{" + place + "}"))
		case plural:
			one, many, _ := strings.Cut(choice, "|")
			if args[i-1] == 1 {
				many = one
			}
			out.WriteString(many)
		default:
			out.WriteString(w.argument(args[i-1]))
		}
		text = after
	}
}

// argument shows one argument of a text.
func (w *Words) argument(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return w.Number(v)
	case float64:
		return w.decimal(v)
	case time.Duration:
		return w.Span(v)
	case Clock:
		return w.Time(v.At, v.Now)
	case Phrase:
		return w.Say(v)
	case pombo.State:
		return w.State(v)
	case pombo.Reason:
		return w.Reason(v)
	case pombo.WaitReason:
		return w.Wait(v)
	case Hint:
		return w.ReasonHint(pombo.Reason(v))
	case WaitHint:
		return w.WaitHint(pombo.WaitReason(v))
	}
	return missing(fmt.Sprintf("way to show a %T", v))
}
