package main

import (
	"context"
	"errors"
	"strings"

	"pombo/internal/config"
	"pombo/internal/doctor"
)

type doctorCommand struct {
	JSON bool `help:"Print JSON."`
}

func (doctorCommand) Help() string {
	return `It looks at the settings, the company's table with its index, its plan, its clock and its password's last day, the ledger with its rights, Blip with its key and its template, the address of the API and the log, and says of each what to do when something is wrong. It sends nothing and changes nothing, so it may run beside pombo serve. Each check has five seconds.

It ends with 0 when nothing failed (warnings are not failures), with 1 when something did, and with 78 when the settings themselves are wrong: then nothing else can be looked at.

Examples:

    pombo doctor
    pombo doctor --json
    pombo doctor --env-file /etc/pombo/pombo.env`
}

// diagnosis is what --json prints.
type diagnosis struct {
	OK       bool           `json:"ok"` // nothing failed
	Findings []shownFinding `json:"findings"`
}

type shownFinding struct {
	Part    string        `json:"part"`
	Check   string        `json:"check"`
	Result  doctor.Result `json:"result"`
	Message string        `json:"message"`
	Hint    string        `json:"hint,omitempty"`
	TookMS  int64         `json:"took_ms"`
}

func (c doctorCommand) Run(ctx context.Context, s *shell) error {
	settings, warnings, err := config.Load(s.envFile, s.environ, config.NeedAll)
	found := append(readSettings(warnings, err), doctor.DiagnoseSettings(ctx, s.envFile, settings.SecretFiles()...)...)
	if err == nil {
		found = append(found, doctor.Diagnose(ctx, settings, selfURL(settings.API.Addr))...)
	}
	if ctx.Err() != nil {
		return ctx.Err() // an interrupted diagnosis proves nothing
	}
	d := diagnosis{OK: true, Findings: []shownFinding{}}
	for _, f := range found {
		d.OK = d.OK && f.Result != doctor.Fail
		d.Findings = append(d.Findings, shownFinding{f.Part, f.Check, f.Result, f.Message, f.Hint, f.Took.Milliseconds()})
	}
	if err := s.show(c.JSON, d, func() { s.printDiagnosis(d) }); err != nil {
		return err
	}
	switch {
	case err != nil:
		return errors.Join(errShown, err)
	case !d.OK:
		return errShown
	}
	return nil
}

// readSettings turns the result of reading the settings into findings.
func readSettings(warnings []config.Warning, err error) []doctor.Finding {
	finding := func(r doctor.Result, what, todo string) doctor.Finding {
		return doctor.Finding{Part: "configuration", Check: "settings", Result: r, Message: what, Hint: todo}
	}
	var found []doctor.Finding
	if e, ok := errors.AsType[*config.Error](err); ok {
		for _, p := range e.Problems {
			found = append(found, finding(doctor.Fail, p.String(), p.Hint))
		}
	} else if err != nil {
		found = append(found, finding(doctor.Fail, err.Error(), "correct the settings"))
	}
	for _, w := range warnings {
		found = append(found, finding(doctor.Warn, w.String(), "correct it, or take it away"))
	}
	if len(found) == 0 {
		found = append(found, finding(doctor.OK, "all that are needed are there (pombo config shows them)", ""))
	}
	return found
}

// printDiagnosis writes a line for each finding, and under it what to do.
func (s *shell) printDiagnosis(d diagnosis) {
	const columns = "%-8s %-13s %-11s %s\n"
	count := map[doctor.Result]int{}
	for _, f := range d.Findings {
		count[f.Result]++
		s.printf(columns, f.Result, f.Part, f.Check, oneLine(f.Message))
		if f.Hint != "" {
			s.printf(columns, "", "", "", "to do: "+oneLine(f.Hint))
		}
	}
	s.printf("\n")
	for _, r := range []doctor.Result{doctor.OK, doctor.Warn, doctor.Fail, doctor.Skipped} {
		s.printf("%-8s %d\n", r, count[r])
	}
}

// oneLine is a text of several lines, such as joined errors, on one.
func oneLine(s string) string { return strings.Join(strings.Fields(plain(s)), " ") }
