package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// full is a stream that takes nothing, as /dev/full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// fakeAPI answers every request in the same way and remembers what was asked.
func fakeAPI(t *testing.T, status int, kind, answer string) (url string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		list = append(list, r.URL.RequestURI()+" "+string(body))
		mu.Unlock()
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

const someID = "2ed6657d-e927-568b-95e1-2665a8aea6a2"

func TestRun_FailsIfTheResultCannotBeWritten(t *testing.T) {
	url, _ := fakeAPI(t, 200, "application/json",
		`{"notifications":[{"id":"`+someID+`"}],"templates":[{"name":"t"}],"id":"`+someID+`","events":[],"optouts":[{"by":"blip"}]}`)
	environ := []string{"API_URL=" + url, "KEYBLIP=x", "TEMPLATE_NAME=t", "DB_URL=sqlite:none.db"}
	for _, args := range [][]string{{"list"}, {"show", someID}, {"sql"}, {"version"}, {"templates"}, {"doctor"}, {"optout", "list"}, {"list", "--json"}} {
		var stderr bytes.Buffer
		if got := run(t.Context(), append([]string{"--env-file="}, args...), environ, strings.NewReader(""), full{}, &stderr); got != exitFailed {
			t.Errorf("%v: exit code %d, want %d: %s", args, got, exitFailed, &stderr)
		}
	}
}

// What is personal need not be an argument, which everybody on the machine can see.
func TestRun_TakesPersonalDataFromStdin(t *testing.T) {
	for _, tt := range []struct {
		args        []string
		stdin, want string // what is asked for has all the words of want
	}{
		{[]string{"list", "--phone", "-"}, "31988880042\n", "phone=31988880042"},
		{[]string{"forget", "-"}, "31988880042\r\n", `"phone":"31988880042"`},
		{[]string{"send", "--no-wait", "-", "--slot", "header=-", "--slot", "button0=-"}, "31988880042\nMaria\nfour\nhead\n",
			`"phone":"31988880042" {"slot":"body","value":"Maria"} {"slot":"button0","value":"four"} {"slot":"header","value":"head"}`},
		{[]string{"optout", "add", "-"}, "31988880042\n\n31988880043", `31988880042 31988880043`},
	} {
		url, asked := fakeAPI(t, 200, "application/json", `{"state":"accepted"}`)
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"--env-file="}, tt.args...), []string{"API_URL=" + url}, strings.NewReader(tt.stdin), &stdout, &stderr)
		all := strings.Join(asked(), "\n")
		for word := range strings.FieldsSeq(tt.want) {
			if code != exitDone || !strings.Contains(all, word) {
				t.Errorf("%v: exit code %d, asked %s, want %s in it; %s", tt.args, code, all, word, &stderr)
			}
		}
		stderr.Reset()
		if code := run(t.Context(), append([]string{"--env-file="}, tt.args...), []string{"API_URL=" + url}, strings.NewReader(""), &stdout, &stderr); code != exitUsage {
			t.Errorf("%v with nothing on the standard input: exit code %d, want %d", tt.args, code, exitUsage)
		}
	}
}

// A terminal that nobody types on does not keep Ctrl+C from ending the command.
func TestReadLines_EndedByAnInterrupt(t *testing.T) {
	silent, end := io.Pipe()
	defer end.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var stderr bytes.Buffer
	if code := run(ctx, []string{"--env-file=", "optout", "add", "-"}, nil, silent, io.Discard, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d: %s, want %d", code, &stderr, exitFailed)
	}
}

func TestRun_RefusesWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{"pause", "--for", "0s"}, {"pause", "--for", "-1h"},
		{"simulator", "--cut-before-read", "2"}, {"simulator", "--hang", "NaN"}, {"simulator", "--throttle=-0.1"}, {"simulator", "--read-rate", "1.5"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a simulator that starts ends
		if code := run(ctx, append([]string{"--env-file="}, args...), nil, strings.NewReader(""), io.Discard, io.Discard); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", args, code, exitUsage)
		}
	}
}

func TestRun_WrongTokenNamesTheSetting(t *testing.T) {
	url, _ := fakeAPI(t, 401, "application/problem+json", `{"status":401,"detail":"the token is not the right one","hint":"send the header \"Authorization: Bearer\""}`)
	var stderr bytes.Buffer
	run(t.Context(), []string{"--env-file=", "list"}, []string{"API_URL=" + url}, nil, io.Discard, &stderr)
	if got := stderr.String(); !strings.Contains(got, "set API_TOKEN") || strings.Contains(got, "Bearer") {
		t.Errorf("it says %s, want which setting", got)
	}
}

// Each retry may wait for seconds while the table is locked; forty do not.
func TestRetry_StopsAfterTooManyFailures(t *testing.T) {
	url, asked := fakeAPI(t, 503, "application/problem+json", `{"status":503,"detail":"this cannot be done at the moment"}`)
	var stdout, stderr bytes.Buffer
	args := []string{"--env-file=", "retry", "--json"}
	for range 40 {
		args = append(args, someID)
	}
	code := run(t.Context(), args, []string{"API_URL=" + url}, nil, &stdout, &stderr)
	var results []changed
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		t.Fatal(err)
	}
	if n := len(asked()); code != exitFailed || n != enoughUnable || len(results) != 40 || !strings.Contains(results[39].Error, "not tried") {
		t.Errorf("exit code %d after %d requests with %d results, want %d after %d with 40", code, n, len(results), exitFailed, enoughUnable)
	}
}
