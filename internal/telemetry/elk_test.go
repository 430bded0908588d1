package telemetry_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo/internal/phone"
	"pombo/internal/telemetry"
)

const (
	pipelinePath = "../../deploy/elk/pipeline.json"
	templatePath = "../../deploy/elk/index-template.json"
)

// ecs has the fields of the Elastic Common Schema 9.4.0 that the pipeline fills, with their
// types there.
var ecs = map[string]string{
	"@timestamp": "date", "message": "match_only_text", "ecs.version": "keyword", "log.level": "keyword",
	"error.message": "match_only_text", "error.code": "keyword", "error.stack_trace": "wildcard",
	"event.action": "keyword", "event.dataset": "keyword", "event.duration": "long", "event.kind": "keyword", "event.module": "keyword",
	"event.original": "keyword", "event.outcome": "keyword", "event.reason": "keyword", "event.timezone": "keyword",
	"http.request.id": "keyword", "http.response.status_code": "long",
	"service.name": "keyword", "service.type": "keyword", "trace.id": "keyword",
}

// logLine returns the line that the log has for a record.
func logLine(t *testing.T, format string, at time.Time, level slog.Level, message string, attrs ...slog.Attr) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pombo.log")
	log, closer, err := telemetry.OpenLog(telemetry.Options{File: file, Format: format})
	if err != nil {
		t.Fatal(err)
	}
	r := slog.NewRecord(at, level, message, 0)
	r.AddAttrs(attrs...)
	if err := log.Handler().Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(line), "\n")
}

// TestPipeline takes lines as the log writes them through the pipeline, and compares every
// field.
func TestPipeline(t *testing.T) {
	var in ingest
	var whole map[string]json.RawMessage
	read(t, pipelinePath, &whole)
	for name, into := range map[string]any{"processors": &in.Processors, "on_failure": &in.OnFailure} {
		d := json.NewDecoder(strings.NewReader(string(whole[name])))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 11, 24, 10, 0, 0, 123e6, time.Local)
	utc := at.UTC().Format("2006-01-02T15:04:05.000Z")
	number, err := phone.Parse("+5531988880001")
	if err != nil {
		t.Fatal(err)
	}
	always := map[string]string{
		"@timestamp": utc, "ecs.version": "9.4.0", "event.dataset": "pombo", "event.kind": "event", "event.module": "pombo",
		"service.name": "pombo", "service.type": "pombo",
	}
	failed := func(e string) map[string]string {
		return map[string]string{"event.kind": "pipeline_error", "error.message": e}
	}

	for _, c := range []struct {
		name string
		line string
		more document // what Filebeat has added
		want map[string]string
		bare bool // want is all of it
	}{
		{
			name: "an attempt",
			line: logLine(t, "json", at, slog.LevelInfo, "attempt", slog.String("id", messageID), slog.String("row", "4711"), slog.Int("generation", 1),
				slog.String("state", "accepted"), slog.Int("attempt", 1), slog.Any("phone", number), slog.Int64("duration_ms", 84)),
			want: map[string]string{
				"log.level": "INFO", "message": "attempt", "event.action": "attempt", "event.outcome": "success", "event.duration": "84000000",
				"trace.id": strings.ReplaceAll(messageID, "-", ""), "pombo.id": messageID, "pombo.row": "4711", "pombo.generation": "1",
				"pombo.state": "accepted", "pombo.attempt": "1", "pombo.phone": "+55 31 *****-**01", "pombo.duration_ms": "84",
			},
		},
		{
			name: "an attempt that failed",
			line: logLine(t, "json", at, slog.LevelWarn, "attempt", slog.String("id", messageID), slog.String("state", "failed"),
				slog.String("reason", "not_on_whatsapp"), slog.String("detail", "code 81: no account"), slog.Int64("duration_ms", 0)),
			want: map[string]string{
				"log.level": "WARNING", "message": "attempt", "event.action": "attempt", "event.outcome": "failure", "event.reason": "not_on_whatsapp",
				"event.duration": "0", "trace.id": strings.ReplaceAll(messageID, "-", ""), "pombo.id": messageID, "pombo.state": "failed",
				"pombo.detail": "code 81: no account", "pombo.duration_ms": "0",
			},
		},
		{
			name: "an error with a number",
			line: logLine(t, "json", at, slog.LevelError, "a failure is not counted among those in a row", slog.String("reason", "window_closed"),
				slog.Int("code", 131047), slog.Any("error", errors.New("disk full")), slog.Int("times", 12)),
			want: map[string]string{
				"log.level": "ERROR", "message": "a failure is not counted among those in a row", "event.action": "a failure is not counted among those in a row",
				"event.reason": "window_closed", "error.code": "131047", "error.message": "disk full", "pombo.times": "12",
			},
		},
		{
			name: "a request",
			line: logLine(t, "json", at, slog.LevelError, "request panicked", slog.String("route", "GET /runs"), slog.String("error", "nil map"),
				slog.String("stack", "goroutine 1"), slog.String("request", "7f"), slog.Int("status", 500)),
			want: map[string]string{
				"log.level": "ERROR", "message": "request panicked", "event.action": "request panicked", "pombo.route": "GET /runs",
				"error.message": "nil map", "error.stack_trace": "goroutine 1", "http.request.id": "7f", "http.response.status_code": "500",
			},
		},
		{
			name: "a status in words", more: document{"tags": []any{"preserve_original_event"}, "service": map[string]any{"name": "pombo-oncology"}},
			line: `{"timestamp":"2026-11-24T13:00:00.123Z","level":"INFO","message":"m","status":"ok"}`,
			want: map[string]string{
				"@timestamp": "2026-11-24T13:00:00.123Z", "log.level": "INFO", "message": "m", "event.action": "m", "pombo.status": "ok", "service.name": "pombo-oncology",
				"event.original": `{"timestamp":"2026-11-24T13:00:00.123Z","level":"INFO","message":"m","status":"ok"}`, "tags": "[preserve_original_event]",
			},
		},
		{
			name: "the text format", more: document{"event": map[string]any{"timezone": at.Format("-07:00")}},
			line: logLine(t, "text", at, slog.LevelInfo, "run started", slog.Int64("run_id", 3)),
			want: map[string]string{"log.level": "INFO", "message": "run started run_id=3", "event.timezone": at.Format("-07:00")},
		},
		{
			name: "the text format of an unknown zone",
			line: "2026-11-24 10:00:00,123 - WARNING - odd - and more",
			want: map[string]string{"@timestamp": "2026-11-24T10:00:00.123Z", "log.level": "WARNING", "message": "odd - and more"},
		},
		{
			name: "half a line", line: `{"timestamp":"2026-`, bare: true,
			want: merged(failed("[json of event.original: unexpected EOF]"), map[string]string{"event.original": `{"timestamp":"2026-`, "message": `{"timestamp":"2026-`}),
		},
		{
			name: "not of Pombo", line: "panic: runtime error", bare: true,
			want: merged(failed(`[dissect of event.original: no " - "]`), map[string]string{"event.original": "panic: runtime error", "message": "panic: runtime error"}),
		},
	} {
		d := document{"message": c.line}
		maps.Copy(d, c.more)
		if err := in.run(d); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := c.want
		if !c.bare {
			want = merged(always, want)
		}
		got := d.flat()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s\n(-want +got):\n%s", c.name, c.line, diff)
		}
		for field := range got {
			if !strings.HasPrefix(field, "pombo.") && field != "tags" && ecs[field] == "" {
				t.Errorf("%s: the field %s is not in the Elastic Common Schema", c.name, field)
			}
		}
	}
}

func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// Fields have the types of the Elastic Common Schema. A field of ours is a keyword, which
// takes any value, unless all lines that have it give it a number or a time: a document that
// does not fit the type of a field would be refused whole.
func TestIndexTemplate(t *testing.T) {
	var v struct {
		Template struct {
			Mappings struct {
				Dynamic []map[string]struct {
					Path    string         `json:"path_match"`
					Matches string         `json:"match_mapping_type"`
					Mapping map[string]any `json:"mapping"`
				} `json:"dynamic_templates"`
				Properties      map[string]any `json:"properties"`
				DateDetection   bool           `json:"date_detection"`
				NumberDetection bool           `json:"numeric_detection"`
			} `json:"mappings"`
			Settings map[string]any `json:"settings"`
		} `json:"template"`
		Patterns   []string       `json:"index_patterns"`
		DataStream map[string]any `json:"data_stream"`
		Priority   int            `json:"priority"`
	}
	read(t, templatePath, &v)
	m := v.Template.Mappings
	if len(m.Dynamic) == 0 || m.Dynamic[0]["pombo"].Path != "pombo.*" || m.Dynamic[0]["pombo"].Matches != "*" || m.Dynamic[0]["pombo"].Mapping["type"] != "keyword" {
		t.Error("fields of ours without a type are not keywords")
	}
	types := map[string]string{}
	var walk func(prefix string, properties map[string]any)
	walk = func(prefix string, properties map[string]any) {
		for name, p := range properties {
			field := p.(map[string]any)
			if kind, ok := field["type"].(string); ok {
				types[prefix+name] = kind
			}
			if inner, ok := field["properties"].(map[string]any); ok {
				walk(prefix+name+".", inner)
			}
		}
	}
	walk("", m.Properties)
	for field, kind := range ecs {
		if types[field] != kind {
			t.Errorf("%s is %q, want %q", field, types[field], kind)
		}
	}
	for field := range maps.Keys(types) {
		if !strings.HasPrefix(field, "pombo.") && ecs[field] == "" {
			t.Errorf("%s is neither ours nor of the Elastic Common Schema", field)
		}
	}
	if !slices.Contains(v.Patterns, "logs-pombo-*") || v.DataStream == nil || v.Template.Settings["index.default_pipeline"] != "pombo" {
		t.Error("the template is not for the data stream that filebeat.yml writes to")
	}
}
