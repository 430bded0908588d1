// Package browsertest opens pages in a real browser, Chromium or its headless shell, for the tests
// of the desk, and says what is wrong with them: what axe-core finds, what does not fit
// on the screen, what the console, the content security policy and other hosts have to
// say, how heavy the page is, and whether it can be used by keys alone.
//
// One browser serves a test binary; each page has a profile of its own in it, and two
// tests have pages open at a time. Tests skip where there is no Chromium, or where scripts/desk-axe
// has not put axe-core.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// Main runs the tests of a package and then ends the browser. A package that opens
// pages has it in its TestMain: os.Exit(browsertest.Main(m)).
func Main(m *testing.M) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.stop != nil {
			shared.stop()
		}
	}()
	return m.Run()
}

// shared is the one browser.
var shared struct {
	sync.Mutex
	ctx  context.Context
	stop func()
}

// open counts the pages that are open, by the test that has a place for them.
var open = struct {
	sync.Mutex
	places chan struct{}
	pages  map[string]int
}{places: make(chan struct{}, 2), pages: map[string]int{}}

// enter waits for a place. A test that has one, or whose parent has, opens as many pages
// as it wants: if each page took a place, two tests with a page each could wait for the
// place of the other for ever.
func enter(test string) (leave func()) {
	open.Lock()
	defer open.Unlock()
	holder := test
	for open.pages[holder] == 0 {
		parent := strings.LastIndexByte(holder, '/')
		if parent < 0 {
			holder = test
			open.Unlock()
			open.places <- struct{}{}
			open.Lock()
			break
		}
		holder = holder[:parent]
	}
	open.pages[holder]++
	return func() {
		open.Lock()
		defer open.Unlock()
		if open.pages[holder]--; open.pages[holder] == 0 {
			delete(open.pages, holder)
			<-open.places
		}
	}
}

// program returns the path of the browser, or "".
func program() string {
	// The first has the same engine and none of a desktop browser's own pages and services:
	// it takes less than half of the processor's time.
	names := []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"}
	if own := os.Getenv("CHROMIUM"); own != "" {
		names = []string{own}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browser starts the browser if it does not run yet.
func browser(t testing.TB) context.Context {
	t.Helper()
	path := program()
	if path == "" {
		t.Skip("there is no Chromium here (Debian: apt-get install chromium-headless-shell)")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.ctx != nil {
		return shared.ctx
	}
	profile, err := os.MkdirTemp("", "browsertest") //nolint:usetesting // the browser outlives the test that starts it
	if err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox, // root may not use it; the pages are our own
		chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en-US"),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	stop := func() {
		cancel()
		end()
		_ = os.RemoveAll(profile)
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		t.Fatalf("start %s: %v", path, err)
	}
	shared.ctx, shared.stop = ctx, stop //nolint:fatcontext // the browser outlives the test that starts it
	return ctx
}

// axeSource returns the text of axe-core.
func axeSource(t testing.TB) string {
	t.Helper()
	file := os.Getenv("DESK_AXE")
	if file == "" {
		tools := os.Getenv("POMBO_TOOLS")
		if tools == "" {
			cache, _ := os.UserCacheDir()
			tools = filepath.Join(cache, "pombo", "tools")
		}
		found, _ := filepath.Glob(filepath.Join(tools, "axe-core@*", "node_modules", "axe-core", "axe.min.js"))
		if len(found) == 0 {
			t.Skip("axe-core is not there: scripts/desk-axe installs it")
		}
		file = found[len(found)-1]
	}
	text, err := os.ReadFile(file) //nolint:gosec // whoever runs the tests says where it is
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
