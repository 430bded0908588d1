package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/preview"
)

type templatesPreviewCommand struct {
	Name  string   `arg:"" optional:"" help:"Name of the template, as list shows it; without one that of the row, or TEMPLATE_NAME."`
	Row   string   `placeholder:"KEY" help:"Fill it with this row of the table, whatever its status."`
	Param []string `placeholder:"VALUE" sep:"none" help:"Fill it with values instead: for {{1}}, {{2}}, … in order, or PLACE=VALUE for another place (header, header-image, button0, …; see DB_COL_PARAMS)."`
	JSON  bool     `help:"Print JSON."`
}

func (templatesPreviewCommand) Help() string {
	return `It asks Blip for the template and the table for the row, and draws the message as WhatsApp would show it. It sends nothing, changes nothing and needs no running Pombo. It shows the person's data to you; nothing of it is logged.

It ends with 0 when the message would go, and with 1 when something is wrong, which it says.

Examples:

    pombo templates preview --row 4711
    pombo templates preview exam_ready --row 4711
    pombo templates preview exam_ready --param Maria --param "seu exame está pronto" --param button0=4711
    pombo templates preview notificacao --row 4711 --json`
}

// shownPreview is what --json prints.
type shownPreview struct {
	OK       bool          `json:"ok"` // it would go
	Template string        `json:"template"`
	Language string        `json:"language"`
	Status   string        `json:"status"`
	Category string        `json:"category,omitempty"`
	Header   *shownHeader  `json:"header,omitempty"`
	Body     string        `json:"body"`
	Footer   string        `json:"footer,omitempty"`
	Buttons  []shownButton `json:"buttons,omitempty"`
	Issues   []shownIssue  `json:"issues,omitempty"`
}

type shownHeader struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

type shownButton struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
	Does string `json:"does,omitempty"`
}

type shownIssue struct {
	Reason pombo.Reason `json:"reason"`
	Detail string       `json:"detail"`
	Hint   string       `json:"hint"`
}

func (c templatesPreviewCommand) Run(ctx context.Context, s *shell) error {
	params, err := c.params()
	if err != nil {
		return err
	}
	need := config.NeedBlip
	if c.Row != "" {
		need |= config.NeedSource
	}
	settings, err := s.load(need)
	if err != nil {
		return err
	}
	p, err := preview.New(ctx, settings, preview.Options{Template: c.Name, Row: c.Row, Params: params})
	if err != nil {
		return err
	}
	shown := showPreview(p)
	err = s.show(c.JSON, shown, func() { s.printf("%s", shown.draw()) })
	if err == nil && !shown.OK {
		return errShown
	}
	return err
}

// params reads the values of the command line.
func (c templatesPreviewCommand) params() ([]pombo.Param, error) {
	if c.Row != "" && len(c.Param) > 0 {
		return nil, wrongUse(errors.New("--row and --param both give values"), "use one of them")
	}
	var params []pombo.Param
	for _, v := range c.Param {
		param := pombo.Param{Slot: pombo.Body, Value: pombo.Private(v)}
		if before, after, ok := strings.Cut(v, "="); ok {
			// A text may have an equals sign in it: only a place makes it one.
			if place, err := pombo.ParseSlot(before); err == nil {
				param = pombo.Param{Slot: place, Value: pombo.Private(after)}
			}
		}
		params = append(params, param)
	}
	return params, nil
}

func showPreview(p preview.Preview) shownPreview {
	t := p.Template
	shown := shownPreview{
		OK: len(p.Issues) == 0, Template: t.Name, Language: t.Language, Status: t.Status, Category: t.Category,
		Body: p.Body.Reveal(), Footer: t.Footer,
	}
	if t.Header != "" {
		shown.Header = &shownHeader{t.Header, p.Header.Reveal()}
	}
	for i, b := range t.Buttons {
		shown.Buttons = append(shown.Buttons, shownButton{b.Kind, b.Text, p.Buttons[i].Reveal()})
	}
	for _, m := range p.Issues {
		shown.Issues = append(shown.Issues, shownIssue{m.Reason, m.Message, m.Hint})
	}
	return shown
}

// bubble is how wide a message is drawn, in characters.
const bubble = 56

// draw draws the message as a handset does, and says under it what is wrong.
func (p shownPreview) draw() string {
	var b strings.Builder
	line := func(left, fill, right string) {
		b.WriteString("  " + left + strings.Repeat(fill, bubble+2) + right + "\n")
	}
	write := func(s string) {
		for l := range strings.SplitSeq(text.WrapSoft(plain(s), bubble), "\n") {
			l = strings.TrimRight(l, " ")
			b.WriteString("  │ " + text.Pad(l, bubble, ' ') + " │\n")
		}
	}
	fmt.Fprintf(&b, "%s, %s, %s\n\n", plain(p.Template), plain(p.Language), plain(p.Status))
	line("┌", "─", "┐")
	if p.Header != nil {
		head := p.Header.Value
		if p.Header.Kind != "TEXT" {
			head = strings.TrimSpace("[" + strings.ToLower(p.Header.Kind) + "] " + head)
		}
		write(head)
		write("")
	}
	write(p.Body)
	if p.Footer != "" {
		write("")
		write(p.Footer)
	}
	for i, button := range p.Buttons {
		if i == 0 {
			line("├", "─", "┤")
		}
		label := "[ " + button.Text + " ]"
		if button.Does != "" {
			label += " " + button.Does
		}
		write(label)
	}
	line("└", "─", "┘")
	for i, m := range p.Issues {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "wrong: %s\nto do: %s\n", oneLine(m.Detail), oneLine(m.Hint))
	}
	return b.String()
}
