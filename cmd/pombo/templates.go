package main

import (
	"context"
	"strconv"

	"pombo"
	"pombo/api"
)

type templatesCommand struct {
	JSON bool `help:"Print JSON."`
}

func (templatesCommand) Help() string {
	return `TEMPLATE_NAME must be one whose status is APPROVED, in TEMPLATE_LANGUAGE, and DB_COL_PARAMS must give as many values as it has.

Examples:

    pombo templates
    pombo templates --json`
}

// shownTemplate is a template with what DB_COL_PARAMS has to match.
type shownTemplate struct {
	api.Template
	Values int `json:"values"` // of the body
}

func (c templatesCommand) Run(ctx context.Context, s *shell) error {
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
	return nil
}
