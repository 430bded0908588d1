package desk_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"net/http"
	"net/url"
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
	// sometimes means that it sends on when there is nothing to do, as it is here.
	sometimes bool
}{
	{route: "/desk/login", out: true},
	{route: "/desk/{$}", path: "/desk/"},
	{route: "/desk/pause"},
	{route: "/desk/resume", sometimes: true},
	{route: "/desk/messages"},
	{route: "/desk/export"},
	{route: "/desk/find/{token}"},
	{route: "/desk/messages/{id}"},
	{route: "/desk/messages/{id}/retry"},
	{route: "/desk/messages/{id}/cancel", path: "/desk/messages/{queued}/cancel"},
	{route: "/desk/replies"},
	{route: "/desk/replies/{number}", path: "/desk/replies/1"}, // of the demo's past
	{route: "/desk/failures"},
	{route: "/desk/failures/{reason}", path: "/desk/failures/not_on_whatsapp?span=30d"},
	{route: "/desk/bulk"},
	{route: "/desk/bulk/new", path: "/desk/bulk/new?act=retry&state=failed&reason=parameter_format"},
	{route: "/desk/bulk/{number}"},
	{route: "/desk/bulk/{number}/stop", sometimes: true},
	{route: "/desk/report"},
	{route: "/desk/templates"},
	{route: "/desk/templates/{name}", path: "/desk/templates/order_shipped"},
	{route: "/desk/templates/{name}/hold", path: "/desk/templates/notificacao/hold"},
	{route: "/desk/templates/{name}/release", path: "/desk/templates/order_shipped/release"},
	{route: "/desk/runs"},
	{route: "/desk/runs/new"},
	{route: "/desk/runs/{id}", path: "/desk/runs/1"},
	{route: "/desk/table"},
	{route: "/desk/findings"},
	{route: "/desk/findings/new"},
	{route: "/desk/optouts"},
	{route: "/desk/optouts/add"},
	{route: "/desk/optouts/remove"},
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
func TestPages_CoverEveryRoute(t *testing.T) {
	table, err := os.ReadFile("../../internal/desk/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, m := range getRoute.FindAllStringSubmatch(string(table), -1) {
		routes = append(routes, m[1])
		walked := false
		for _, p := range pages {
			walked = walked || p.route == m[1]
		}
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

// prepare does what some pages are about: a search, a group that is sent again.
func (w *fixture) prepare(t *testing.T) {
	t.Helper()
	failed, _ := w.message(t, "state=failed")
	queued, _ := w.message(t, "state=queued")
	w.admin.post(t, "/desk/person", url.Values{"number": {demo.Planted.Phone}})
	found := w.admin.post(t, "/desk/find", url.Values{"q": {demo.Planted.Phone}})
	token, ok := strings.CutPrefix(found.header.Get("Location"), "/desk/find/")
	if !ok {
		t.Fatalf("a search for a phone: %d to %q", found.status, found.header.Get("Location"))
	}
	plan := w.admin.get(t, "/desk/bulk/new?act=retry&state=failed&reason=parameter_format").body
	form := url.Values{"note": {"corrigido no sistema"}}
	for _, m := range hiddenField.FindAllStringSubmatch(plan, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	if m := countField.FindStringSubmatch(plan); m != nil {
		form.Set("count", m[1])
	}
	begun := w.admin.post(t, "/desk/bulk", form)
	number, ok := strings.CutPrefix(begun.header.Get("Location"), "/desk/bulk/")
	if !ok {
		t.Fatalf("a group: %d to %q: %s", begun.status, begun.header.Get("Location"), begun.text())
	}
	w.places = strings.NewReplacer("{id}", failed, "{queued}", queued, "{token}", token, "{number}", number)
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="(once|plan|seal|act)" value="([^"]*)"`)
	countField  = regexp.MustCompile(`data-count="([0-9]+)"`)
)

// paths are the addresses of all pages for a signed-in visitor.
func (w *fixture) paths() []string {
	var out []string
	for _, p := range pages {
		path := p.path
		if path == "" {
			path = p.route
		}
		if !p.out && !p.sometimes {
			out = append(out, w.places.Replace(path))
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

func (l look) options(cookies map[string]string) browsertest.Options {
	return browsertest.Options{Width: l.width, Dark: l.dark, Language: l.language, Cookies: cookies}
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
	w := startFixture(t)
	w.account(t, "clara", "viewer", "uncover", "resend")
	w.account(t, "olavo", "operator")
	w.account(t, "marta", "viewer")
	w.account(t, "eva", "viewer", "audit")
	w.prepare(t)
	t.Run("weights", w.weights)
	t.Run("leaks", w.leaks)
	t.Run("personas", w.personas)
	t.Run("keyboard", func(t *testing.T) { w.walk(t, false) })
	t.Run("no script", func(t *testing.T) { w.walk(t, true) })
	t.Run("matrix", w.matrix)
	t.Run("pictures", w.pictures)
}

func (w *fixture) matrix(t *testing.T) {
	paths, all := w.paths(), looks()
	if !nightly.On() { // in one tab: a tab costs more than a page
		var visits []visit
		for n, path := range paths {
			visits = append(visits, visit{path, all[n%len(all)]})
		}
		w.visit(t, visits)
		return
	}
	for _, l := range all {
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			var visits []visit
			for _, path := range paths {
				visits = append(visits, visit{path, l})
			}
			w.visit(t, visits)
		})
	}
}

// visit is a page and how it is looked at.
type visit struct {
	path string
	look look
}

// visit opens pages one after the other in one tab, beginning with the sign-in.
func (w *fixture) visit(t *testing.T, visits []visit) {
	t.Helper()
	first := visits[0].look
	p := browsertest.Open(t, w.desk+"/desk/login", first.options(nil))
	check(t, p, first, "/desk/login")
	cookies := w.admin.cookies()
	for _, v := range visits {
		p.GotoAs(w.desk+v.path, v.look.options(cookies))
		check(t, p, v.look, v.path)
	}
	for _, line := range p.Complaints() {
		t.Error(line)
	}
}

// check says what is wrong with the page that is open.
func check(t *testing.T, p *browsertest.Page, l look, path string) {
	t.Helper()
	if lang := browsertest.Eval[string](p, "document.documentElement.lang"); lang != l.language {
		t.Errorf("%s is in %s, not in %s", path, lang, l.language)
	}
	if n := browsertest.Eval[int](p, `document.querySelectorAll("h1").length`); n != 1 {
		t.Errorf("%s has %d titles, want 1", path, n)
	}
	for _, line := range p.AxeByDay() {
		t.Errorf("%s, %s: axe: %s", path, l, line)
	}
	for _, width := range []int{320, l.width} {
		for _, line := range p.Overflow(width) {
			t.Errorf("%s, %s at %d: %s", path, l, width, line)
		}
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

func (w *fixture) weights(t *testing.T) {
	most := map[string]int{".css": mostCSS, ".js": mostJS, ".svg": mostJS}
	for _, path := range w.paths() {
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
	digits := digitsOf(demo.Planted.Phone)
	return []string{first, last, digits, demo.Planted.Phone, digits[2:7] + "-" + digits[7:], digits[2:]}
}

func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

func (w *fixture) leaks(t *testing.T) {
	found := func(where, text string) {
		t.Helper()
		for _, secret := range secrets() {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %q", where, secret)
			}
		}
	}
	searched := w.admin.post(t, "/desk/person", url.Values{"number": {demo.Planted.Phone}})
	found("the answer to a search", fmt.Sprint(searched.header)+searched.body)
	paths := w.paths()
	for _, path := range append(paths, w.searches(t)...) {
		found("the address", path)
		for _, language := range []string{"pt-BR", "en"} {
			got := w.admin.get(t, path, "Accept-Language", language)
			found(path, got.body)
			found("the header of "+path, fmt.Sprint(got.header))
		}
	}
	found("the log", w.log.String())
	found("what the demo prints", w.printed.String())
}

// searches are the addresses that searching for the planted person leads to, and the files
// that can be taken.
func (w *fixture) searches(t *testing.T) []string {
	t.Helper()
	paths := []string{"/desk/audit.csv", "/desk/messages.csv", "/desk/failures.csv", "/desk/report.csv", w.places.Replace("/desk/bulk/{number}/skipped.csv")}
	for _, filter := range []string{"state=read", "state=suppressed"} {
		id, _ := w.message(t, filter+"&phone="+url.QueryEscape("+55"+digitsOf(demo.Planted.Phone)))
		paths = append(paths, "/desk/messages/"+id)
	}
	return paths
}
