package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// receiverOf is the key under which a script has its receiver.
type receiverOf struct{}

// receiver plays the company's system that gets events.
type receiver struct {
	status atomic.Int64
	server *httptest.Server
}

// receive STATUS: from now on the receiver answers so. The first time it is started, and
// $RECEIVER is its address.
func receive(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: receive STATUS")
	}
	status, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	r := ts.Value(receiverOf{}).(*receiver)
	r.status.Store(status)
	if r.server == nil {
		r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(r.status.Load())) }))
		ts.Defer(r.server.Close)
		ts.Setenv("RECEIVER", r.server.URL)
	}
}

// eventIDs reads the ids of all events that the API lists.
func eventIDs(text string) (ids []string) {
	for _, m := range regexp.MustCompile(`"id":\s*"(evt_[0-9a-f]+)"`).FindAllStringSubmatch(text, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// taken ADDR: waits until the receiver has taken every event.
func taken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: taken ADDR")
	}
	ts.Check(waitFor(20*time.Second, func() (bool, error) {
		_, body, err := fetch("http://" + args[0] + "/api/v1/events?open=true")
		return err == nil && len(eventIDs(body)) == 0, errors.Join(err, fmt.Errorf("open are %s", body))
	}))
}

// sameids FILE: the events of an earlier list are still there, under the same ids, and taken.
func sameIDs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sameids FILE")
	}
	before := eventIDs(ts.ReadFile(args[0]))
	ts.Check(ts.Exec("pombo", "events", "list", "--json"))
	now := eventIDs(ts.ReadFile("stdout"))
	if len(before) < 2 || len(now) < len(before) || !slices.Equal(before, now[:len(before)]) {
		ts.Fatalf("the ids were %v and are %v", before, now)
	}
}
