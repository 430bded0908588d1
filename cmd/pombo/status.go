package main

import (
	"context"

	"pombo/internal/api"
	"pombo/internal/health"
)

type statusCommand struct {
	JSON bool `help:"Print JSON: the whole answer of GET /readyz."`
}

func (statusCommand) Help() string {
	return `One sentence that says whether messages go, and if not, why; then what needs attention, the worst first, with what to do. They are in the LANGUAGE of the server. The exit code is 1 when the server does not answer, when a check of it fails or when messages do not go because of a fault.

Examples:

    pombo status
    pombo status --json`
}

func (c statusCommand) Run(ctx context.Context, s *shell) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	ready, err := client.Ready(ctx)
	switch {
	case err != nil && len(ready.Checks) == 0: // nobody has answered
		return err
	case c.JSON:
		err = s.printJSON(ready)
	default:
		s.printStatus(ready)
		err = nil
	}
	if err == nil && (!ready.Ready || ready.Headline != nil && ready.Headline.Level == health.Bad) {
		err = errShown
	}
	return err
}

// printStatus prints the headline, the checks that fail and the alerts.
func (s *shell) printStatus(r api.Readiness) {
	if r.Headline == nil {
		s.sayf("the server says only which checks pass; it says why only with its API_TOKEN")
	} else {
		s.printf("%s\n", unbroken(r.Headline.Text))
	}
	for _, c := range r.Checks {
		if !c.OK {
			s.attend(c.Name+": "+c.Detail, c.Hint)
		}
	}
	for _, a := range r.Alerts {
		s.attend(a.Message, a.Hint)
	}
}

// attend prints one thing that needs attention and, under it, what to do.
func (s *shell) attend(what, todo string) {
	s.printf("- %s\n", unbroken(what))
	if todo != "" {
		s.printf("  %s\n", unbroken(todo))
	}
}
