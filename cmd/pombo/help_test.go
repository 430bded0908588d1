package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pombo/internal/blipsim"
)

// TestHelp_ExamplesParse holds the help against the parser: every command has
// examples, and each of them can be typed as it stands.
func TestHelp_ExamplesParse(t *testing.T) {
	var out bytes.Buffer
	parser, err := newParser(&cli{}, &out, &out, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Leaves(true) {
		t.Run(command.FullPath(), func(t *testing.T) {
			_, examples, found := strings.Cut(command.Detail, "Examples:\n")
			if !found {
				t.Fatal("the help has no examples")
			}
			if strings.Contains(examples, "'") {
				t.Error("an example has a single quote, which cmd.exe takes for a letter")
			}
			calls := 0
			for line := range strings.Lines(examples) {
				for _, args := range pomboCalls(line) {
					calls++
					if err := parses(args); err != nil {
						t.Errorf("example %q: %v", strings.TrimSpace(line), err)
					}
					if path := strings.TrimSuffix(command.FullPath(), " list"); path != "pombo" && !strings.Contains(line, path) {
						t.Errorf("example %q is not of %s", strings.TrimSpace(line), command.Name)
					}
				}
			}
			if calls == 0 {
				t.Error("the examples do not call pombo")
			}
		})
	}
}

func parses(args []string) error {
	var out bytes.Buffer
	parser, err := newParser(&cli{}, &out, &out, func(int) {})
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	return err
}

// pomboCalls returns the arguments of each call of pombo in a line of shell. It
// knows no more of the shell than the examples use.
func pomboCalls(line string) (calls [][]string) {
	var words []string
	var quoted, begun bool
	var word strings.Builder
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range strings.TrimSpace(line) {
		switch {
		case r == '"':
			quoted, begun = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == ' ':
			end()
		case strings.ContainsRune("|<>", r):
			end()
			words = append(words, string(r))
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	end()
	for i := 0; i < len(words); i++ {
		if words[i] != "pombo" {
			continue
		}
		var args []string
		for i++; i < len(words) && !endsCall(words[i]); i++ {
			args = append(args, words[i])
		}
		if strings.Contains(line, "xargs pombo") && len(args) == 1 {
			args = append(args, "2ed6657d-e927-568b-95e1-2665a8aea6a2") // what xargs adds
		}
		calls = append(calls, args)
	}
	return calls
}

func endsCall(word string) bool { return word == "|" || word == "<" || word == ">" }

// TestSimulator_EveryOptionHasAFlag gives every flag of the simulator a value and looks for
// it in the options: a knob without a flag stays zero.
func TestSimulator_EveryOptionHasAFlag(t *testing.T) {
	var c simulatorCommand
	v := reflect.ValueOf(&c).Elem()
	for _, f := range v.Fields() {
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("x")
		case reflect.Float64:
			f.SetFloat(0.5)
		case reflect.Int, reflect.Int64:
			f.SetInt(7)
		case reflect.Uint64:
			f.SetUint(7)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"name=body"}))
		default:
			t.Fatalf("a flag of kind %s: teach the test", f.Kind())
		}
	}
	o, err := c.options()
	if err != nil {
		t.Fatal(err)
	}
	notForFlags := map[string]bool{"Now": true, "WebhookClient": true}
	checkSet(t, reflect.ValueOf(o), notForFlags)
	checkSet(t, reflect.ValueOf(o.Faults), nil)
	if got, want := len(o.Templates), len(blipsim.DefaultTemplates())+1; got != want {
		t.Errorf("templates = %d, want %d", got, want)
	}
}

func checkSet(t *testing.T, v reflect.Value, except map[string]bool) {
	t.Helper()
	for field, value := range v.Fields() {
		if value.IsZero() && !except[field.Name] {
			t.Errorf("no flag sets %s.%s", v.Type(), field.Name)
		}
	}
}

// TestSimulator_Defaults: without flags the simulator is the one that everybody
// else uses.
func TestSimulator_Defaults(t *testing.T) {
	var c cli
	parser, err := newParser(&c, new(bytes.Buffer), new(bytes.Buffer), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"simulator"}); err != nil {
		t.Fatal(err)
	}
	o, err := c.Simulator.options()
	if err != nil {
		t.Fatal(err)
	}
	if o.ReadRate != 0.4 || o.KeepMessages != 100_000 || o.Scripts != nil || o.Faults != (blipsim.Faults{}) {
		t.Errorf("options = %+v, want the defaults of blipsim", o)
	}
	if _, err := parser.Parse([]string{"simulator", "--read-rate=0"}); err != nil {
		t.Fatal(err)
	}
	if o, _ := c.Simulator.options(); o.ReadRate >= 0 {
		t.Errorf("read rate = %v, want none", o.ReadRate)
	}
}
