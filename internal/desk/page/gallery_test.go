package page_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pombo/internal/desk/page"
	"pombo/test/browsertest"
	"pombo/test/nightly"
)

// Pictures of the gallery are written to this folder, for people to look at.
var pictures = flag.String("pictures", "", "folder for screenshots of the gallery")

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// policy is the Content-Security-Policy of the desk.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types desk"

// frame has what the layout asks of the desk.
type frame struct {
	Lang      string
	Path      string
	Now       time.Time
	Zone      *time.Location
	User      *user
	Menu      []entry
	Search    bool
	KeysOff   bool
	PlainHTTP string
	Notices   []notice
	View      view
}

type (
	user  struct{ Name, Role string }
	entry struct {
		Path, Text string
		Current    bool
	}
	notice struct {
		Bad  bool
		Text string
	}
)

func (f *frame) Text(key string, args ...any) string {
	text, ok := texts[key]
	if !ok {
		panic("no word for " + key)
	}
	s := text[f.Lang != "pt-BR"]
	for i, a := range args {
		s = strings.ReplaceAll(s, fmt.Sprintf("{%d}", i+1), fmt.Sprint(a))
	}
	return s
}

func (f *frame) Once() string             { return "once" }
func (f *frame) Exact(t time.Time) string { return t.Format("02/01/2006 15:04:05 MST") }

// texts are the words of the frame: false = Portuguese, true = English.
var texts = map[string]map[bool]string{
	"layout.skip":         {false: "Ir para o conteúdo", true: "Skip to content"},
	"layout.menu":         {false: "Páginas", true: "Pages"},
	"layout.search":       {false: "Buscar por telefone, linha ou código", true: "Search by phone, row or id"},
	"layout.search_hint":  {false: "Telefone, linha ou código", true: "Phone, row or id"},
	"layout.signed_in_as": {false: "Você entrou como", true: "You are signed in as"},
	"layout.stale":        {false: "Sem notícias do servidor desde", true: "No news from the server since"},
	"layout.printed":      {false: "Impresso por {1} em {2}", true: "Printed by {1} at {2}"},
	"button.search":       {false: "Buscar", true: "Search"},
	"button.refresh":      {false: "Atualizar", true: "Refresh"},
	"menu.more":           {false: "Mais", true: "More"},
	"menu.me":             {false: "Eu", true: "Me"},
	"menu.logout":         {false: "Sair", true: "Sign out"},
	"role.operator":       {false: "operadora", true: "operator"},
	"keys.title":          {false: "Teclas de atalho", true: "Keyboard shortcuts"},
	"keys.find":           {false: "buscar", true: "search"},
	"keys.rows":           {false: "linha seguinte, linha anterior", true: "next row, previous row"},
	"keys.open":           {false: "abrir", true: "open"},
	"keys.help":           {false: "esta lista", true: "this list"},
	"keys.off":            {false: "Desligar as teclas", true: "Switch the keys off"},
	"keys.close":          {false: "Fechar", true: "Close"},
}

// server serves the gallery as the desk serves its pages.
func server(t *testing.T) string {
	t.Helper()
	base := template.New("layout.tmpl").Funcs(template.FuncMap{"static": func(name string) string { return "/desk/static/0/" + name }})
	pages := template.Must(base.ParseFiles("layout.tmpl", "parts.tmpl", filepath.Join("testdata", "gallery.tmpl")))
	mux := http.NewServeMux()
	mux.Handle("GET /desk/static/0/", http.StripPrefix("/desk/static/0/", http.FileServer(http.Dir(filepath.Join("..", "static")))))
	mux.HandleFunc("GET /desk/", func(w http.ResponseWriter, r *http.Request) {
		f := gallery(r.Header.Get("Accept-Language"))
		name := "layout.tmpl"
		if part := r.Header.Get("Desk-Part"); part != "" {
			name = "part-" + part
			f.View.Headline = page.Headline{Level: "ok", Text: "Agora está tudo bem."}
		}
		var b bytes.Buffer
		if err := pages.ExecuteTemplate(&b, name, f); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(b.Bytes())
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/desk/"
}

func TestGallery(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	address := server(t)
	for _, lang := range []string{"pt-BR", "en"} {
		for _, dark := range []bool{false, true} {
			for _, width := range []int{360, 1280} {
				// By day two of the eight, in which each language, scheme and width has its turn: all
				// eight are in the matrix of test/desk.
				if !nightly.On() && ((lang == "en") != dark || dark != (width == 360)) {
					continue
				}
				name := fmt.Sprintf("%s-%d-%s", lang, width, map[bool]string{false: "light", true: "dark"}[dark])
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					p := browsertest.Open(t, address, browsertest.Options{Width: width, Dark: dark, Language: lang})
					for _, line := range p.Axe() {
						t.Errorf("axe: %s", line)
					}
					if *pictures != "" {
						p.Screenshot(filepath.Join(*pictures, name+".png"))
					}
					for _, w := range []int{width, 320} {
						for _, line := range p.Overflow(w) {
							t.Errorf("at %d: %s", w, line)
						}
					}
					for _, line := range p.Complaints() {
						t.Error(line)
					}
				})
			}
		}
	}
}

// Without scripts everything is there: the link that refreshes, no dead button.
func TestGallery_NoScript(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	p := browsertest.Open(t, server(t), browsertest.Options{NoScript: true})
	visible := func(selector string) bool {
		return browsertest.Eval[bool](p, fmt.Sprintf("document.querySelector(%q).checkVisibility()", selector))
	}
	if !visible(".nojs") || visible("[data-keys]") || visible("[data-copy]") || !visible("#copy-1") {
		t.Errorf("without scripts: refresh %t, keys %t, copy %t, text %t", visible(".nojs"), visible("[data-keys]"), visible("[data-copy]"), visible("#copy-1"))
	}
	if browsertest.Eval[bool](p, `document.querySelector("[data-count] button").disabled`) {
		t.Error("the form cannot be sent without scripts")
	}
}

// The headline is asked for anew, unless somebody is selecting it.
func TestGallery_Live(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	p := browsertest.Open(t, server(t), browsertest.Options{})
	if title := browsertest.Eval[string](p, "document.title"); !strings.HasPrefix(title, "⚠ Enviando") {
		t.Errorf("title %q, want the headline in it", title)
	}
	p.Until(`document.querySelector("#headline").textContent.includes("tudo bem")`)
	if title := browsertest.Eval[string](p, "document.title"); strings.Contains(title, "⚠") {
		t.Errorf("title %q, want none of the old headline in it", title)
	}
	for _, line := range p.Complaints() {
		t.Error(line)
	}
}

func TestGallery_Keys(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	p := browsertest.Open(t, server(t), browsertest.Options{})
	p.Press(browsertest.Tab)
	if element, visible := p.Focus(); !visible || !strings.Contains(element, "Ir para o conteúdo") {
		t.Errorf("the first Tab goes to %q, visible %t", element, visible)
	}
	p.Press("j")
	first, _ := p.Focus()
	p.Press("j")
	second, _ := p.Focus()
	p.Press("k")
	if back, visible := p.Focus(); back != first || second == first || !visible {
		t.Errorf("j, j, k go to %q, %q, %q, visible %t", first, second, back, visible)
	}
	p.Press("?")
	if !browsertest.Eval[bool](p, `document.querySelector("#keys").open`) {
		t.Error("? does not open the list of keys")
	}
	p.Press(browsertest.Escape)
	p.Press("/")
	if element, _ := p.Focus(); !strings.HasPrefix(element, "input#find") {
		t.Errorf("/ goes to %q", element)
	}
	p.Press("j")
	if got := browsertest.Eval[string](p, `document.querySelector("#find").value`); got != "j" {
		t.Errorf("in a field j writes %q", got)
	}
	// A wrong count keeps the button off.
	disabled := func() bool {
		return browsertest.Eval[bool](p, `document.querySelector("[data-count] button").disabled`)
	}
	p.TabTo("#count")
	p.Press("82")
	if !disabled() {
		t.Error("82 instead of 83 can be sent")
	}
	p.Press("\b3")
	if disabled() {
		t.Error("83 cannot be sent")
	}
}

// The harness says what is wrong with a page that is.
func TestHarness(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src *")
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><title>x</title><p style="width:900px">wide</p><img src="http://127.0.0.1:9/x.png">`))
	}))
	t.Cleanup(s.Close)
	p := browsertest.Open(t, s.URL, browsertest.Options{})
	p.Until("document.readyState === 'complete'")
	complaints := strings.Join(p.Complaints(), "\n")
	for _, want := range []string{"console: ", "content security policy: style-src", "other host: http://127.0.0.1:9/x.png"} {
		if !strings.Contains(complaints, want) {
			t.Errorf("%q is not in\n%s", want, complaints)
		}
	}
	if found := strings.Join(p.Axe(), "\n"); !strings.Contains(found, "image-alt") || !strings.Contains(found, "html-has-lang") {
		t.Errorf("axe found\n%s", found)
	}
	if p.Bytes() < 100 {
		t.Errorf("%d bytes", p.Bytes())
	}
}

// What a first visit costs beside the page itself.
func TestWeight(t *testing.T) {
	for file, most := range map[string]int{"desk.css": 12 << 10, "desk.js": 4 << 10, "favicon.svg": 1 << 10} {
		text, err := os.ReadFile(filepath.Join("..", "static", file))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(text)
		_ = z.Close()
		if b.Len() > most {
			t.Errorf("%s is %d bytes packed, want at most %d", file, b.Len(), most)
		}
		if strings.Contains(string(text), "style=") {
			t.Errorf("%s has a style attribute", file)
		}
	}
	for _, file := range []string{"layout.tmpl", "parts.tmpl"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{" style=", " onclick=", "<style", "javascript:"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s has %s", file, bad)
			}
		}
	}
}
