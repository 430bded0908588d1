package phone_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pombo/internal/phone"
)

func mustParse(tb testing.TB, raw string) phone.Number {
	tb.Helper()
	n, err := phone.Parse(raw)
	if err != nil {
		tb.Fatalf("Parse(%q): %v", raw, err)
	}
	return n
}

func TestString(t *testing.T) {
	for raw, want := range map[string]string{
		"31 98888-0001":     "+55 31 *****-**01",
		"31 3222-0001":      "+55 31 ****-**01",
		"+351 912 345 678":  "+351 *******78",
		"+1 (201) 555-0123": "+1 ********23",
		"+44 20 7946 0958":  "+44 ********58",
		"+7 912 345-67-89":  "+7 ********89",
		"+683 4000":         "+683 **00",
		"+880 1812-345678":  "+880 ********78",
	} {
		if got := mustParse(t, raw).String(); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
	if got := (phone.Number{}).String(); got != "" {
		t.Errorf("no number is shown as %q, want nothing", got)
	}
}

// TestNumber_NeverPrintsItself sends a number through every way of printing there is
// and looks for it, in decimal and in hex, whole or in parts.
func TestNumber_NeverPrintsItself(t *testing.T) {
	n := mustParse(t, "31 98765-4321")
	value := uint64(5531987654321)
	traces := []string{"98765", "4321", "7654", fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprintf("%o", value), fmt.Sprintf("%b", value), fmt.Sprintf("%x", "98765")}

	type exported struct{ Phone phone.Number }
	type hidden struct{ phone phone.Number }
	type embedded struct{ phone.Number }
	forms := map[string]any{
		"value":                     n,
		"pointer":                   &n,
		"exported field":            exported{n},
		"hidden field":              hidden{n},
		"embedded":                  embedded{n},
		"pointers":                  &exported{n},
		"pointer to a hidden field": &hidden{n},
		"slice":                     []phone.Number{n},
		"slice of hidden":           []hidden{{n}},
		"array":                     [1]phone.Number{n},
		"map value":                 map[string]phone.Number{"a": n},
		"map key":                   map[phone.Number]int{n: 1},
		"any":                       []any{n, &n},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			check := func(how, out string) {
				t.Helper()
				for _, trace := range traces {
					if strings.Contains(out, trace) {
						t.Errorf("%s printed %q, which has %q", how, out, trace)
					}
				}
			}
			for _, verb := range "vTtbcdoOqxXUeEfFgGspwz!" {
				for _, flags := range []string{"", "+", "#", " ", "-", "0", "20", "-20", ".3", "+#20.40"} {
					format := "%" + flags + string(verb)
					check(format, fmt.Sprintf(format, form))
					check("Errorf "+format, fmt.Errorf(format, form).Error())
				}
			}
			check("Sprint", fmt.Sprint(form))
			check("Sprintln", fmt.Sprintln(form))
			check("bad width", fmt.Sprintf("%[2]*[1]d", form, form))

			j, err := json.Marshal(form)
			if err != nil {
				t.Fatal(err)
			}
			check("json", string(j))

			for _, handler := range []func(*bytes.Buffer) slog.Handler{
				func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
				func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			} {
				var b bytes.Buffer
				log := slog.New(handler(&b))
				log.Info("m", "form", form, slog.Group("g", slog.Any("form", form)))
				log.With("form", form).Info(fmt.Sprint(form))
				out := regexp.MustCompile(`time"?[:=][^ ,]*`).ReplaceAllString(b.String(), "")
				check("slog", out)
			}

			var b bytes.Buffer
			if err := template.Must(template.New("").Parse(`{{.}} <script>x = {{.}}</script> {{printf "%d" .}}`)).Execute(&b, form); err != nil {
				t.Fatal(err)
			}
			check("html/template", b.String())
		})
	}
}

func TestFormat(t *testing.T) {
	n := mustParse(t, "31 98888-0001")
	for format, want := range map[string]string{
		"%v":     "+55 31 *****-**01",
		"%+v":    "+55 31 *****-**01",
		"%d":     "+55 31 *****-**01",
		"%x":     "+55 31 *****-**01",
		"%q":     "+55 31 *****-**01",
		"%20s|":  "   +55 31 *****-**01|",
		"%-20s|": "+55 31 *****-**01   |",
		"%#v":    "phone.Number(+55 31 *****-**01)",
	} {
		if got := fmt.Sprintf(format, n); got != want {
			t.Errorf("%s prints %q, want %q", format, got, want)
		}
	}
	j, err := json.Marshal(map[string]any{"phone": n, "none": phone.Number{}})
	if got, want := string(j), `{"none":"","phone":"+55 31 *****-**01"}`; got != want || err != nil {
		t.Errorf("json = %s, %v; want %s", got, err, want)
	}
}

func TestEqual(t *testing.T) {
	a, b, c := mustParse(t, "31 98888-0001"), mustParse(t, "+55 31 8888-0001"), mustParse(t, "31 98888-0002")
	if a != b || !a.Equal(b) {
		t.Errorf("%v and %v are not equal, though written for the same number", a, b)
	}
	if a == c || a.Equal(c) {
		t.Error("two numbers are equal")
	}
	if diff := cmp.Diff(a, c); diff == "" || strings.Contains(diff, "8888") {
		t.Errorf("cmp.Diff = %q, want a difference, masked", diff)
	}
	if !(phone.Number{}).IsZero() || a.IsZero() {
		t.Error("IsZero is wrong")
	}
	if got := (phone.Number{}).E164(); got != "" {
		t.Errorf("E164 of no number = %q, want nothing", got)
	}
}
