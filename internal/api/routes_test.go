package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pombo"
)

func TestNew_NamesMissingOptions(t *testing.T) {
	_, err := New(Options{})
	if err == nil {
		t.Fatal("New took empty options")
	}
	for _, name := range []string{"Runs", "Ledger", "Add", "Templates", "Checks", "Metrics"} {
		if !strings.Contains(err.Error(), "Options."+name) {
			t.Errorf("error %q does not name %s", err, name)
		}
	}
}

// Every route, asked rightly, answers as openapi.yaml says: ask checks that.
func TestRoutes_AnswerAsDocumented(t *testing.T) {
	id := string(testID)
	tests := []struct {
		method, target, body string
		want                 int
		contains             string
	}{
		{"GET", "/", "", 200, "/send_notification"},
		{"GET", "/openapi.yaml", "", 200, "openapi: 3.1.0"},
		{"GET", "/healthz", "", 200, `"ok"`},
		{"GET", "/readyz", "", 200, `"ready":true`},
		{"GET", "/metrics", "", 200, "up 1"},
		{"GET", "/runs", "", 200, `"waiting":1`},
		{"GET", "/runs?limit=5", "", 200, `"run_id":7`},
		{"GET", "/runs/7", "", 200, `"state":"running"`},
		{"GET", "/runs/8", "", 404, "no run 8"},
		{"GET", "/runs/x", "", 404, "whole number"},
		{"GET", "/api/v1/notifications", "", 200, `"next_cursor":"c2"`},
		{"GET", "/api/v1/notifications/" + id, "", 200, `"events"`},
		{"GET", "/api/v1/notifications/" + strings.ToUpper(id), "", 200, id},
		{"GET", "/api/v1/notifications/" + strings.Replace(id, id[:8], "00000000", 1), "", 404, "no notification 00000000"},
		{"GET", "/api/v1/notifications/5531988880042", "", 404, "not the id"},
		{"POST", "/api/v1/notifications/" + id + "/retry", "", 200, `"state":"queued"`},
		{"POST", "/api/v1/notifications/" + id + "/cancel", "", 409, "state"},
		{"POST", "/api/v1/notifications/x/cancel", "", 404, "not the id"},
		{"POST", "/api/v1/notifications", `{"phone":"31 98888-0042","params":["a"]}`, 201, `"source":"api"`},
		{"GET", "/api/v1/pause", "", 200, `"paused":false`},
		{"PUT", "/api/v1/pause", "", 200, `"by":"operator"`},
		{"PUT", "/api/v1/pause", `{"until":"2026-11-23T12:00:00-03:00","detail":"stock-taking"}`, 200, `"until":"2026-11-23T15:00:00Z"`},
		{"DELETE", "/api/v1/pause", "", 204, ""},
		{"POST", "/api/v1/stop", "", 202, `"state":"stopping"`}, // the recorder has no connection to keep
		{"GET", "/api/v1/events?type=notification.read&since=2026-11-23T10:00:00Z&open=true", "", 200, `"progress":"given_up"`},
		{"GET", "/api/v1/events", "", 200, `"type":"alert.raised"`},
		{"GET", "/api/v1/events?open=x", "", 422, "true or false"},
		{"GET", "/api/v1/events?type=x", "", 422, "notification.read"},
		{"POST", "/api/v1/events/replay?since=2026-11-23T10:00:00Z", "", 200, `{"replayed":2}`},
		{"GET", "/api/v1/reconciliations/latest", "", 404, "nothing has been compared yet"},
		{"POST", "/api/v1/reconciliations", "", 200, `"counts":{"unknown_at_blip":1}`},
		{"POST", "/api/v1/forget", `{"phone":"(31) 98888-0042"}`, 200, `{"notifications":1,"open":0,"in_flight":0,"erased":0}`},
		{"POST", "/api/v1/forget", `{"phone":"+5531988880042","erase":true}`, 200, `"erased":1`},
		{"GET", "/api/v1/templates", "", 200, `"approved":true`},
		{"GET", "/api/v1/templates/aviso/hold", "", 200, `{"held":false,"waiting":312,"per_hour":10,"expiring":312,"partial":true}`},
		{"GET", "/api/v1/templates/aviso/hold?until=2026-11-23T12:00:00-03:00", "", 200, `"expiring":40`},
		{"GET", "/api/v1/templates/Maria/hold", "", 404, "not the name"},
		{"PUT", "/api/v1/templates/aviso/hold", "", 200, `"held":true`},
		{"PUT", "/api/v1/templates/aviso/hold", `{"until":"2026-11-23T12:00:00-03:00","detail":"link","by":"ana"}`, 200, `"until":"2026-11-23T15:00:00Z","by":"ana","detail":"link"`},
		{"PUT", "/api/v1/templates/aviso/hold", `{"until":"2020-01-01T00:00:00Z"}`, 422, "over already"},
		{"DELETE", "/api/v1/templates/aviso/hold", "", 404, "no operator holds"},
		{"GET", "/api/v1/notifications?reason=not_on_whatsapp&template=aviso&until=2026-11-23T12:00:00-03:00", "", 200, `"looked_to":"2026-11-23T10:00:00Z"`},
		{"GET", "/api/v1/notifications?reason=because", "", 422, "such as not_on_whatsapp"},
		{"GET", "/api/v1/notifications?template=Maria", "", 422, "name of a template"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			rec := newFixture(t).ask(tt.method, tt.target, tt.body)
			checkStatus(t, rec, tt.want)
			if !strings.Contains(rec.Body.String(), tt.contains) {
				t.Errorf("answer lacks %q: %s", tt.contains, rec.Body)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, method, target, body string
		header                     []string
		want                       int
		contains                   string
	}{
		{"no such address", "GET", "/nothing", "", nil, 404, "GET / lists"},
		{"method", "DELETE", "/runs", "", nil, 405, "GET"},
		{"method of send", "GET", "/send_notification", "", nil, 405, "POST"},
		{"unknown state", "GET", "/api/v1/notifications?state=sent", "", nil, 422, "queued, claimed, sending"},
		{"unknown parameter", "GET", "/api/v1/notifications?sate=failed", "", nil, 422, "there are state, phone"},
		{"twice", "GET", "/api/v1/notifications?state=failed&state=queued", "", nil, 422, "more than once"},
		{"bad limit", "GET", "/api/v1/notifications?limit=0", "", nil, 422, "from 1 to 1000"},
		{"limit with a sign", "GET", "/api/v1/notifications?limit=%2B5", "", nil, 422, "from 1 to 1000"},
		{"limit with blanks", "GET", "/api/v1/notifications?limit=%205", "", nil, 422, "from 1 to 1000"},
		{"capitals", "GET", "/api/v1/notifications?state=QUEUED", "", nil, 422, "queued, claimed, sending"},
		{"empty", "GET", "/api/v1/notifications?phone=", "", nil, 422, "leave it out"},
		{"bad since", "GET", "/api/v1/notifications?since=yesterday", "", nil, 422, "2026-11-23T10:00:00-03:00"},
		{"bad phone", "GET", "/api/v1/notifications?phone=12", "", nil, 422, `"field":"phone"`},
		{"control character", "GET", "/api/v1/notifications?q=a%00b", "", nil, 422, "one line"},
		{"bad escape", "GET", "/api/v1/notifications?q=%zz", "", nil, 422, "%XX"},
		{"all at once", "GET", "/api/v1/notifications?limit=x&run=-1", "", nil, 422, "run: must"},
		{"no content type", "POST", "/api/v1/notifications", `{}`, []string{"Content-Type", ""}, 415, "application/json"},
		{"form", "POST", "/api/v1/notifications", `a=b`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/json"},
		{"not JSON", "POST", "/api/v1/notifications", `{"phone":`, nil, 400, "not a JSON object"},
		{"a list", "POST", "/api/v1/notifications", `[]`, nil, 400, "not a JSON object"},
		{"null", "POST", "/api/v1/notifications", `null`, nil, 400, "not a JSON object"},
		{"two documents", "POST", "/api/v1/notifications", `{} {}`, nil, 400, "not a JSON object"},
		{"Latin-1", "POST", "/api/v1/notifications", "{\"phone\":\"31988880042\",\"params\":[\"Jo\xe3o\"]}", nil, 400, "UTF-8"},
		{"too long", "POST", "/api/v1/notifications", `{"phone":"` + strings.Repeat("1", maxBody) + `"}`, nil, 413, "1048576 bytes"},
		{"too long to be ignored", "POST", "/send_notification", strings.Repeat("x", maxBody+1), nil, 413, "1048576 bytes"},
		{"pause for ever", "PUT", "/api/v1/pause", `{"until":"9999-12-31T23:59:59-03:00"}`, nil, 422, "100 years"},
		{"pause in the past", "PUT", "/api/v1/pause", `{"until":"2020-01-01T00:00:00Z"}`, nil, 422, "over already"},
		{"forget nobody", "POST", "/api/v1/forget", `{"erase":true}`, nil, 422, "phone: is missing"},
		{"forget what is not a phone", "POST", "/api/v1/forget", `{"phone":"Maria"}`, nil, 422, "phone:"},
		{"forget with a typo", "POST", "/api/v1/forget", `{"phone":"+5531988880042","eraze":true}`, nil, 422, "there are phone, erase"},
		{"pause with a typo", "PUT", "/api/v1/pause", `{"untill":"2030-01-01T00:00:00Z"}`, nil, 422, "there are until, detail"},
		{"no phone to opt out", "POST", "/api/v1/optouts", `{}`, nil, 422, `"field":"phone"`},
		{"opt-out of a typo", "POST", "/api/v1/optouts", `{"fone":"31988880042"}`, nil, 422, "there are phone"},
		{"nobody opted out", "POST", "/api/v1/optouts/remove", `{"phone":"31988880042"}`, nil, 404, "not on the list"},
		{"other site", "POST", "/send_notification", "", []string{"Sec-Fetch-Site", "cross-site"}, 403, "another site"},
		{"no token", "GET", "/runs", "", []string{"Authorization", ""}, 401, "API_TOKEN"},
		{"wrong token", "GET", "/runs", "", []string{"Authorization", "Bearer x"}, 401, "not the right one"},
		{"wrong scheme", "GET", "/runs", "", []string{"Authorization", "Basic " + token}, 401, "not the right one"},
		{"no token, no such address", "GET", "/nothing", "", []string{"Authorization", ""}, 401, "API_TOKEN"},
		{"no token for metrics", "GET", "/metrics", "", []string{"Authorization", ""}, 401, "API_TOKEN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newFixture(t)
			rec := w.ask(tt.method, tt.target, tt.body, tt.header...)
			checkStatus(t, rec, tt.want)
			p := decode[Problem](t, rec)
			if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type = %q", got)
			}
			if p.Status != tt.want || p.Title != http.StatusText(tt.want) || p.Hint == "" {
				t.Errorf("problem = %+v, want status %d with its title and a hint", p, tt.want)
			}
			if !strings.Contains(rec.Body.String(), tt.contains) {
				t.Errorf("problem lacks %q: %s", tt.contains, rec.Body)
			}
			if len(w.added) > 0 {
				t.Error("something was taken in")
			}
		})
	}
}

func TestRefusals_Headers(t *testing.T) {
	w := newFixture(t)
	if got := w.ask("DELETE", "/runs", "").Header().Get("Allow"); !strings.Contains(got, "GET") {
		t.Errorf("Allow = %q, want GET in it", got)
	}
	if got := w.ask("GET", "/runs", "", "Authorization", "").Header().Get("WWW-Authenticate"); got != `Bearer realm="pombo"` {
		t.Errorf("WWW-Authenticate = %q", got)
	}
	if got := w.ask("GET", "/runs", "", "Authorization", "Bearer no").Header().Get("WWW-Authenticate"); !strings.Contains(got, "invalid_token") {
		t.Errorf("WWW-Authenticate = %q, want invalid_token in it", got)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got := w.ask("GET", "/", "").Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestReconciliation_LatestIsTheOneMade(t *testing.T) {
	w := newFixture(t)
	made := w.ask("POST", "/api/v1/reconciliations", "")
	last := w.ask("GET", "/api/v1/reconciliations/latest", "")
	if made.Body.String() != last.Body.String() {
		t.Errorf("made %s, last %s", made.Body, last.Body)
	}
	got := decode[Reconciliation](t, last)
	want := Discrepancy{Kind: pombo.UnknownAtBlip, ID: testID, Source: "table", Row: "42", Generation: 1,
		Message: pombo.UnknownAtBlip.Message(), Hint: pombo.UnknownAtBlip.Hint()}
	if len(got.Discrepancies) != 1 || got.Discrepancies[0] != want {
		t.Errorf("findings = %+v, want %+v", got.Discrepancies, want)
	}
}

func TestRefusals_LedgerErrors(t *testing.T) {
	id := string(testID)
	tests := []struct {
		name string
		err  error
		want int
		hint string
	}{
		{"lost", pombo.ErrLost, 409, "state"},
		{"cursor", fmt.Errorf("list: %w", pombo.ErrCursor), 422, "without one"},
		{"late", context.DeadlineExceeded, 503, "/readyz"},
		{"unknown", errors.New("disk I/O error"), 503, "log"},
		{"Blip refuses", &pombo.Error{Reason: pombo.Unauthorized, Code: 401}, 502, "KEYBLIP"},
		{"Blip is away", &pombo.Error{Reason: pombo.BlipUnreachable, Retry: true}, 503, "BLIP_URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newFixture(t)
			w.ledger.err = tt.err
			for _, r := range [][2]string{
				{"GET", "/runs"}, {"GET", "/runs/7"}, {"GET", "/api/v1/notifications"}, {"GET", "/api/v1/notifications/" + id},
				{"POST", "/api/v1/notifications/" + id + "/retry"}, {"POST", "/api/v1/notifications/" + id + "/cancel"},
				{"GET", "/api/v1/pause"}, {"PUT", "/api/v1/pause"}, {"DELETE", "/api/v1/pause"}, {"POST", "/send_notification"},
				{"GET", "/api/v1/optouts"}, {"POST", "/api/v1/optouts"}, {"POST", "/api/v1/optouts/remove"},
				{"POST", "/api/v1/reconciliations"}, {"GET", "/api/v1/reconciliations/latest"},
			} {
				body := ""
				if strings.Contains(r[1], "optouts") && r[0] == "POST" {
					body = `{"phone":"31988880042"}`
				}
				rec := w.ask(r[0], r[1], body)
				p := decode[Problem](t, rec)
				if rec.Code != tt.want || !strings.Contains(p.Hint, tt.hint) {
					t.Errorf("%s: %d with hint %q, want %d with %q", r, rec.Code, p.Hint, tt.want, tt.hint)
				}
				if tt.want >= 500 && !strings.Contains(w.log.String(), strings.TrimPrefix(p.Instance, "urn:uuid:")) {
					t.Errorf("%s: the log does not have the instance %s", r, p.Instance)
				}
			}
			if strings.Contains(w.log.String(), "ERROR") != (tt.want >= 500) {
				t.Errorf("log = %s, want an error only when the server is at fault", w.log)
			}
		})
	}
	t.Run("templates", func(t *testing.T) {
		w := newFixture(t)
		w.blip = &pombo.Error{Reason: pombo.Forbidden}
		checkStatus(t, w.ask("GET", "/api/v1/templates", ""), http.StatusBadGateway)
	})
}

func TestServer_WithoutTokenAnswersOnlyThisMachine(t *testing.T) {
	w := newFixture(t, func(o *Options) { o.Token = "" })
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:5000": 200, "127.0.0.1:5000": 200, "[::1]:5000": 200, "[::1]": 200, "": 200,
		"evil.example": 421, "evil.example:5000": 421, "10.0.0.1:5000": 421, "localhost.evil.example": 421,
	} {
		r := httptest.NewRequest("GET", "/api/v1/notifications", nil)
		r.Host = host
		if rec := w.send(r); rec.Code != want {
			t.Errorf("Host %q: status = %d, want %d", host, rec.Code, want)
		}
	}
}

// nginx names 127.0.0.1 as the host, whoever stands before it.
func TestServer_WithoutTokenRefusesProxies(t *testing.T) {
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"} {
		for _, path := range []string{"/runs", "/healthz", "/nothing"} {
			w := newFixture(t, func(o *Options) { o.Token = "" })
			rec := w.ask("GET", path, "", "Authorization", "", header, "203.0.113.7")
			if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "API_TOKEN") {
				t.Errorf("%s with %s: %d %s, want 403", path, header, rec.Code, rec.Body)
			}
		}
		checkStatus(t, newFixture(t).ask("GET", "/runs", "", header, "203.0.113.7"), http.StatusOK) // with the token
		w := newFixture(t, func(o *Options) { o.Token, o.Webhook = "", admitAll{} })
		checkStatus(t, w.ask("POST", "/blip/notifications/secret", "{}", "Authorization", "", header, "203.0.113.7"), http.StatusOK)
	}
}

// admitAll takes whatever is posted.
type admitAll struct{}

func (admitAll) Admits(string, string) bool                     { return true }
func (admitAll) Busy(string)                                    {}
func (admitAll) Take(context.Context, string, []byte) error     { return nil }
func (admitAll) TakeReply(context.Context, pombo.Inbound) error { return nil }

// Times that older versions took in must break no answer.
func TestServer_AnswersWithAnyStoredTime(t *testing.T) {
	for _, at := range []time.Time{time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3*3600)), time.UnixMilli(math.MaxInt64), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.UnixMilli(math.MinInt64)} {
		w := newFixture(t)
		n := &w.ledger.n
		n.SendAfter, n.Expires, n.NotBefore, n.Created, n.Begun, n.Updated = at, at, at, at, at, at
		w.ledger.run.Started = at
		w.ledger.pause = &pombo.Pause{Until: at, By: "operator"}
		w.ledger.out = []pombo.OptOut{{Phone: n.Phone, Scope: pombo.OptOutAll, At: at, By: "person"}}
		for _, path := range []string{"/readyz", "/runs", "/runs/7", "/api/v1/notifications", "/api/v1/notifications/" + string(testID), "/api/v1/pause", "/api/v1/optouts"} {
			checkStatus(t, w.ask("GET", path, ""), http.StatusOK)
		}
	}
}

// What is done must not be asked for again because its answer cannot be written.
func TestServer_AnswerCannotBeWritten(t *testing.T) {
	w := newFixture(t)
	rec := httptest.NewRecorder()
	w.server.fail(rec, httptest.NewRequest("PUT", "/api/v1/pause", nil), "PUT /api/v1/pause", writeJSON(rec, http.StatusOK, math.NaN()))
	if rec.Code != http.StatusInternalServerError || rec.Header().Get("Retry-After") != "" || !strings.Contains(rec.Body.String(), "it was done") {
		t.Errorf("%d, Retry-After %q: %s, want 500 without one", rec.Code, rec.Header().Get("Retry-After"), rec.Body)
	}
}

func TestList_PassesTheFilter(t *testing.T) {
	w := newFixture(t)
	rec := w.ask("GET", "/api/v1/notifications?state=failed&phone=31+98888-0042&q=42&run=7&since=2026-11-23T07:00:00-03:00&limit=10&cursor=c1", "")
	checkStatus(t, rec, http.StatusOK)
	since, _ := time.Parse(time.RFC3339, "2026-11-23T07:00:00-03:00")
	want := pombo.Filter{State: pombo.Failed, Phone: plantedPhone, Text: "42", Run: 7, Since: since, Limit: 10, Cursor: "c1"}
	got := w.ledger.filter
	if !got.Since.Equal(want.Since) {
		t.Errorf("since = %v, want %v", got.Since, want.Since)
	}
	if got.Since = want.Since; got != want {
		t.Errorf("filter = %+v, want %+v", got, want)
	}
	n := decode[List](t, rec).Notifications[0]
	if n.Phone != "+55 31 *****-**42" || n.Message == "" || n.Hint == "" || n.Created.Location() != time.UTC {
		t.Errorf("notification = %+v, want masked phone, sentence, todo and UTC", n)
	}
}

func TestList_CountsUnreadable(t *testing.T) {
	w := newFixture(t)
	w.ledger.unreadable = 2
	rec := w.ask("GET", "/api/v1/notifications", "")
	checkStatus(t, rec, http.StatusOK)
	if list := decode[List](t, rec); list.Unreadable != 2 || len(list.Notifications) != 1 {
		t.Errorf("list = %+v, want two left out and one that is not", list)
	}
}

// What is to be done about a template stands where what is to be done in general does.
func TestStory_HasTheHintOfItsTemplate(t *testing.T) {
	w := newFixture(t)
	issue := pombo.TemplateIssue{Reason: pombo.TemplateMissing, Message: "template aviso is not there in pt_BR, only in en", Hint: "set TEMPLATE_LANGUAGE=en"}
	w.ledger.n.State, w.ledger.n.Reason, w.ledger.n.Detail = pombo.Queued, issue.Reason, issue.Detail()
	n := decode[Story](t, w.ask("GET", "/api/v1/notifications/"+string(testID), "")).Notification
	if n.Detail != issue.Message || n.Hint != issue.Hint {
		t.Errorf("detail %q, to do %q; want %q and %q", n.Detail, n.Hint, issue.Message, issue.Hint)
	}
}

func TestList_Defaults(t *testing.T) {
	w := newFixture(t)
	w.ask("GET", "/api/v1/notifications", "")
	if want := (pombo.Filter{Limit: 50}); w.ledger.filter != want {
		t.Errorf("filter = %+v, want %+v", w.ledger.filter, want)
	}
}

func TestAccessLog_HasNoQuery(t *testing.T) {
	w := newFixture(t)
	w.ask("GET", "/api/v1/notifications?phone=%2B5531988880042&q=Maria+das+Dores", "") // the clean-up looks for both
	w.ask("GET", "/api/v1/notifications/+5531988880042", "")
	w.ask("GET", "/5531988880042", "")
	if !strings.Contains(w.log.String(), `"route":"GET /api/v1/notifications"`) {
		t.Errorf("log = %s, want the route", w.log)
	}
}

func TestServer_AnswersAPanicWithAProblem(t *testing.T) {
	w := newFixture(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("about " + plantedName) })
	})
	rec := w.ask("GET", "/metrics", "")
	checkStatus(t, rec, http.StatusInternalServerError)
	if !strings.Contains(w.log.String(), "request panicked") || !strings.Contains(w.log.String(), "routes_test.go") {
		t.Errorf("log = %s, want the panic with its stack", w.log)
	}
}

func TestServer_AnswersHead(t *testing.T) {
	w := newFixture(t)
	if rec := w.ask("HEAD", "/healthz", ""); rec.Code != http.StatusOK {
		t.Errorf("status of HEAD = %d, want 200", rec.Code)
	}
}
