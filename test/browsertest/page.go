package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"pombo/test/nightly"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Options say how somebody looks at a page. The zero value is a large light screen in
// Portuguese.
type Options struct {
	Width, Height int    // in CSS pixels; 0 = 1280 and 900
	Dark          bool   // prefers-color-scheme
	Language      string // "" = pt-BR
	NoScript      bool   // the page's own scripts do not run
	Print         bool   // as on paper
	Cookies       map[string]string
}

// Page is an address in a tab of its own, with cookies of its own. It is used by one
// goroutine.
type Page struct {
	t    testing.TB
	ctx  context.Context
	host string
	axed bool // axe-core is in each page that the tab opens

	mu      sync.Mutex // below: written by the browser's events
	console []string
	policy  []string
	foreign []string
	bytes   float64
}

// wait is how long anything in the browser may take, on a machine that is busy.
const wait = 2 * time.Minute

// Open opens an address and waits until it has loaded. The tab closes with the test.
func Open(t testing.TB, address string, o Options) *Page {
	t.Helper()
	parent := browser(t)
	t.Cleanup(enter(t.Name()))
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{t: t, host: u.Host}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(cancel)
	// The first use of a tab starts it: its context must be the tab's, not one with
	// an end of its own.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	p.do(step(network.Enable, network.EnableParams{}), step(audits.Enable, cdp.Empty{}))
	p.GotoAs(address, o)
	return p
}

// GotoAs opens another address in the same tab as somebody else, who has the cookies that
// there are and those of o, and waits until it has loaded. To make a tab costs more than to
// show a page.
func (p *Page) GotoAs(address string, o Options) {
	p.t.Helper()
	if o.Width == 0 {
		o.Width = 1280
	}
	if o.Height == 0 {
		o.Height = 900
	}
	if o.Language == "" {
		o.Language = "pt-BR"
	}
	scheme, paper := "light", ""
	if o.Dark {
		scheme = "dark"
	}
	if o.Print {
		paper = "print"
	}
	steps := []chromedp.Action[chromedp.Void]{
		screen(o.Width, o.Height),
		step(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: paper, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
		step(emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: o.Language}),
		step(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": o.Language}}),
		step(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: o.NoScript}),
	}
	for name, value := range o.Cookies {
		steps = append(steps, step(network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: address}))
	}
	p.do(append(steps, chromedp.Navigate(address))...)
}

// step is a command of the browser's protocol of which only the error counts.
func step[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, command, params)
		return err
	})
}

func screen(width, height int) chromedp.Action[chromedp.Void] {
	return step(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(width), Height: int64(height), DeviceScaleFactor: 1})
}

// hear keeps what the browser has to say about the page.
func (p *Page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			var text []string
			for _, a := range e.Args {
				text = append(text, string(a.Value)+a.Description)
			}
			p.console = append(p.console, strings.Join(text, " "))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if o := e.ExceptionDetails.Exception; o != nil {
			text += " " + o.Description
		}
		p.console = append(p.console, text)
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError {
			p.console = append(p.console, e.Entry.Text+" "+e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			p.policy = append(p.policy, d.ViolatedDirective+" "+d.BlockedURL)
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err == nil && u.Host != "" && u.Host != p.host {
			p.foreign = append(p.foreign, e.Request.URL)
		}
	case *network.EventLoadingFinished:
		p.bytes += e.EncodedDataLength
	}
}

func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	run(p, chromedp.Steps(steps...))
}

func run[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, wait)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("browser: %v", err)
	}
	return value
}

// Goto opens another address in the same tab and waits until it has loaded.
func (p *Page) Goto(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address))
}

// Resize gives the window another size.
func (p *Page) Resize(width, height int) {
	p.t.Helper()
	p.do(screen(width, height))
}

// Eval evaluates JavaScript in the page, waits for it if it is a promise, and returns
// its value as the type asked for.
func Eval[T any](p *Page, script string) T {
	p.t.Helper()
	return run(p, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Until waits until a JavaScript expression is true.
func (p *Page) Until(expression string) {
	p.t.Helper()
	run(p, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(50*time.Millisecond)))
}

// URL returns the address that the tab shows now.
func (p *Page) URL() string {
	p.t.Helper()
	return Eval[string](p, "location.href")
}

// Text returns the text that can be read on the page.
func (p *Page) Text() string {
	p.t.Helper()
	return Eval[string](p, "document.body.innerText")
}

// Axe returns what axe-core finds wrong by WCAG 2.2 A and AA and by best practice, a
// line for each element.
func (p *Page) Axe() []string {
	p.t.Helper()
	return p.axe("true")
}

// AxeByDay is Axe, by day without the contrast of colors: to find it out takes longer than
// all else, and the gallery has each color of the pages.
func (p *Page) AxeByDay() []string {
	p.t.Helper()
	return p.axe(nightly.Or("true", "false"))
}

func (p *Page) axe(contrast string) []string {
	p.t.Helper()
	if !p.axed { // half a megabyte: the tab keeps it for the pages that follow
		p.do(step(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: axeSource(p.t), RunImmediately: new(true)}))
		p.axed = true
	}
	return Eval[[]string](p, `axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
		rules: {"target-size": {enabled: true}, "color-contrast": {enabled: `+contrast+`}},
		resultTypes: ["violations"],
	}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " "))))`)
}

// Overflow returns the elements that stick out at the side when the window is that
// wide, which makes people scroll sideways; nil if the page does not scroll.
func (p *Page) Overflow(width int) []string {
	p.t.Helper()
	p.Resize(width, 800)
	return Eval[[]string](p, `(() => {
		const wide = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= wide) return [];
		const out = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > wide + 1);
		return ["the page is " + document.documentElement.scrollWidth + " wide in " + wide].concat(
			out.slice(0, 5).map(e => e.tagName.toLowerCase() + "." + e.getAttribute("class") + " " + e.textContent.trim().slice(0, 40)));
	})()`)
}

// Complaints returns what the browser has complained about so far: errors and warnings
// on the console, breaches of the content security policy, requests to other hosts.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, kind := range []struct {
		name  string
		lines []string
	}{{"console", p.console}, {"content security policy", p.policy}, {"other host", p.foreign}} {
		for _, line := range kind.lines {
			all = append(all, kind.name+": "+line)
		}
	}
	return all
}

// Bytes returns how much has come over the wire so far, headers included.
func (p *Page) Bytes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.bytes)
}

// Screenshot writes a picture of the whole page as PNG.
func (p *Page) Screenshot(file string) {
	p.t.Helper()
	p.write(file, run(p, chromedp.FullScreenshot(100)))
}

// PDF writes the page as it would be printed on A4.
func (p *Page) PDF(file string) {
	p.t.Helper()
	p.write(file, run(p, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPreferCSSPageSize())))
}

func (p *Page) write(file string, content []byte) {
	p.t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Keys that have no character.
const (
	Tab    = kb.Tab
	Enter  = kb.Enter
	Escape = kb.Escape
	Down   = kb.ArrowDown
)

// Press presses keys one after the other, wherever the focus is. A page that takes a
// key for itself keeps its character from being written, as with a real keyboard.
func (p *Page) Press(keys string) {
	p.t.Helper()
	for _, key := range keys {
		if !unicode.IsPrint(key) {
			p.do(chromedp.KeyEvent(string(key)))
			continue
		}
		p.do(
			step(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: string(key), Text: string(key)}),
			step(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: string(key)}),
		)
	}
}

// TabTo presses Tab until the element that the selector chooses has the focus.
func (p *Page) TabTo(selector string) {
	p.t.Helper()
	for range 200 {
		if Eval[bool](p, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			return
		}
		p.Press(Tab)
	}
	p.t.Fatalf("no number of Tabs leads to %s", selector)
}

// Follow presses Enter and waits for the page that comes.
func (p *Page) Follow() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, wait)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(Enter)); err != nil {
		p.t.Fatalf("browser: after Enter: %v", err)
	}
}

// Focus describes the element that has the focus and whether it shows that it has.
func (p *Page) Focus() (element string, visible bool) {
	p.t.Helper()
	got := Eval[struct {
		Element string `json:"element"`
		Visible bool   `json:"visible"`
	}](p, `(() => {
		const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
		return {
			element: e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + " " + (e.textContent || e.getAttribute("aria-label") || "").trim().slice(0, 40),
			visible: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.height > 0,
		};
	})()`)
	return got.Element, got.Visible
}
