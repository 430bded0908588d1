package api

import (
	"slices"
	"strings"
	"testing"

	"pombo"
	"pombo/internal/health"
)

func TestOpenAPI_IsValid(t *testing.T) {
	w := newFixture(t)
	if err := w.doc.Validate(t.Context()); err != nil {
		t.Errorf("openapi.yaml: %v", err)
	}
}

func TestOpenAPI_HasEveryRoute(t *testing.T) {
	w := newFixture(t)
	var documented, served []string
	for path, item := range w.doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	for _, rt := range w.server.table() {
		served = append(served, strings.TrimSuffix(rt.pattern(), "{$}"))
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("routes:\nopenapi.yaml %q\nmux          %q", documented, served)
	}
}

func TestOpenAPI_HasEveryState(t *testing.T) {
	w := newFixture(t)
	var got []string
	for _, s := range w.doc.Components.Schemas["State"].Value.Enum {
		name, _ := s.(string)
		got = append(got, name)
	}
	var want []string
	for _, s := range pombo.States() {
		want = append(want, string(s))
	}
	if !slices.Equal(got, want) {
		t.Errorf("states = %q, want %q", got, want)
	}
}

func TestOpenAPI_HasEveryHeadline(t *testing.T) {
	w := newFixture(t)
	var got []health.HeadlineName
	for _, s := range w.doc.Components.Schemas["Readiness"].Value.Properties["headline"].Value.Properties["name"].Value.Enum {
		name, _ := s.(string)
		got = append(got, health.HeadlineName(name))
	}
	if want := health.HeadlineNames(); !slices.Equal(got, want) {
		t.Errorf("headlines = %q, want %q", got, want)
	}
}

func TestOpenAPI_HasEveryAlert(t *testing.T) {
	w := newFixture(t)
	var got []string
	for _, s := range w.doc.Components.Schemas["Readiness"].Value.Properties["alerts"].Value.Items.Value.Properties["name"].Value.Enum {
		name, _ := s.(string)
		got = append(got, name)
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(health.AlertNames())); !slices.Equal(got, want) {
		t.Errorf("alerts = %q, want %q", got, want)
	}
}

func TestOpenAPI_HasEveryDiscrepancyKind(t *testing.T) {
	w := newFixture(t)
	var got, want []string
	for _, k := range w.doc.Components.Schemas["DiscrepancyKind"].Value.Enum {
		name, _ := k.(string)
		got = append(got, name)
	}
	for _, k := range pombo.DiscrepancyKinds() {
		want = append(want, string(k))
	}
	if !slices.Equal(got, want) {
		t.Errorf("kinds = %q, want %q", got, want)
	}
}

// The schemas must be able to fail, or the other tests prove nothing.
func TestOpenAPI_SchemasAreStrict(t *testing.T) {
	w := newFixture(t)
	schema := w.doc.Components.Schemas["Pause"].Value
	if schema.AdditionalProperties.Has == nil || *schema.AdditionalProperties.Has {
		t.Error("schema Pause takes members that are not in it")
	}
}
