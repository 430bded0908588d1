package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"pombo/internal/blipsim"
	"pombo/test/nightly"
)

// classic is the form of dashboards that every Grafana since 10 imports; the newer one is for
// its API of the kind of Kubernetes.
type classic = dashboard.Dashboard //nolint:staticcheck // see above

const dashboardPath = "../../deploy/grafana/pombo.json"

// readDashboard reads the dashboard by Grafana's own types: a name that they do not have, or
// a value that they do not allow, is an error.
func readDashboard(t *testing.T) classic {
	t.Helper()
	types := cog.NewRuntime()
	types.RegisterDataqueryVariant(prometheus.VariantConfig())
	types.RegisterPanelcfgVariant(stat.VariantConfig())
	types.RegisterPanelcfgVariant(timeseries.VariantConfig())
	b, err := os.ReadFile(dashboardPath)
	if err != nil {
		t.Fatal(err)
	}
	// The strict reading reports, and loses what is right: its error is never nil.
	if err := new(classic).UnmarshalJSONStrict(b); err.Error() != "" {
		t.Fatal(err)
	}
	var d classic
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	return d
}

// expressions returns the queries of all panels by the panels' titles.
func expressions(t *testing.T) map[string][]string {
	t.Helper()
	list, ids := map[string][]string{}, map[uint32]bool{}
	for _, p := range readDashboard(t).Panels {
		if p.RowPanel != nil {
			continue
		}
		if ids[*p.Panel.Id] || p.Panel.GridPos == nil || p.Panel.Title == nil {
			t.Errorf("a panel lacks an id of its own, a place or a title: %+v", p.Panel)
		}
		ids[*p.Panel.Id] = true
		for _, target := range p.Panel.Targets {
			query, ok := target.(*prometheus.Dataquery)
			if !ok {
				t.Fatalf("%s: a query is a %T", *p.Panel.Title, target)
			}
			list[*p.Panel.Title] = append(list[*p.Panel.Title], query.Expr)
		}
	}
	if len(list) < 20 {
		t.Errorf("%d panels with queries", len(list))
	}
	return list
}

var (
	metricOf   = regexp.MustCompile(`\b(?:pombo|process|go)_[a-z_]+`)
	groupedBy  = regexp.MustCompile(`\bby \(([a-z_, ]+)\)`)
	selectedBy = regexp.MustCompile(`\b([a-z_]+)(?:=|!=|=~|!~)"`)
)

// TestDashboard_MetricsExist compares the queries with what a running app serves.
func TestDashboard_MetricsExist(t *testing.T) {
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
	labels := map[string][]string{
		"process_resident_memory_bytes": nil, "process_cpu_seconds_total": nil, "process_start_time_seconds": nil, "go_goroutines": nil,
	}
	for _, f := range families {
		names := []string{"job", "instance"}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				names = append(names, l.GetName())
			}
		}
		labels[f.GetName()] = names
		if f.GetType().String() == "HISTOGRAM" {
			labels[f.GetName()+"_bucket"] = append(names, "le")
		}
	}
	for title, list := range expressions(t) {
		for _, expr := range list {
			known := map[string]bool{}
			metrics := metricOf.FindAllString(expr, -1)
			if len(metrics) == 0 {
				t.Errorf("%s has no metric: %s", title, expr)
			}
			for _, name := range metrics {
				names, is := labels[name]
				if !is {
					t.Errorf("%s: there is no metric %s", title, name)
				}
				for _, l := range append(names, "job", "instance") {
					known[l] = true
				}
			}
			used := []string{}
			for _, m := range groupedBy.FindAllStringSubmatch(expr, -1) {
				used = append(used, strings.Split(m[1], ", ")...)
			}
			for _, m := range selectedBy.FindAllStringSubmatch(expr, -1) {
				used = append(used, m[1])
			}
			for _, l := range used {
				if !known[l] {
					t.Errorf("%s: %s has no label %s", title, strings.Join(metrics, ", "), l)
				}
			}
		}
	}
}

// TestDashboard_PromQL has Prometheus read the queries, as rules.
func TestDashboard_PromQL(t *testing.T) {
	nightly.WithoutRace(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("there is no cache of tools:", err)
	}
	tools := os.Getenv("POMBO_TOOLS")
	if tools == "" {
		tools = filepath.Join(cache, "pombo", "tools")
	}
	found, err := filepath.Glob(filepath.Join(tools, "*", "promtool@*"))
	if err != nil || len(found) == 0 {
		t.Skip("promtool is not built: ./scripts/test alerts builds it")
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, list := range expressions(t) {
		for _, expr := range list {
			expr = strings.NewReplacer("$__rate_interval", "5m", "$job", "pombo").Replace(expr)
			rules = append(rules, rule{fmt.Sprintf("pombo:panel:%d", len(rules)), expr})
		}
	}
	b, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yml") // JSON is YAML
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), found[0], "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
