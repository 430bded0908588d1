package desk

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"pombo"
	"pombo/internal/desk/page"
	"pombo/internal/words"
)

//go:embed page/*.tmpl static
var files embed.FS

// pages are the parsed templates, by the name of the file without .tmpl.
type pages map[string]*template.Template

// parsePages parses each page together with the layout. A page defines "title" and
// "main", and may define parts: see render.
func (s *Server) parsePages() (pages, error) {
	base, err := template.New("layout.tmpl").Funcs(template.FuncMap{"static": s.static.address}).ParseFS(files, "page/layout.tmpl", "page/parts.tmpl", "page/password.tmpl")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "page/*.tmpl")
	if err != nil {
		return nil, err
	}
	out := pages{}
	for _, name := range names {
		if base.Lookup(path.Base(name)) != nil {
			continue // of all pages
		}
		t, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(files, name); err != nil {
			return nil, err
		}
		for _, must := range []string{"title", "main"} {
			if t.Lookup(must) == nil {
				return nil, fmt.Errorf("%s does not define %q", name, must)
			}
		}
		out[strings.TrimSuffix(path.Base(name), ".tmpl")] = t
	}
	return out, nil
}

// Page is what a template gets as its dot: what every page needs, and the view of this
// one. The words are its methods ({{.Text "me.title"}}; inside range and with, $.Text).
//
// Template "main" of a page shows View; the layout shows the rest. A form that changes
// something has <input type="hidden" name="once" value="{{.Once}}">.
type Page struct {
	*words.Words
	Lang    string // for <html lang>
	Path    string // of the request, without what stands behind the ?
	Version string
	Now     time.Time
	Zone    *time.Location

	User      *Visitor       // nil = nobody has signed in
	Headline  *page.Headline // whether messages go; nil for a visitor who has not signed in
	Menu      []MenuItem
	Search    bool     // show the search box, which posts "q" to /desk/find
	KeysOff   bool     // no keyboard shortcuts
	PlainHTTP string   // the line that others can read along; "" = they cannot
	Notices   []Notice // what was just done, above the page

	View any

	server  *Server
	request *http.Request
}

// MenuItem is an entry of the menu.
type MenuItem struct {
	Path, Text string
	Current    bool
}

// Notice is a sentence above a page.
type Notice struct {
	Bad  bool
	Text string
}

// Once returns a word for the hidden field "once" of a form: each POST needs one that
// has not been used.
func (p *Page) Once() string { return p.server.newToken(p.request) }

// May reports whether the visitor has a right, so that a page does not offer what would
// be refused: view, operate, administer, audit, uncover, export, resend.
func (p *Page) May(name string) (bool, error) {
	need, known := map[string]right{
		"view": view, "operate": operate, "administer": administer, "audit": readAudit,
		"uncover": uncover, "export": exportClear, "resend": resendOwn,
	}[name]
	if !known {
		return false, fmt.Errorf("there is no right %q", name)
	}
	return p.User != nil && may(p.User.User, need), nil
}

// At returns a time in the zone of the desk: with its date when it is not today.
func (p *Page) At(t time.Time) string {
	if t.IsZero() {
		return p.Text("time.never")
	}
	return p.Time(t.In(p.Zone), p.Now)
}

// Exact returns a time with date and seconds, for a title attribute.
func (p *Page) Exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return p.DateTime(t.In(p.Zone))
}

// render answers with a page. It is made whole before its first byte is written: a
// template that fails is an error page and not half of one.
//
// A script that refreshes a part of the page asks for the same address with the header
// Desk-Part: NAME and gets what template "part-NAME" of the page makes, and with
// If-None-Match 304 when it has that already.
func (s *Server) render(w http.ResponseWriter, r *http.Request, page string, v any) error {
	return s.renderStatus(w, r, http.StatusOK, page, v)
}

func (s *Server) renderStatus(w http.ResponseWriter, r *http.Request, status int, page string, v any) error {
	t, ok := s.pages[page]
	if !ok {
		return fmt.Errorf("there is no page/%s.tmpl", page)
	}
	name := "layout.tmpl"
	if part := r.Header.Get(partHeader); part != "" && status == http.StatusOK {
		if name = "part-" + part; t.Lookup(name) == nil {
			return pombo.ErrNotFound
		}
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, s.page(r, v)); err != nil {
		return fmt.Errorf("make page %s: %w", page, err)
	}
	h := w.Header()
	if isScript(r) && status == http.StatusOK {
		sum := sha256.Sum256(b.Bytes())
		tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
		h.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Cookie")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a visitor who has gone is not an error of ours
	return nil
}

// partHeader names the part of a page that a script wants.
const partHeader = "Desk-Part"

// isScript reports whether our own script asks, which needs a status and no page to
// sign in on.
func isScript(r *http.Request) bool { return r.Header.Get(partHeader) != "" }

// page puts together what the layout shows.
func (s *Server) page(r *http.Request, v any) *Page {
	say := wordsOf(r)
	p := &Page{
		Words: say, Lang: string(languageOf(r)), Path: r.URL.Path, Version: s.o.Version, Now: s.o.Now().In(s.o.Zone), Zone: s.o.Zone,
		User: visitorOf(r), View: v, server: s, request: r,
	}
	if s.o.PlainHTTP && !s.secure(r) && !s.local(r) {
		p.PlainHTTP = say.Text("layout.plain_http")
	}
	if p.User == nil {
		return p
	}
	p.KeysOff = p.User.KeysOff
	p.Headline = s.headline(r.Context(), say)
	p.Notices = s.takeNotices(r)
	_, p.Search = s.routes["POST /desk/find"]
	for _, rt := range s.menu {
		if may(p.User.User, rt.right) {
			at := menuPath(rt)
			p.Menu = append(p.Menu, MenuItem{Path: at, Text: say.Text(rt.menu), Current: p.Path == at || at != "/desk/" && strings.HasPrefix(p.Path, at+"/")})
		}
	}
	return p
}

func menuPath(rt route) string { return strings.TrimSuffix(rt.path, "{$}") }
