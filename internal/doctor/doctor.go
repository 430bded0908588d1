// Package doctor looks at everything that a running Pombo needs, and says of each
// part what it found and what to do. It changes nothing.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pombo"
	"pombo/internal/api"
	"pombo/internal/config"
	"pombo/internal/disk"
	"pombo/internal/health"
	"pombo/internal/port"
	"pombo/internal/words"
)

// Finding is what one check of Diagnose has found. It is safe to show: it holds
// no secret, no phone and no text of a row.
type Finding struct {
	Part    string // configuration, source, ledger, blip, api, events, desk, job or log
	Check   string // what was looked at, in a word or two
	Result  Result
	Message string        // what is there
	Hint    string        // what to do; "" when nothing is to be done
	Took    time.Duration // for the whole check; findings of one check share it
}

// Result is how a check went.
type Result string

// How a check can go. Skipped says that another finding has made it pointless.
const (
	OK      Result = "ok"
	Warn    Result = "warning"
	Fail    Result = "failed"
	Skipped Result = "skipped"
)

// checkTime is what one check may take. All checks of one part follow each
// other, the parts go side by side.
const checkTime = 5 * time.Second

// Diagnose looks at everything that a running Pombo needs, with the settings
// that one would have, and says of each what it found and what to do. self is
// how this machine reaches what listens on API_ADDR.
//
// It sends no message (only, to EVENTS_URL, an event that says nothing) and changes nothing: no file or table is made or migrated
// and no lock is taken, so it may be asked while serve is running. What serve
// can tell better, having the ledger, it is asked for.
//
// A check that fails or takes too long stops no other one. The findings come in
// the order of the parts, whatever they took.
func Diagnose(ctx context.Context, c config.Config, self string) []Finding {
	// First, for what the others may expect depends on it.
	serve := look(ctx, self, c.API.Token.Reveal())
	parts := []func(context.Context, config.Config, running) []Finding{
		diagnoseTime, diagnoseSource, diagnoseDocuments, diagnoseLedger, diagnoseBlip, diagnoseAPI, diagnoseEvents, diagnoseDesk, diagnoseJob, diagnoseLog,
	}
	found := make([][]Finding, len(parts))
	var wg sync.WaitGroup
	for i, diagnose := range parts {
		wg.Go(func() { found[i] = diagnose(ctx, c, serve) })
	}
	wg.Wait()
	var all []Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// check runs one check within its time and completes its findings.
func check(ctx context.Context, part, name string, f func(context.Context) []Finding) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	begun := time.Now()
	found := f(ctx)
	for i := range found {
		found[i].Part, found[i].Check, found[i].Took = part, name, time.Since(begun)
	}
	return found
}

func good(what string) []Finding        { return []Finding{{Result: OK, Message: what}} }
func doubt(what, todo string) []Finding { return []Finding{{Result: Warn, Message: what, Hint: todo}} }
func bad(what, todo string) []Finding   { return []Finding{{Result: Fail, Message: what, Hint: todo}} }
func skip(what string) []Finding        { return []Finding{{Result: Skipped, Message: what}} }

// said is the text of an error, in our words when the time was over.
func said(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", checkTime)
	}
	return err.Error()
}

// failed reports whether one of the findings is a failure.
func failed(found []Finding) bool {
	for _, f := range found {
		if f.Result == Fail {
			return true
		}
	}
	return false
}

func diagnoseTime(ctx context.Context, c config.Config, _ running) []Finding {
	return check(ctx, "configuration", "time zone", func(context.Context) []Finding {
		return good(fmt.Sprintf("in %s, DB_TIMEZONE, it is %s", c.Source.Zone, time.Now().In(c.Source.Zone).Format("15:04 of 2006-01-02")))
	})
}

// running is what answers where our own serve would listen.
type running struct {
	url     string
	pombo   bool          // it is a Pombo
	ready   api.Readiness // what it says of itself
	strange error         // somebody else is there, or does not answer
	token   error         // it does not take our token
}

// look asks who answers at a base URL. Nobody leaves all but url empty.
func look(ctx context.Context, url, token string) running {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r := running{url: url}
	line := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	defer line.CloseIdleConnections()
	hc := &http.Client{Transport: line}
	// The token is for a Pombo: nobody else gets it.
	_, err := api.NewClient(url, "", hc).Ready(ctx)
	if _, problem := errors.AsType[*api.Error](err); err != nil && !problem {
		if !nobody(err) {
			r.strange = err
		}
		return r
	}
	client := api.NewClient(url, token, hc)
	r.pombo = true
	r.ready, _ = client.Ready(ctx) // its checks tell what the error would
	_, err = client.Runs(ctx, 1)
	if refused, ok := errors.AsType[*api.Error](err); ok && refused.Problem.Status == http.StatusUnauthorized {
		r.token = err
	}
	return r
}

// nobody reports whether there was no connection at all.
func nobody(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && !op.Timeout()
}

// checkOf finds what the running Pombo says of one of its parts.
func (r running) checkOf(name string) (api.CheckResult, bool) {
	for _, c := range r.ready.Checks {
		if c.Name == name {
			return c, true
		}
	}
	return api.CheckResult{}, false
}

func diagnoseAPI(ctx context.Context, c config.Config, serve running) []Finding {
	found := check(ctx, "api", "address", func(ctx context.Context) []Finding {
		switch {
		case serve.pombo:
			return good("pombo serve is running at " + serve.url)
		case serve.strange != nil:
			return bad("API_ADDR="+c.API.Addr+" is taken: "+said(serve.strange), "stop the program that has it, or set API_ADDR (and API_URL) to another port")
		}
		l, err := port.Listen(ctx, c.API.Addr)
		if err != nil {
			return bad(said(err), "set API_ADDR to an address of this machine and a free port")
		}
		_ = l.Close() // it was only tried
		return good("API_ADDR=" + c.API.Addr + " is free")
	})
	found = append(found, check(ctx, "api", "access", func(context.Context) []Finding {
		switch err := api.CheckAddr(c.API.Addr, c.API.Token.Reveal()); {
		case err != nil:
			return bad(err.Error(), "set API_TOKEN to a long random word")
		case serve.pombo && serve.token != nil:
			return bad("the running pombo refuses API_TOKEN: "+said(serve.token), "give both the same API_TOKEN, and restart the one that runs")
		case c.API.Token == "":
			return good("only this machine is let in; no API_TOKEN is asked for")
		}
		return good("API_TOKEN is asked for")
	})...)
	if !serve.pombo {
		return found
	}
	return append(found, check(ctx, "api", "readiness", func(context.Context) []Finding { return readiness(serve.ready, words.In(c.Language)) })...)
}

// readiness is what the running Pombo says of itself.
func readiness(r api.Readiness, w *words.Words) (found []Finding) {
	for _, c := range r.Checks {
		if !c.OK {
			todo := c.Hint
			if todo == "" {
				todo = "see its log (LOG_FILE)"
			}
			found = append(found, bad(strings.TrimSuffix("the running pombo cannot use its "+c.Name+": "+c.Detail, ": "), todo)...)
		}
	}
	switch {
	case r.Pause != nil && r.Pause.Paused: // without the operator's note, which may be about a person
		found = append(found, doubt(w.Wait(pombo.WaitPaused)+because(w.Reason(r.Pause.Reason)), w.WaitHint(pombo.WaitPaused))...)
	case r.Headline != nil && r.Headline.Level != health.OK:
		found = append(found, doubt(r.Headline.Text, "see pombo status")...)
	}
	if r.Backlog != nil && r.Backlog.Diverged > 0 {
		found = append(found, doubt(fmt.Sprintf("%d rows keep a status that somebody else wrote while Pombo was sending them", r.Backlog.Diverged),
			"find who else writes the status column (pombo list)")...)
	}
	for _, t := range r.Alerts {
		found = append(found, doubt(t.Message, t.Hint)...)
	}
	if len(found) == 0 {
		said := ""
		if r.Headline != nil {
			said = r.Headline.Text
		}
		return good("the running pombo is ready" + because(said))
	}
	return found
}

func because(sentence string) string {
	if sentence == "" {
		return ""
	}
	return ": " + sentence
}

func diagnoseJob(ctx context.Context, c config.Config, serve running) []Finding {
	return check(ctx, "job", "API_URL", func(ctx context.Context) []Finding {
		there := serve
		if c.Job.URL != serve.url {
			there = look(ctx, c.Job.URL, c.API.Token.Reveal())
		}
		switch {
		case there.pombo && there.token != nil:
			return bad("the pombo at "+there.url+" refuses API_TOKEN: "+said(there.token), "give the job the API_TOKEN of the server")
		case there.pombo:
			return good("pombo serve answers at " + there.url)
		case there.strange != nil:
			return bad(said(there.strange), "set API_URL to the address at which pombo serve listens")
		case serve.pombo:
			return bad("nobody answers at "+there.url+", but pombo serve is running at "+serve.url, "set API_URL="+serve.url)
		}
		return doubt("nobody answers at "+there.url+" yet, so pombo job would give up", "start pombo serve first; pombo start runs both and needs no API_URL")
	})
}

func diagnoseLog(ctx context.Context, c config.Config, _ running) []Finding {
	return check(ctx, "log", "LOG_FILE", func(context.Context) []Finding {
		if c.Log.File == "" {
			return good("the console only")
		}
		if err := mayWrite(c.Log.File); err != nil {
			return bad(err.Error(), "set LOG_FILE to a file that this user may write")
		}
		return good(c.Log.File + " can be written")
	})
}

// mayWrite reports whether this user can write a file, or make it together with
// its folders, without doing it.
func mayWrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0) // makes nothing
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder, err := standing(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := disk.Writable(folder); err != nil {
		return fmt.Errorf("make %s in %s: %w", path, folder, err)
	}
	return nil
}

// standing is the folder itself, or the nearest one above it that is there.
func standing(folder string) (string, error) {
	for {
		info, err := os.Stat(folder)
		switch above := filepath.Dir(folder); {
		case err == nil && info.IsDir():
			return folder, nil
		case err == nil:
			return "", fmt.Errorf("%s is a file, not a folder", folder)
		case !errors.Is(err, fs.ErrNotExist) || above == folder:
			return "", err
		default:
			folder = above
		}
	}
}
