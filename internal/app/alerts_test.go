package app_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

var (
	metricName = regexp.MustCompile(`\bpombo_[a-z_]+`)
	runbook    = regexp.MustCompile(`(?m)runbook: docs/operations\.md#(\S+)$`)
	heading    = regexp.MustCompile(`(?m)^### (Pombo\w+)$`)
	alarm      = regexp.MustCompile(`(?m)alert: (\w+)$`)
)

// TestAlarms_Documented compares the rules for Prometheus, the metrics of a running app and
// the operator's page.
func TestAlarms_Documented(t *testing.T) {
	nightly.WithoutRace(t)
	w := newFixture(t, 1, blipsim.Options{}, "EVENTS_URL=http://127.0.0.1:9/", "EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	w.exec(`UPDATE NOTIFICACAO SET NR_TELEFONE = 'none'`) // a reason is counted only when there is one
	_, client := w.start()
	if _, err := client.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		t.Helper()
		b, err := os.ReadFile("../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	rules, page := read("deploy/prometheus-alerts.yml"), read("docs/operations.md")

	is := map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		is[name] = true
		if strings.HasPrefix(name, "pombo_") && !regexp.MustCompile("(?m)^\\|.*`"+name+"[`{]").MatchString(page) {
			t.Errorf("docs/operations.md does not describe %s", name)
		}
	}
	for _, name := range metricName.FindAllString(rules, -1) {
		if !is[name] {
			t.Errorf("a rule uses the metric %s, which does not exist", name)
		}
	}
	for line := range strings.SplitSeq(page, "\n") {
		if name := metricName.FindString(line); strings.HasPrefix(line, "| `pombo_") && !is[name] {
			t.Errorf("docs/operations.md describes %s, which does not exist", name)
		}
	}

	headings := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		headings[strings.ToLower(h[1])] = true
	}
	named := map[string]bool{}
	for _, anchor := range runbook.FindAllStringSubmatch(rules, -1) {
		named[anchor[1]] = true
		if !headings[anchor[1]] {
			t.Errorf("docs/operations.md has no heading for %s", anchor[1])
		}
	}
	tests := read("deploy/prometheus-alerts_test.yml")
	for _, a := range alarm.FindAllStringSubmatch(rules, -1) {
		if !named[strings.ToLower(a[1])] {
			t.Errorf("the alarm %s names no runbook of its own", a[1])
		}
		if !strings.Contains(tests, "name: "+a[1]+"\n") {
			t.Errorf("the alarm %s has no test", a[1])
		}
	}
}
