package words

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pombo"
)

// said fails the test when a text is missing, looks the same in both languages
// though it is a sentence, or ends in a full stop.
func said(t *testing.T, of string, text func(*Words) string) {
	t.Helper()
	pt, en := text(In(Portuguese)), text(In(English))
	switch {
	case pt == "" || en == "":
		t.Errorf("%s: pt-BR %q, en %q, want both", of, pt, en)
	case pt == en:
		t.Errorf("%s: %q in both languages", of, pt)
	case strings.HasSuffix(pt, ".") != strings.HasSuffix(en, "."):
		t.Errorf("%s: pt-BR %q, en %q, want a full stop in both or in none", of, pt, en)
	}
}

func TestWords_CoverTheClosedLists(t *testing.T) {
	if len(states) != len(pombo.States()) {
		t.Errorf("%d states, want %d", len(states), len(pombo.States()))
	}
	for _, s := range pombo.States() {
		said(t, string(s), func(w *Words) string { return w.State(s) })
		said(t, string(s)+" meaning", func(w *Words) string { return w.StateMeaning(s) })
	}
	if got, want := len(reasons), len(pombo.Reasons()); got != want {
		t.Errorf("%d reasons, want %d", got, want)
	}
	for _, r := range pombo.Reasons() {
		said(t, string(r), func(w *Words) string { return w.Reason(r) })
		said(t, string(r)+" hint", func(w *Words) string { return w.ReasonHint(r) })
	}
	if got, want := len(help), len(pombo.Reasons()); got != want {
		t.Errorf("help about %d reasons, want %d", got, want)
	}
	for _, r := range pombo.Reasons() {
		said(t, string(r)+" does", func(w *Words) string { return w.ReasonDoes(r) })
		said(t, string(r)+" class", func(w *Words) string { return w.ClassMeaning(r.Class()) })
		said(t, string(r)+" class name", func(w *Words) string { return w.ClassName(r.Class()) })
		for i := range help[r].steps {
			said(t, string(r)+" step", func(w *Words) string { return w.ReasonSteps(r)[i] })
		}
	}
	if got, want := len(waits), len(pombo.WaitReasons()); got != want {
		t.Errorf("%d wait reasons, want %d", got, want)
	}
	for _, r := range pombo.WaitReasons() {
		said(t, string(r), func(w *Words) string { return w.Wait(r) })
		said(t, string(r)+" hint", func(w *Words) string { return w.WaitHint(r) })
	}
	if got, want := len(discrepancies), len(pombo.DiscrepancyKinds()); got != want {
		t.Errorf("%d discrepancies, want %d", got, want)
	}
	for _, k := range pombo.DiscrepancyKinds() {
		said(t, string(k), func(w *Words) string { return w.Discrepancy(k) })
		said(t, string(k)+" hint", func(w *Words) string { return w.DiscrepancyHint(k) })
	}
	for _, k := range pombo.ReplyKinds() {
		said(t, string(k), func(w *Words) string { return w.ReplyKind(k) })
	}
	for _, m := range pombo.ReplyMatches() {
		said(t, string(m), func(w *Words) string { return w.ReplyMatch(m) })
	}
}

var placeholder = regexp.MustCompile(`\{([1-9])(?::[^{}|]*\|[^{}|]*)?\}`)

// placeholders are the arguments that a text shows or chooses by.
func placeholders(text string) []string {
	var list []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestTexts_AgreeInBothLanguages(t *testing.T) {
	for key, p := range texts {
		if p.pt == "" || p.en == "" {
			t.Errorf("%s: pt-BR %q, en %q, want both", key, p.pt, p.en)
		}
		if pt, en := placeholders(p.pt), placeholders(p.en); !slices.Equal(pt, en) {
			t.Errorf("%s: placeholders %q in pt-BR and %q in en", key, pt, en)
		}
		for _, text := range []string{p.pt, p.en} {
			if rest := placeholder.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}") {
				t.Errorf("%s: %q has a placeholder that nobody fills", key, text)
			}
		}
	}
}

// notYet are the subjects of which the desk's pages do not use every key.
var notYet = []string{"menu.", "button.", "error_hint.", "role.", "grant.", "kind.", "via.", "result.", "act.", "wait_one.", "answer.", "step.", "purpose.", "media.", "part.", "optout_by.", "did.", "where.", "reply_kind.", "reply_match."} // those of the second half are put together with a word of a closed list

// TestTexts_HaveTheKeysOfTheCode reads every file of the program: each key that it names exists,
// and each key is named somewhere.
func TestTexts_HaveTheKeysOfTheCode(t *testing.T) {
	subjects := map[string]bool{}
	for key := range texts {
		subject, _, _ := strings.Cut(key, ".")
		subjects[regexp.QuoteMeta(subject)] = true
	}
	ours := regexp.MustCompile(`"((?:` + strings.Join(slices.Sorted(maps.Keys(subjects)), "|") + `)\.[a-z_.]*[a-z_])"`)
	asked := regexp.MustCompile(`(?:\.Text\(|\.T |\bT\(|\bPhrase\{(?:Key: )?)"([a-z_.]*[a-z_])"`)
	used := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || path == filepath.Join(root, "internal", "words")):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".tmpl" && filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(content)
		if filepath.Ext(path) == ".go" && !strings.Contains(text, `"pombo/internal/words"`) && !strings.Contains(path, "desk") {
			return nil
		}
		for _, m := range slices.Concat(ours.FindAllStringSubmatch(text, -1), asked.FindAllStringSubmatch(text, -1)) {
			if strings.HasSuffix(m[1], ".tmpl") || m[1] == "audit.key" {
				continue // the name of a file
			}
			used[m[1]] = true
			if _, ok := texts[m[1]]; !ok {
				t.Errorf("%s: there is no text %q", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range texts {
		if !used[key] && !slices.ContainsFunc(notYet, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("nobody says %q", key)
		}
	}
}

func TestText(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		text   string
		args   []any
		pt, en string
	}{
		{"{2} {1}", []any{"a", "b"}, "b a", "b a"},
		{"{1} {1:row|rows}", []any{1}, "1 row", "1 row"},
		{"{1} {1:row|rows}", []any{0}, "0 rows", "0 rows"},
		{"{1} {1:row|rows}", []any{12480}, "12.480 rows", "12,480 rows"},
		{"{1}/{2}/{3}", []any{0.52, 44.4, 3.0}, "0,5/44/3", "0.5/44/3"},
		{"{1}", []any{90 * time.Second}, "90 segundos", "90 seconds"},
		{"{1}", []any{Clock{now.Add(-time.Hour), now}}, "11:00", "11:00"},
		{"{1}", []any{Phrase{"menu.now", nil}}, "Agora", "Now"},
		{"{1}", []any{Phrase{}}, "", ""},
		{"{1}", []any{pombo.Read}, "lida", "read"},
		{"{1}: {2}", []any{pombo.OptedOut, Hint(pombo.OptedOut)}, "a pessoa pediu para não receber mais mensagens: respeite", "the person asked to receive no more messages: respect it"},
		{"{1}", []any{WaitHint(pombo.WaitTemplate)}, "veja pombo templates", "see pombo templates"},
	} {
		if got := In(Portuguese).fill(test.text, test.args); got != test.pt {
			t.Errorf("%q in pt-BR: %q, want %q", test.text, got, test.pt)
		}
		if got := In(English).fill(test.text, test.args); got != test.en {
			t.Errorf("%q in en: %q, want %q", test.text, got, test.en)
		}
	}
}

func TestMissing_PanicsInATest(t *testing.T) {
	for name, call := range map[string]func(){
		"key":      func() { In(English).Text("menu.nowhere") },
		"argument": func() { In(English).fill("{1}", nil) },
		"type":     func() { In(English).fill("{1}", []any{t}) },
		"state":    func() { In(English).State("lost") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
	if got := In(Portuguese).Reason("of_tomorrow"); got != "of_tomorrow" {
		t.Errorf("a reason of a newer ledger is %q, want its code", got)
	}
}

func TestWords_Formats(t *testing.T) {
	brt := time.FixedZone("", -3*3600)
	now := time.Date(2026, 11, 24, 8, 0, 5, 0, brt)
	for _, test := range []struct {
		of     func(*Words) string
		pt, en string
	}{
		{func(w *Words) string { return w.Number(1234567) }, "1.234.567", "1,234,567"},
		{func(w *Words) string { return w.Number(-999) }, "-999", "-999"},
		{func(w *Words) string { return w.Percent(0.984) }, "98,4%", "98.4%"},
		{func(w *Words) string { return w.Percent(1) }, "100,0%", "100.0%"},
		{func(w *Words) string { return w.Time(now.UTC(), now) }, "08:00", "08:00"},
		{func(w *Words) string { return w.Time(now.Add(-24*time.Hour), now) }, "23/11 08:00", "2026-11-23 08:00"},
		{func(w *Words) string { return w.Time(now.AddDate(-1, 0, 0), now) }, "24/11/2025 08:00", "2025-11-24 08:00"},
		{func(w *Words) string { return w.DateTime(now) }, "24/11/2026 08:00:05", "2026-11-24 08:00:05"},
		{func(w *Words) string { return w.Date(now) }, "24/11/2026", "2026-11-24"},
		{func(w *Words) string { return w.Month(now) }, "novembro de 2026", "November 2026"},
		{func(w *Words) string { return w.Span(-time.Second) }, "0 segundos", "0 seconds"},
		{func(w *Words) string { return w.Span(time.Second) }, "1 segundo", "1 second"},
		{func(w *Words) string { return w.Span(3 * time.Minute) }, "3 minutos", "3 minutes"},
		{func(w *Words) string { return w.Span(90 * time.Minute) }, "90 minutos", "90 minutes"},
		{func(w *Words) string { return w.Span(5 * time.Hour) }, "5 horas", "5 hours"},
		{func(w *Words) string { return w.Span(72 * time.Hour) }, "3 dias", "3 days"},
	} {
		if got := test.of(In(Portuguese)); got != test.pt {
			t.Errorf("pt-BR: %q, want %q", got, test.pt)
		}
		if got := test.of(In(English)); got != test.en {
			t.Errorf("en: %q, want %q", got, test.en)
		}
	}
}

func TestLanguages(t *testing.T) {
	for _, l := range Languages() {
		if got, err := Parse(strings.ToUpper(string(l))); got != l || err != nil || In(l).Language() != l {
			t.Errorf("Parse = %q, %v, want %q", got, err, l)
		}
	}
	if _, err := Parse("fr"); err == nil {
		t.Error("fr is a language")
	}
	for _, test := range []struct {
		env  map[string]string
		want Language
	}{
		{map[string]string{"LANG": "pt_BR.UTF-8"}, Portuguese},
		{map[string]string{"LANG": "pt"}, Portuguese},
		{map[string]string{"LANG": "C"}, English},
		{map[string]string{"LANG": "ptarmigan"}, English},
		{map[string]string{"LC_ALL": "en_US", "LANG": "pt_BR"}, English},
		{map[string]string{"LC_MESSAGES": "pt_BR", "LANG": "en_US"}, Portuguese},
	} {
		if got := FromLocale(func(name string) string { return test.env[name] }); got != test.want {
			t.Errorf("%v: %s, want %s", test.env, got, test.want)
		}
	}
	for header, want := range map[string]Language{
		"": Portuguese, "fr": Portuguese, "en-GB,en;q=0.9": English, "pt-PT": Portuguese, "en;q=0.1, pt;q=0.9": Portuguese,
		"%%%": Portuguese, strings.Repeat("en,", 100): Portuguese,
	} {
		if got := Accept(header); got != want {
			t.Errorf("Accept-Language %q: %s, want %s", header, got, want)
		}
	}
}
