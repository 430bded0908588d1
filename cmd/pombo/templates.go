package main

import (
	"context"
	"strconv"
	"strings"

	"pombo"
	"pombo/internal/api"
)

type templatesCommand struct {
	List    templatesListCommand    `cmd:"" default:"withargs" help:"List the bot's message templates at Blip (default)."`
	Preview templatesPreviewCommand `cmd:"" help:"Draw the message that a row would become."`
	Hold    templatesHoldCommand    `cmd:"" help:"Keep the messages of a template waiting."`
	Release templatesReleaseCommand `cmd:"" help:"Release a template that is held."`
}

type templatesListCommand struct {
	JSON bool `help:"Print JSON."`
}

func (templatesListCommand) Help() string {
	return `TEMPLATE_NAME must be one whose status is APPROVED, in TEMPLATE_LANGUAGE, and DB_COL_PARAMS must give the values that it takes. A line under the table says of each template what keeps the rows from going with it. Such rows are held and go by themselves when the template is right.

Examples:

    pombo templates
    pombo templates --json`
}

// shownTemplate is a template with what DB_COL_PARAMS has to match.
type shownTemplate struct {
	api.Template
	Values int `json:"values"` // of the body
}

func (c templatesListCommand) Run(ctx context.Context, s *shell) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	list, err := client.Templates(ctx)
	if err != nil {
		return err
	}
	shown := make([]shownTemplate, len(list))
	for i, t := range list {
		shown[i] = shownTemplate{t, pombo.CountVariables(t.Body)}
	}
	if c.JSON {
		return s.printJSON(shown)
	}
	if len(shown) == 0 {
		s.sayf("there are none: make one in the Blip portal and have it approved")
		return nil
	}
	g := newGrid("name", "language", "status", "category", "values", "body")
	for _, t := range shown {
		g.add(t.Name, t.Language, t.Status, t.Category, strconv.Itoa(t.Values), t.Body)
	}
	s.printf("%s", g)
	for _, t := range shown {
		if t.PreviousCategory != "" && t.PreviousCategory != t.Category {
			s.printf("\n%s\n", oneLine(t.Name+" was moved by WhatsApp from "+t.PreviousCategory+" to "+t.Category+": its price, its limits and who may get it follow the category"))
		}
		if t.Hold != nil {
			s.printf("\n%s\n", oneLine(t.Name+" "+holdSentence(*t.Hold)+by(t.Hold.By)+why(t.Hold.Detail)))
		}
		if len(t.Issues) > 0 {
			s.printf("\n%s\n", oneLine(t.Name+" does not send the table's rows: "+details(t.Issues)))
		}
	}
	return nil
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return ", by " + who
}

func why(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// details joins what is wrong with a template.
func details(issues []api.TemplateIssue) string {
	var all []string
	for _, m := range issues {
		all = append(all, m.Detail)
	}
	return strings.Join(all, "; ")
}
