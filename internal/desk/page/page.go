// Package page has the frame of the desk's pages (layout.tmpl), the pieces they share
// (parts.tmpl) and the types that those pieces take. A piece gets its words already
// translated: it knows nothing of languages, and nothing of what Pombo is about but
// the states of a message.
package page

import (
	"html/template"
	"time"
)

// Link is an address with its text. Without an address it is left out.
type Link struct{ Href, Text string }

// Badge says where something stands: an icon, a colour and a word, so that no one of
// them is needed alone. Detail stands below it.
type Badge struct{ Icon, Tone, Word, Detail string }

// Phone is a masked number. Spoken is what a screen reader says in its place: a row
// of asterisks is noise there.
type Phone struct{ Masked, Spoken string }

// Time is a moment: Short is shown, Long has the seconds and the zone.
type Time struct {
	At          time.Time
	Short, Long string
}

// Fact is a line of a list of facts: a word and its phone, its link, its code or its text.
type Fact struct {
	Word, Text, Href string
	Phone            Phone
	Time             Time // before the text
	Code             bool
}

// Pager leads to the rows before and after those of a list. Note says how far back
// was looked.
type Pager struct {
	Label        string // what is paged through
	Newer, Older Link
	Note         string
}

// Empty stands where a list would, and says why there is none and what to check.
type Empty struct {
	Title, Text string
	Steps       []string
	Links       []Link
}

// Notice is a box with what matters: Level is ok, warn or bad.
type Notice struct {
	Level, Title, Text string
	Links              []Link
}

// Headline is the one sentence about sending: Level is ok, warn or bad.
type Headline struct{ Level, Text string }

// Figure is a number with its word, and where the list behind it is. Tone is warn,
// bad or "".
type Figure struct{ Word, Number, Href, Tone string }

// Step is a line of a message's story. Wait says how long the next one took and why;
// what is Planned has not happened.
type Step struct {
	Time    Time
	Tone    string // good, read, warn, bad or quiet
	Title   string
	Text    string
	Wait    string
	Planned bool
}

// Column is a column of a table; numbers stand at the right.
type Column struct {
	Word   string
	Number bool
}

// Cell is one of Badge, Phone, Time, a drawing, a link or a text, the first that is set.
type Cell struct {
	Badge      Badge
	Phone      Phone
	Time       Time
	Drawing    template.HTML // small, and with its numbers as its description
	Href, Text string
}

// Table has a row of cells for each row, as many as there are columns.
type Table struct {
	Caption string
	Columns []Column
	Rows    [][]Cell
}

// Hidden is a value that a form carries along.
type Hidden struct{ Name, Value string }

// Field is what else a form asks for. Type is that of an input; with Choices it is a list.
type Field struct {
	Name, Label, Type, Value, Hint string
	Required                       bool
	Choices                        []Choice
}

// Choice is one of a list to choose from.
type Choice struct {
	Value, Text string
	Chosen      bool
}

// Confirm asks before something is done: what, what follows, whether it can be
// undone. With a Count, this number has to be typed.
type Confirm struct {
	Action   string // where it posts to
	Once     string // token that is good once
	Hidden   []Hidden
	Problem  string // why the last try was refused
	Question string
	Follows  []string
	Undo     string

	NoteLabel    string // "" = no note
	NoteRequired bool
	Note         string
	Fields       []Field
	Count        int
	CountLabel   string

	Submit string
	Danger bool
	Back   Link
}

// Copy is a text that a button puts on the clipboard; Done is what it says then.
type Copy struct{ ID, Label, Text, Button, Done string }

// Series is a word of a chart's legend; Series counts from 1, as the classes do.
type Series struct {
	Series int
	Word   string
}

// Chart is a drawing with its legend and the same numbers as a table.
type Chart struct {
	Title   string
	SVG     template.HTML
	Legend  []Series
	Table   Table
	AsTable string // opens the table
}

// Bubble is a message as its recipient sees it. Media is the word for what its header
// shows, which is named and never loaded.
type Bubble struct {
	Message any // of template.Draw
	Media   string
	At      string // when it arrived
	Note    string // what is not sure about it, below
}

// looks has icon and tone of each state, by its word in the ledger.
var looks = map[string][2]string{
	"queued":     {"clock", "warn"},
	"claimed":    {"clock", "warn"},
	"sending":    {"out", "quiet"},
	"accepted":   {"tick", "quiet"},
	"dispatched": {"tick", "quiet"},
	"delivered":  {"ticks", "good"},
	"read":       {"ticks", "read"},
	"failed":     {"cross", "bad"},
	"uncertain":  {"ask", "warn"},
	"cancelled":  {"stop", "quiet"},
	"expired":    {"stop", "quiet"},
	"suppressed": {"stop", "quiet"},
}

// StateBadge returns the badge of a state, with its word for people and what is to be
// said about it.
func StateBadge[S ~string](state S, word, detail string) Badge {
	look := looks[string(state)]
	return Badge{Icon: look[0], Tone: look[1], Word: word, Detail: detail}
}
