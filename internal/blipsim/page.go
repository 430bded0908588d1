package blipsim

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo/internal/loopback"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS []byte

// page is the simulator's own page. What it shows comes from outside, so html/template
// escapes it and the Content-Security-Policy forbids all scripts.
type page struct{ template *template.Template }

func newPage() *page {
	return &page{template.Must(template.New("page").Parse(pageHTML))}
}

// pageMessages is how many of the newest messages the page shows.
const pageMessages = 100

// serveOwn serves the simulator's own pages, to requests whose Host is this machine: they
// need no key, and a page of another site whose name resolves to this machine could
// otherwise read the messages.
func (s *Server) serveOwn(w http.ResponseWriter, r *http.Request) {
	if r.Host != "" && !loopback.Host(r.Host) { // every browser sends a Host
		http.Error(w, "ask http://127.0.0.1 or http://localhost", http.StatusMisdirectedRequest)
		return
	}
	method := http.MethodGet
	var serve func(http.ResponseWriter, *http.Request)
	switch r.URL.Path {
	case "/":
		serve = s.servePage
	case "/sim/style.css":
		serve = serveStyle
	case "/sim/messages":
		serve = s.serveMessages
	case "/sim/counts":
		serve = s.serveCounts
	case "/sim/reset":
		method, serve = http.MethodPost, s.serveReset
	default:
		http.NotFound(w, r)
		return
	}
	if r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead) {
		w.Header().Set("Allow", method)
		http.Error(w, "use "+method, http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	serve(w, r)
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(pageCSS)
}

// serveMessages serves the kept messages, oldest first; ?last=N only the newest N.
func (s *Server) serveMessages(w http.ResponseWriter, r *http.Request) {
	n := -1
	if last := r.URL.Query().Get("last"); last != "" {
		var err error
		if n, err = strconv.Atoi(last); err != nil || n < 0 {
			http.Error(w, "last must be a number", http.StatusBadRequest)
			return
		}
	}
	writeJSON(w, s.newest(n))
}

func (s *Server) serveCounts(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Counts()) }

// serveReset forgets everything. A page of another origin in a browser must not be able to
// do that.
func (s *Server) serveReset(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			http.Error(w, "not from another site", http.StatusForbidden)
			return
		}
	}
	s.Reset()
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // fails only when the client is gone
}

// pageMessage is a line of the page's table.
type pageMessage struct {
	Message
	Text  string
	State string
}

type namedValue struct{ Name, Value string }

func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	now := s.opts.Now()
	var lines []pageMessage
	for _, t := range slices.Backward(s.recent.newest(pageMessages)) {
		line := pageMessage{Message: t.message(), State: s.state(t, now)}
		if tm := s.templates[templateKey{line.Template, line.Language}]; tm != nil {
			line.Text = tm.render(line.Params)
		}
		lines = append(lines, line)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = s.page.template.Execute(w, struct {
		Counts   []namedValue
		Faults   []namedValue
		Messages []pageMessage
		Now      time.Time
	}{fieldsOf(s.Counts(), false), fieldsOf(s.opts.Faults, true), lines, now.UTC()})
}

// state returns the last receipt of a message so far, in words.
func (s *Server) state(t taken, now time.Time) string {
	if t.msg.ID == "" {
		return "taken, without an id"
	}
	state := "taken"
	for _, r := range s.receiptsOf(t.msg.ID, t.delivery, t.mark) {
		if r.At.After(now) {
			continue
		}
		state = string(r.Event)
		if r.Event == Failed {
			state += " " + strconv.Itoa(r.Code) + ": " + r.Description
		}
	}
	return state
}

// fieldsOf lists the fields of a flat struct with their names as words, so that the page
// cannot lack a count or a fault.
func fieldsOf(v any, onlySet bool) []namedValue {
	var out []namedValue
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		f := rv.Field(i)
		if onlySet && f.IsZero() {
			continue
		}
		value := "yes"
		switch x := f.Interface().(type) {
		case bool:
		case float64:
			value = strconv.FormatFloat(x, 'g', -1, 64)
		case time.Duration:
			value = x.String()
		case int64:
			value = strconv.FormatInt(x, 10)
		case int:
			value = strconv.Itoa(x)
		case Event:
			value = string(x)
		}
		out = append(out, namedValue{words(rv.Type().Field(i).Name), value})
	}
	return out
}

// words splits a field's name: "CutAfterAccept" becomes "cut after accept".
func words(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		upper := c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if i > 0 {
			p := name[i-1]
			afterUpper, afterDigit := p >= 'A' && p <= 'Z', p >= '0' && p <= '9'
			if upper && !afterUpper || digit && !afterDigit {
				b.WriteByte(' ')
			}
		}
		b.WriteByte(c)
	}
	return strings.ToLower(b.String())
}
