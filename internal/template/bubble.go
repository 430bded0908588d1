package template

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"pombo"
)

// Bubble is a message as its recipient sees it, as a tree without markup: its renderer
// escapes it.
type Bubble struct {
	Media    string // "IMAGE", "VIDEO", "DOCUMENT" or "LOCATION"; it is named and never loaded, which would tell others
	Filename []Span // of a document
	Header   []Span
	Body     []Span
	Footer   []Span
	Buttons  []pombo.Button
}

// Span is a piece of text in one style. It may have line breaks.
type Span struct {
	Text                       string
	Bold, Italic, Strike, Mono bool
	Value                      bool // fills a variable
}

// Masked stands for a value that is not shown.
const Masked = "*****"

// Values returns the nth value, from 1, of a slot; false = it is not shown.
type Values func(slot pombo.Slot, n int) (string, bool)

// Draw returns the message that a template makes. Values nil shows none; a variable
// without a value is masked as well. Only the function uncovers values: nothing private
// comes here by itself.
func Draw(t pombo.Template, values Values) Bubble {
	if values == nil {
		values = func(pombo.Slot, int) (string, bool) { return "", false }
	}
	fill := func(slot pombo.Slot, text string) []Span { return format(runes(text, slot, values), Span{}) }
	b := Bubble{Body: fill(pombo.Body, t.Body), Footer: plain(t.Footer), Buttons: t.Buttons}
	switch t.Header {
	case "":
	case "TEXT":
		// WhatsApp shows a header as it is, without styles.
		b.Header = merge(runes(t.HeaderText, pombo.HeaderText, values))
	case "DOCUMENT":
		b.Media = t.Header
		if name, shown := values(pombo.HeaderFilename, 1); shown {
			b.Filename = []Span{{Text: name, Value: true}}
		}
	default:
		b.Media = t.Header
	}
	return b
}

func plain(text string) []Span {
	if text == "" {
		return nil
	}
	return []Span{{Text: text}}
}

// char is a character of a message. A masked one has no meaning for the style.
type char struct {
	r             rune
	value, masked bool
}

var variable = regexp.MustCompile(`\{\{\s*([^{}\s]+)\s*\}\}`)

// runes puts the values into the variables of a text.
func runes(text string, slot pombo.Slot, values Values) []char {
	var out []char
	add := func(s string, c char) {
		for _, r := range s {
			c.r = r
			out = append(out, c)
		}
	}
	at := 0
	for _, m := range variable.FindAllStringSubmatchIndex(text, -1) {
		add(text[at:m[0]], char{})
		at = m[1]
		n, err := strconv.Atoi(text[m[2]:m[3]])
		value, shown := "", false
		if err == nil && n > 0 {
			value, shown = values(slot, n)
		}
		if shown {
			add(value, char{value: true})
		} else {
			add(Masked, char{value: true, masked: true})
		}
	}
	add(text[at:], char{})
	return out
}

// merge makes spans of characters without a style.
func merge(chars []char) []Span { return spans(nil, chars, Span{}) }

// spans appends characters in a style, one span for neighbours that are alike.
func spans(out []Span, chars []char, style Span) []Span {
	for from := 0; from < len(chars); {
		to := from
		var text strings.Builder
		for ; to < len(chars) && chars[to].value == chars[from].value; to++ {
			text.WriteRune(chars[to].r)
		}
		next := style
		next.Text, next.Value = text.String(), chars[from].value
		if last := len(out) - 1; last >= 0 && alike(out[last], next) {
			out[last].Text += next.Text
		} else {
			out = append(out, next)
		}
		from = to
	}
	return out
}

func alike(a, b Span) bool {
	a.Text, b.Text = "", ""
	return a == b
}

// format reads WhatsApp's styles: *bold*, _italic_, ~strike~ within a line, which may
// stand within each other, and ```mono```, within which none of them counts. A sign
// counts only at the edge of words: 2*3*4 and file_name_1 are as they are.
func format(chars []char, style Span) []Span {
	var out []Span
	from := 0
	// No sign of this kind closes before here: what was looked for once need not be again.
	none := map[rune]int{}
	for i := 0; i < len(chars); i++ {
		sign, inner, ok := opens(chars, i, style)
		if !ok || none[sign] > i {
			continue
		}
		end, ok := closes(chars, i, sign)
		if !ok {
			none[sign] = end
			continue
		}
		out = spans(out, chars[from:i], style)
		if sign == '`' {
			out = spans(out, chars[i+3:end], inner)
			end += 2
		} else {
			for _, s := range format(chars[i+1:end], inner) {
				if last := len(out) - 1; last >= 0 && alike(out[last], s) {
					out[last].Text += s.Text
				} else {
					out = append(out, s)
				}
			}
		}
		from, i = end+1, end
	}
	return spans(out, chars[from:], style)
}

// opens reports whether a style may begin at i: which sign, and the style within it.
func opens(chars []char, i int, style Span) (sign rune, inner Span, ok bool) {
	c := chars[i]
	if c.masked || i > 0 && wordy(chars[i-1]) {
		return 0, style, false
	}
	inner = style
	switch {
	case c.r == '*' && !style.Bold:
		inner.Bold = true
	case c.r == '_' && !style.Italic:
		inner.Italic = true
	case c.r == '~' && !style.Strike:
		inner.Strike = true
	case fence(chars, i):
		inner.Mono = true
		return '`', inner, i+3 < len(chars)
	default:
		return 0, style, false
	}
	return c.r, inner, i+1 < len(chars) && !blank(chars[i+1])
}

// closes returns where the style that begins at i ends; if nowhere, how far that was
// looked for.
func closes(chars []char, i int, sign rune) (end int, ok bool) {
	if sign == '`' {
		for j := i + 4; j < len(chars); j++ {
			if fence(chars, j) {
				return j, true
			}
		}
		return len(chars), false
	}
	j := i + 1
	for ; j < len(chars) && chars[j].r != '\n'; j++ {
		c := chars[j]
		if c.r == sign && !c.masked && j > i+1 && !blank(chars[j-1]) && (j+1 == len(chars) || !wordy(chars[j+1])) {
			return j, true
		}
	}
	return j, false
}

func fence(chars []char, i int) bool {
	if i+2 >= len(chars) {
		return false
	}
	for _, c := range chars[i : i+3] {
		if c.r != '`' || c.masked {
			return false
		}
	}
	return true
}

func blank(c char) bool { return unicode.IsSpace(c.r) }

// wordy reports whether a sign beside the character belongs to a word.
func wordy(c char) bool { return c.masked || unicode.IsLetter(c.r) || unicode.IsDigit(c.r) }
