package desk_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pombo/internal/demo"
	"pombo/test/browsertest"
	"pombo/test/nightly"
)

// pages are all pages of the desk: whoever adds a route with GET adds a line. ID and
// reason stand for those of a message that failed.
var pages = []struct {
	route string // the path as the table of routes has it
	path  string // with what stands in its braces; "" = the same
	out   bool   // for who has not signed in
}{
	{route: "/desk/login", out: true},
	{route: "/desk/me"},
	{route: "/desk/audit"},
	{route: "/desk/person"},
	{route: "/desk/person/forget"},
	{route: "/desk/users"},
	{route: "/desk/help"},
	{route: "/desk/help/{reason}", path: "/desk/help/no_answer"},
}

// noPages are routes that are no page: files, and what only sends on or is good once.
var noPages = []string{"/{$}", "/favicon.ico", "/desk/static/{hash}/{name}", "/desk/enter", "/desk/invite"}

var getRoute = regexp.MustCompile(`method: "GET", path: "([^"]+)"`)

// Every route is walked, or is none that can be.
func TestEveryPageIsWalked(t *testing.T) {
	table, err := os.ReadFile("../../internal/desk/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, m := range getRoute.FindAllStringSubmatch(string(table), -1) {
		routes = append(routes, m[1])
		walked := slices.ContainsFunc(pages, func(p struct {
			route, path string
			out         bool
		}) bool {
			return p.route == m[1]
		})
		if !walked && !slices.Contains(noPages, m[1]) && !strings.HasSuffix(m[1], ".csv") {
			t.Errorf("%s is not walked: add it to the list of pages", m[1])
		}
	}
	for _, p := range pages {
		if !slices.Contains(routes, p.route) {
			t.Errorf("there is no route %s", p.route)
		}
	}
}

// paths are the addresses of all pages for a signed-in visitor.
func (w *world) paths(t *testing.T) []string {
	t.Helper()
	id, _ := w.message(t, "state=failed")
	var out []string
	for _, p := range pages {
		path := p.path
		if path == "" {
			path = p.route
		}
		if !p.out {
			out = append(out, strings.NewReplacer("{id}", id).Replace(path))
		}
	}
	return out
}

// look is a way of looking at a page.
type look struct {
	language string
	dark     bool
	width    int
}

func (l look) String() string {
	return fmt.Sprintf("%s-%d-%s", l.language, l.width, map[bool]string{false: "light", true: "dark"}[l.dark])
}

func looks() (list []look) {
	for _, language := range []string{"pt-BR", "en"} {
		for _, dark := range []bool{false, true} {
			for _, width := range []int{360, 1280} {
				list = append(list, look{language, dark, width})
			}
		}
	}
	return list
}

// Limits of what a page weighs.
const (
	mostPlain = 60 << 10
	mostGzip  = 20 << 10
	mostCSS   = 12 << 10
	mostJS    = 4 << 10
	mostVisit = 60 << 10
)

// TestDesk walks the whole desk of the demo: by day each page once, in such a way that
// each language, scheme and width has its turn; at night each page in all of them.
func TestDesk(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	w := startWorld(t)
	w.account(t, "clara", "viewer", "uncover", "resend")
	w.account(t, "olavo", "operator")
	w.account(t, "marta", "viewer")
	w.account(t, "eva", "viewer", "audit")
	t.Run("weights", w.weights)
	t.Run("leaks", w.leaks)
	t.Run("personas", w.personas)
	t.Run("keyboard", func(t *testing.T) { w.walk(t, false) })
	t.Run("no script", func(t *testing.T) { w.walk(t, true) })
	t.Run("matrix", w.matrix)
	t.Run("pictures", w.pictures)
}

func (w *world) matrix(t *testing.T) {
	paths, all := w.paths(t), looks()
	for i, l := range all {
		// A test has one tab at a time: see browsertest.
		if nightly.On() || i%len(all) == 0 || i%len(all) == len(all)-1 {
			t.Run(l.String()+" sign-in", func(t *testing.T) {
				t.Parallel()
				check(t, browsertest.Open(t, w.desk+"/desk/login", browsertest.Options{Width: l.width, Dark: l.dark, Language: l.language}), l, "/desk/login")
			})
		}
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			var mine []string
			for n, path := range paths {
				if nightly.On() || n%len(all) == i {
					mine = append(mine, path)
				}
			}
			if len(mine) == 0 {
				return
			}
			p := browsertest.Open(t, w.desk+mine[0], browsertest.Options{Width: l.width, Dark: l.dark, Language: l.language, Cookies: w.admin.cookies()})
			for n, path := range mine {
				if n > 0 {
					p.Goto(w.desk + path)
				}
				check(t, p, l, path)
			}
		})
	}
}

// check says what is wrong with the page that is open.
func check(t *testing.T, p *browsertest.Page, l look, path string) {
	t.Helper()
	if lang := browsertest.Eval[string](p, "document.documentElement.lang"); lang != l.language {
		t.Errorf("%s is in %s", path, lang)
	}
	if n := browsertest.Eval[int](p, `document.querySelectorAll("h1").length`); n != 1 {
		t.Errorf("%s has %d titles, want 1", path, n)
	}
	for _, line := range p.Axe() {
		t.Errorf("%s: axe: %s", path, line)
	}
	for _, width := range []int{320, l.width} {
		for _, line := range p.Overflow(width) {
			t.Errorf("%s at %d: %s", path, width, line)
		}
	}
	for _, line := range p.Complaints() {
		t.Errorf("%s: %s", path, line)
	}
}

func zipped(t *testing.T, text string) int {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

var staticFile = regexp.MustCompile(`/desk/static/[0-9a-f]+/[a-z.]+`)

func (w *world) weights(t *testing.T) {
	most := map[string]int{".css": mostCSS, ".js": mostJS, ".svg": mostJS}
	for _, path := range w.paths(t) {
		got := w.admin.get(t, path)
		if got.status != http.StatusOK {
			t.Errorf("%s: status = %d", path, got.status)
			continue
		}
		visit := zipped(t, got.body)
		if visit > mostGzip || len(got.body) > mostPlain {
			t.Errorf("%s weighs %d, %d zipped: more than %d or %d", path, len(got.body), visit, mostPlain, mostGzip)
		}
		files := staticFile.FindAllString(got.body, -1)
		slices.Sort(files)
		for _, file := range slices.Compact(files) {
			size := zipped(t, w.admin.get(t, file).body)
			if limit := most[file[strings.LastIndex(file, "."):]]; size > limit {
				t.Errorf("%s weighs %d zipped, more than %d", file, size, limit)
			}
			visit += size
		}
		if visit > mostVisit {
			t.Errorf("a first visit to %s is %d, more than %d", path, visit, mostVisit)
		}
		for _, bad := range []string{"style=", "<script>", "onclick", "[private]", "%!", "http://", "https://"} {
			if strings.Contains(got.body, bad) {
				t.Errorf("%s has %q in it", path, bad)
			}
		}
	}
}

// secrets are what may be seen of the planted person nowhere: her name, and her number
// in every spelling.
func secrets() []string {
	first, last, _ := strings.Cut(demo.Planted.Name, " ")
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, demo.Planted.Phone)
	return []string{first, last, digits, demo.Planted.Phone, digits[2:7] + "-" + digits[7:], digits[2:]}
}

func (w *world) leaks(t *testing.T) {
	found := func(where, text string) {
		t.Helper()
		for _, secret := range secrets() {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %q", where, secret)
			}
		}
	}
	searched := w.admin.post(t, "/desk/person", map[string][]string{"number": {demo.Planted.Phone}})
	found("the answer to a search", fmt.Sprint(searched.header)+searched.body)
	paths := w.paths(t)
	for _, path := range append(paths, w.searches(t)...) {
		found("the address", path)
		for _, language := range []string{"pt-BR", "en"} {
			got := w.admin.get(t, path, "Accept-Language", language)
			found(path, got.body)
			found("the header of "+path, fmt.Sprint(got.header))
		}
	}
	w.admin.post(t, "/desk/person", map[string][]string{"close": {"1"}})
	found("the log", w.log.String())
	found("what the demo prints", w.printed.String())
}

// searches looks for the planted person wherever one can, and returns the addresses that
// this leads to, with the files that can be taken.
func (w *world) searches(t *testing.T) []string {
	t.Helper()
	return []string{"/desk/audit.csv"}
}
