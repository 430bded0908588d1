package telemetry_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// This file runs deploy/elk/pipeline.json as Elasticsearch would, as far as the pipeline
// needs it: Elasticsearch itself cannot be started here. What it does not know, it refuses.

// document is what is in the pipeline: objects within objects.
type document map[string]any

type ingest struct {
	Processors []map[string]processor `json:"processors"`
	OnFailure  []map[string]processor `json:"on_failure"`
}

// processor has the options of all processors that occur.
type processor struct {
	Field            string   `json:"field"`
	TargetField      string   `json:"target_field"`
	Pattern          string   `json:"pattern"`
	Replacement      string   `json:"replacement"`
	Value            any      `json:"value"`
	CopyFrom         string   `json:"copy_from"`
	Type             string   `json:"type"`
	Formats          []string `json:"formats"`
	Timezone         string   `json:"timezone"`
	Lang             string   `json:"lang"`
	Source           string   `json:"source"`
	If               string   `json:"if"`
	Override         *bool    `json:"override"`
	IgnoreMissing    bool     `json:"ignore_missing"`
	IgnoreEmptyValue bool     `json:"ignore_empty_value"`
}

// conditions are those of the pipeline, in Go. An error stands for Painless's null pointer.
var conditions = map[string]func(d document) (bool, error){
	"":                            func(document) (bool, error) { return true, nil },
	"ctx.event?.original == null": func(d document) (bool, error) { return d.at("event.original") == nil, nil },
	"ctx.event?.original != null && ctx.event.original.startsWith('{')": func(d document) (bool, error) {
		return strings.HasPrefix(d.text("event.original"), "{"), nil
	},
	"ctx.event.original.startsWith('{')": func(d document) (bool, error) {
		if d.at("event.original") == nil {
			return false, fmt.Errorf("event.original is null")
		}
		return strings.HasPrefix(d.text("event.original"), "{"), nil
	},
	"ctx.pombo == null": func(d document) (bool, error) { return d.at("pombo") == nil, nil },
	"ctx.pombo.timestamp.contains('T')": func(d document) (bool, error) {
		if d.at("pombo.timestamp") == nil {
			return false, fmt.Errorf("pombo.timestamp is null")
		}
		return strings.Contains(d.text("pombo.timestamp"), "T"), nil
	},
	"!ctx.pombo.timestamp.contains('T') && ctx.event?.timezone != null": func(d document) (bool, error) {
		return !strings.Contains(d.text("pombo.timestamp"), "T") && d.at("event.timezone") != nil, nil
	},
	"!ctx.pombo.timestamp.contains('T') && ctx.event?.timezone == null": func(d document) (bool, error) {
		return !strings.Contains(d.text("pombo.timestamp"), "T") && d.at("event.timezone") == nil, nil
	},
	"ctx.pombo.status instanceof Number":                              func(d document) (bool, error) { return isNumber(d.at("pombo.status")), nil },
	"ctx.pombo.duration_ms instanceof Number":                         func(d document) (bool, error) { return isNumber(d.at("pombo.duration_ms")), nil },
	"ctx.event.action == 'attempt' && ctx.pombo.state == 'accepted'":  attempted("accepted"),
	"ctx.event.action == 'attempt' && ctx.pombo.state == 'failed'":    attempted("failed"),
	"ctx.event.action == 'attempt' && ctx.pombo.state == 'uncertain'": attempted("uncertain"),
	"ctx.tags == null || !ctx.tags.contains('preserve_original_event')": func(d document) (bool, error) {
		tags, _ := d.at("tags").([]any)
		return !slices.Contains(tags, any("preserve_original_event")), nil
	},
}

func attempted(state string) func(d document) (bool, error) {
	return func(d document) (bool, error) {
		return d.text("event.action") == "attempt" && d.text("pombo.state") == state, nil
	}
}

func isNumber(v any) bool { _, is := v.(json.Number); return is }

// scripts are those of the pipeline, in Go.
var scripts = map[string]func(d document){
	"ctx.event.duration = (long) ctx.pombo.duration_ms * 1000000L": func(d document) {
		n, _ := d.at("pombo.duration_ms").(json.Number).Int64()
		d.put("event.duration", n*1_000_000)
	},
}

// read decodes JSON and keeps its numbers as they are written.
func read(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// run takes a document through the pipeline.
func (in ingest) run(d document) error {
	if err := d.all(in.Processors); err != nil {
		d.put("_ingest.failure", err.Error())
		err = d.all(in.OnFailure)
		delete(d, "_ingest")
		return err
	}
	return nil
}

func (d document) all(list []map[string]processor) error {
	for _, one := range list {
		for kind, p := range one {
			is, known := conditions[p.If]
			if !known {
				return fmt.Errorf("the test does not know the condition %s", p.If)
			}
			goes, err := is(d)
			if err == nil && goes {
				err = d.process(kind, p)
			}
			if err != nil {
				return fmt.Errorf("%s of %s: %w", kind, p.Field, err)
			}
		}
	}
	return nil
}

func (d document) process(kind string, p processor) error {
	v := d.at(p.Field)
	if v == nil && kind != "set" && kind != "append" && kind != "script" {
		if p.IgnoreMissing {
			return nil
		}
		return fmt.Errorf("the field is not there")
	}
	target := p.Field
	if p.TargetField != "" {
		target = p.TargetField
	}
	switch kind {
	case "rename":
		if d.at(target) != nil {
			return fmt.Errorf("%s is there already", target)
		}
		d.remove(p.Field)
		d.put(target, v)
	case "remove":
		d.remove(p.Field)
	case "json":
		o := json.NewDecoder(strings.NewReader(v.(string)))
		o.UseNumber()
		var members map[string]any
		if err := o.Decode(&members); err != nil {
			return err
		}
		d.put(target, members)
	case "dissect":
		return d.dissect(v.(string), p.Pattern)
	case "date":
		return d.date(v.(string), p)
	case "set":
		if p.CopyFrom != "" {
			p.Value = d.at(p.CopyFrom)
		}
		if p.IgnoreEmptyValue && p.Value == nil || p.Override != nil && !*p.Override && v != nil {
			return nil
		}
		d.put(p.Field, p.Value)
	case "append":
		list := []any{}
		if v != nil {
			list = append(list, v)
		}
		d.put(p.Field, append(list, d.text("_ingest.failure")))
	case "convert":
		if p.Type != "string" {
			return fmt.Errorf("the test converts to string only")
		}
		d.put(target, fmt.Sprint(v))
	case "gsub":
		d.put(target, strings.ReplaceAll(v.(string), p.Pattern, p.Replacement)) // a hyphen is no pattern
	case "script":
		f, known := scripts[p.Source]
		if !known || p.Lang != "painless" {
			return fmt.Errorf("the test does not know the script %s", p.Source)
		}
		f(d)
	default:
		return fmt.Errorf("the test does not know this processor")
	}
	return nil
}

// dissect takes a text apart: %{field} between literal texts, each as short as it can be.
func (d document) dissect(s, pattern string) error {
	for pattern != "" {
		field, rest, ok := strings.Cut(strings.TrimPrefix(pattern, "%{"), "}")
		if !ok {
			return fmt.Errorf("the pattern is odd")
		}
		between, next, more := strings.Cut(rest, "%{")
		value := s
		if more {
			if value, s, ok = strings.Cut(s, between); !ok {
				return fmt.Errorf("no %q", between)
			}
			next = "%{" + next
		}
		d.put(field, value)
		pattern = next
	}
	return nil
}

func (d document) date(s string, p processor) error {
	layouts := map[string]string{"ISO8601": time.RFC3339, "yyyy-MM-dd HH:mm:ss,SSS": "2006-01-02 15:04:05,000"}
	zone := time.UTC
	if p.Timezone != "" {
		if p.Timezone != "{{{event.timezone}}}" {
			return fmt.Errorf("the test does not know the zone %s", p.Timezone)
		}
		at, err := time.Parse("-07:00", d.text("event.timezone"))
		if err != nil {
			return err
		}
		zone = at.Location()
	}
	at, err := time.ParseInLocation(layouts[p.Formats[0]], s, zone)
	if err == nil {
		d.put("@timestamp", at.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return err
}

// at returns the value of a field; nil when there is none.
func (d document) at(path string) any {
	var v any = map[string]any(d)
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

func (d document) text(path string) string { s, _ := d.at(path).(string); return s }

func (d document) put(path string, v any) {
	object := map[string]any(d)
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[names[len(names)-1]] = v
}

func (d document) remove(path string) {
	parent, name, ok := cutLast(path)
	if !ok {
		delete(d, path)
		return
	}
	if object, ok := d.at(parent).(map[string]any); ok {
		delete(object, name)
	}
}

func cutLast(path string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// flat returns the fields by their whole names.
func (d document) flat() map[string]string {
	fields := map[string]string{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		object, ok := v.(map[string]any)
		if !ok {
			fields[prefix] = fmt.Sprint(v)
			return
		}
		for name := range maps.Keys(object) {
			walk(strings.TrimPrefix(prefix+"."+name, "."), object[name])
		}
	}
	walk("", map[string]any(d))
	return fields
}
