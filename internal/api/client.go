package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
)

// Client asks a running server. It is safe for use by several goroutines. The
// time of a call is bounded by its ctx alone.
//
// Its errors are an *Error when the server answered with a problem, and an *Unreachable
// when there was no answer or it was not Pombo's. Both have a method Hint that says
// what to do.
type Client struct {
	base  string
	token string
	http  *http.Client

	account string // of the machine, for the audit trail; "" = not a command line
}

// As returns a client that the audit trail records as the command line, for an account
// of the machine.
func (c *Client) As(account string) *Client {
	other := *c
	other.account = account
	return &other
}

// Error is a problem that the server answered with. errors.Is finds
// pombo.ErrNotFound behind a 404 and pombo.ErrMove behind a 409.
type Error struct{ Problem Problem }

// Error returns the detail.
func (e *Error) Error() string {
	if e.Problem.Detail == "" {
		return "the server answered " + strconv.Itoa(e.Problem.Status)
	}
	return e.Problem.Detail
}

// Hint says what to do; "" when the server did not. The user of a Client has no header
// to set.
func (e *Error) Hint() string {
	if e.Problem.Status == http.StatusUnauthorized {
		return "set API_TOKEN to the token of the running server, in .env or in the environment"
	}
	return e.Problem.Hint
}

// Unwrap returns the error of package pombo that the status stands for.
func (e *Error) Unwrap() error {
	switch e.Problem.Status {
	case http.StatusNotFound:
		return pombo.ErrNotFound
	case http.StatusConflict:
		return pombo.ErrMove
	default:
		return nil
	}
}

// Unreachable says that no Pombo answered at URL.
type Unreachable struct {
	URL string // without credentials
	Err error
}

// Error names the address and the cause.
func (e *Unreachable) Error() string { return fmt.Sprintf("no answer from %s: %v", e.URL, e.Err) }

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// Hint says what to check.
func (e *Unreachable) Hint() string {
	if errors.Is(e.Err, context.DeadlineExceeded) {
		return "the server takes long: see its log, or give it more time (JOB_TIMEOUT)"
	}
	return "pombo serve (or pombo start) must be running, and API_URL must be its address; tried " + e.URL
}

// NewClient returns a client for the server at baseURL, such as
// http://127.0.0.1:5000. token is API_TOKEN, "" for none. hc may be nil; of a
// given one all is used but its CheckRedirect.
func NewClient(baseURL, token string, hc *http.Client) *Client {
	c := &Client{base: strings.TrimRight(strings.TrimSpace(baseURL), "/"), token: token, http: &http.Client{}}
	if hc != nil {
		*c.http = *hc
	}
	// Followed, a redirect would turn a POST into a GET and look like success.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Ready asks for the readiness. When the server is not ready, the error says so
// and the Readiness says which part is not.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var r notReady // has the members of both answers
	err := c.do(ctx, call{method: "GET", path: "/readyz"}, &r)
	return r.Readiness, err
}

// NoWait makes Send return as soon as the run is under way.
const NoWait time.Duration = -1

// Send starts a run, or joins the one under way. wait is how long to wait for
// its end, in whole seconds: 0 = to the end, NoWait = not at all. A result whose
// State is Running says that the time was over first; the run goes on.
func (c *Client) Send(ctx context.Context, wait time.Duration) (RunResult, error) {
	header := http.Header{}
	switch {
	case wait < 0:
		header.Set("Prefer", "respond-async")
	case wait > 0:
		header.Set("Prefer", "wait="+strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	return ask[RunResult](ctx, c, call{method: "POST", path: "/send_notification", header: header})
}

// errCutShort is a process that ended before its stop was over.
var errCutShort = errors.New("the process ended before its stop was over, so not in order: what it was sending is asked about after the next start")

// Stop makes the server's process stop in order. With wait it returns when the process
// has ended, and says how; otherwise at once.
func (c *Client) Stop(ctx context.Context, wait bool) (stop Stop, err error) {
	header, status := http.Header{}, 0
	if !wait {
		header.Set("Prefer", "respond-async")
	}
	err = c.do(ctx, call{method: "POST", path: "/api/v1/stop", header: header, status: &status}, &stop)
	if err != nil && ctx.Err() == nil && status == http.StatusOK && !errors.Is(err, context.DeadlineExceeded) {
		err = errCutShort
	}
	return stop, err
}

// Run returns a run as it stands.
func (c *Client) Run(ctx context.Context, id int64) (Run, error) {
	return ask[Run](ctx, c, call{method: "GET", path: runPath(id)})
}

// Runs returns the latest runs, newest first; limit 0 = 20.
func (c *Client) Runs(ctx context.Context, limit int) ([]Run, error) {
	q := given("limit", number(int64(limit)))
	r, err := ask[struct{ Runs []Run }](ctx, c, call{method: "GET", path: "/runs", query: q})
	return r.Runs, err
}

// List searches for notifications. f.Phone may be in any form that phone.Parse
// understands.
func (c *Client) List(ctx context.Context, f pombo.Filter) (List, error) {
	q := given("state", string(f.State), "phone", f.Phone, "q", f.Text, "cursor", f.Cursor, "run", number(f.Run), "limit", number(int64(f.Limit)))
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339))
	}
	if f.HandedOver {
		q.Set("handed_over", "true")
	}
	return ask[List](ctx, c, call{method: "GET", path: "/api/v1/notifications", query: q})
}

// Show returns a notification with its whole history.
func (c *Client) Show(ctx context.Context, id pombo.MessageID) (Story, error) {
	return c.story(ctx, "GET", id, "")
}

// Retry has a notification sent again.
func (c *Client) Retry(ctx context.Context, id pombo.MessageID) (Story, error) {
	return c.story(ctx, "POST", id, "/retry")
}

// Cancel keeps a notification from being sent.
func (c *Client) Cancel(ctx context.Context, id pombo.MessageID) (Story, error) {
	return c.story(ctx, "POST", id, "/cancel")
}

func (c *Client) story(ctx context.Context, method string, id pombo.MessageID, action string) (Story, error) {
	return ask[Story](ctx, c, call{method: method, path: "/api/v1/notifications/" + url.PathEscape(string(id)) + action})
}

// Add has one message sent without the table. key makes it unique: the same key
// again returns what is there, with added false; "" = a random key.
func (c *Client) Add(ctx context.Context, key string, row pombo.Row) (n Notification, added bool, err error) {
	type param struct {
		Slot  pombo.Slot `json:"slot"`
		Value string     `json:"value"`
	}
	body := struct {
		Phone     string    `json:"phone"`
		Params    []param   `json:"params"`
		Template  string    `json:"template,omitempty"`
		Priority  int       `json:"priority"`
		SendAfter time.Time `json:"send_after,omitzero"`
		Expires   time.Time `json:"expires,omitzero"`
	}{row.Recipient.Reveal(), []param{}, row.Template, row.Priority, row.SendAfter, row.Expires}
	for _, p := range row.Params {
		if p.Slot == "" {
			p.Slot = pombo.Body
		}
		body.Params = append(body.Params, param{p.Slot, p.Value.Reveal()})
	}
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	status := 0
	err = c.do(ctx, call{method: "POST", path: "/api/v1/notifications", header: header, body: body, status: &status}, &n)
	return n, status == http.StatusCreated, err
}

// Paused says whether sending is paused.
func (c *Client) Paused(ctx context.Context) (Pause, error) {
	return ask[Pause](ctx, c, call{method: "GET", path: "/api/v1/pause"})
}

// Pause pauses all sending until a time; zero = until resumed. detail says why,
// for others to read.
func (c *Client) Pause(ctx context.Context, until time.Time, detail string) (Pause, error) {
	body := struct {
		Until  time.Time `json:"until,omitzero"`
		Detail string    `json:"detail,omitempty"`
	}{until, detail}
	return ask[Pause](ctx, c, call{method: "PUT", path: "/api/v1/pause", body: body})
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context) error {
	return c.do(ctx, call{method: "DELETE", path: "/api/v1/pause"}, nil)
}

// HoldTemplate keeps the messages of a template waiting until a time; zero = until released.
// by says who, and detail why, for others to read.
func (c *Client) HoldTemplate(ctx context.Context, name string, until time.Time, by, detail string) (HoldReach, error) {
	body := struct {
		Until  time.Time `json:"until,omitzero"`
		By     string    `json:"by,omitempty"`
		Detail string    `json:"detail,omitempty"`
	}{until, by, detail}
	var h HoldReach
	err := c.do(ctx, call{method: "PUT", path: "/api/v1/templates/" + url.PathEscape(name) + "/hold", body: body}, &h)
	return h, err
}

// ReleaseTemplate ends the hold of a template.
func (c *Client) ReleaseTemplate(ctx context.Context, name string) error {
	return c.do(ctx, call{method: "DELETE", path: "/api/v1/templates/" + url.PathEscape(name) + "/hold"}, nil)
}

// ReleaseResends sends again the rows that were set back to pending with many others;
// SettleResends writes their status again instead. Both return how many rows there
// were.
func (c *Client) ReleaseResends(ctx context.Context) (int, error) { return c.resends(ctx, "release") }

// SettleResends is documented at ReleaseResends.
func (c *Client) SettleResends(ctx context.Context) (int, error) { return c.resends(ctx, "settle") }

func (c *Client) resends(ctx context.Context, what string) (int, error) {
	r, err := ask[Resends](ctx, c, call{method: "POST", path: "/api/v1/resends/" + what})
	return r.Rows, err
}

// Replies returns a page of what people answered.
func (c *Client) Replies(ctx context.Context, q pombo.ReplyQuery) (ReplyList, error) {
	values := given("notification", string(q.Notification), "limit", number(int64(q.Limit)), "cursor", q.Cursor)
	if q.Unmatched {
		values.Set("unmatched", "true")
	}
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			values.Set(name, at.Format(time.RFC3339))
		}
	}
	return ask[ReplyList](ctx, c, call{method: "GET", path: "/api/v1/replies", query: values})
}

// OptOuts lists the people who get no more messages, the latest first. cursor is the
// NextCursor of the previous page, "" for the first; limit 0 = 50.
func (c *Client) OptOuts(ctx context.Context, cursor string, limit int) (OptOutList, error) {
	q := given("cursor", cursor, "limit", number(int64(limit)))
	return ask[OptOutList](ctx, c, call{method: "GET", path: "/api/v1/optouts", query: q})
}

// OptOut keeps the messages of a scope from a phone, in any form that phone.Parse
// understands.
func (c *Client) OptOut(ctx context.Context, phone pombo.Private, scope pombo.OptOutScope) (OptOutChange, error) {
	return c.optOut(ctx, "/api/v1/optouts", phone, scope)
}

// OptIn takes a phone off the list; pombo.ErrNotFound when it is not on it.
func (c *Client) OptIn(ctx context.Context, phone pombo.Private) (OptOutChange, error) {
	return c.optOut(ctx, "/api/v1/optouts/remove", phone, "")
}

func (c *Client) optOut(ctx context.Context, path string, phone pombo.Private, scope pombo.OptOutScope) (OptOutChange, error) {
	body := struct {
		Phone string            `json:"phone"`
		Scope pombo.OptOutScope `json:"scope,omitempty"`
	}{phone.Reveal(), scope}
	return ask[OptOutChange](ctx, c, call{method: "POST", path: path, body: body})
}

// Forget erases what the ledger has of a person, or only counts it. The phone may
// be in any form that phone.Parse understands.
func (c *Client) Forget(ctx context.Context, phone string, really bool) (Forgotten, error) {
	body := struct {
		Phone string `json:"phone"`
		Erase bool   `json:"erase"`
	}{phone, really}
	return ask[Forgotten](ctx, c, call{method: "POST", path: "/api/v1/forget", body: body})
}

// Reconcile makes the server compare table, ledger and Blip now, and waits for the
// result, which may take minutes.
func (c *Client) Reconcile(ctx context.Context) (Reconciliation, error) {
	return ask[Reconciliation](ctx, c, call{method: "POST", path: "/api/v1/reconciliations"})
}

// LastReconciliation returns the result of the last comparison.
func (c *Client) LastReconciliation(ctx context.Context) (Reconciliation, error) {
	return ask[Reconciliation](ctx, c, call{method: "GET", path: "/api/v1/reconciliations/latest"})
}

// Templates lists the templates that Blip has.
func (c *Client) Templates(ctx context.Context) ([]Template, error) {
	r, err := ask[struct{ Templates []Template }](ctx, c, call{method: "GET", path: "/api/v1/templates"})
	return r.Templates, err
}

// call is one request.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         any  // nil = none
	status       *int // gets the status of the answer, when not nil
}

// given is a query of names and values, without those that are empty.
func given(pairs ...string) url.Values {
	q := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			q.Set(pair[0], pair[1])
		}
	}
	return q
}

// number is n as text; "" for 0.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// maxAnswer bounds what is read of an answer: a page of 1000 notifications has
// less than a tenth of it.
const maxAnswer = 16 << 20

// ask makes a call whose answer is a T.
func ask[T any](ctx context.Context, c *Client, in call) (answer T, err error) {
	err = c.do(ctx, in, &answer)
	return answer, err
}

// do makes the call and reads the answer into the value, or into an error.
func (c *Client) do(ctx context.Context, in call, into any) error {
	request, err := c.request(ctx, in)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		if cause, ok := errors.AsType[*url.Error](err); ok { // its text has the URL with the query
			err = cause.Err
		}
		return &Unreachable{URL: c.address(), Err: err}
	}
	defer response.Body.Close()
	if in.status != nil {
		*in.status = response.StatusCode
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return &Unreachable{URL: c.address(), Err: fmt.Errorf("read answer: %w", err)}
	}
	switch kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); {
	case response.StatusCode == http.StatusNoContent:
		return nil
	case kind == "application/json" && response.StatusCode < 300:
		if err := json.Unmarshal(body, into); err != nil {
			return fmt.Errorf("read answer of %s %s: %w", in.method, c.address(), err)
		}
		return nil
	case kind == "application/problem+json":
		e := &Error{}
		if err := json.Unmarshal(body, &e.Problem); err != nil {
			return fmt.Errorf("read problem from %s: %w", c.address(), err)
		}
		e.Problem.Status = response.StatusCode
		if r, ok := into.(*notReady); ok {
			_ = json.Unmarshal(body, r) // the same bytes were read just above
		}
		return e
	default:
		return &Unreachable{URL: c.address(), Err: fmt.Errorf("what is there answered %d, but not as Pombo does", response.StatusCode)}
	}
}

func (c *Client) request(ctx context.Context, in call) (*http.Request, error) {
	var body io.Reader
	if in.body != nil {
		b, err := json.Marshal(in.body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	address := c.base + in.path
	if len(in.query) > 0 {
		address += "?" + in.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, in.method, address, body)
	if err != nil || request.URL.Host == "" || request.URL.Scheme != "http" && request.URL.Scheme != "https" {
		return nil, &Unreachable{URL: c.address(), Err: errors.New("this is not an address such as http://127.0.0.1:5000")}
	}
	maps.Copy(request.Header, in.header)
	request.Header.Set("Accept", "application/json, application/problem+json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.account != "" {
		request.Header.Set(viaHeader, string(audit.ViaCLI))
		request.Header.Set(accountHeader, account(c.account))
	}
	return request, nil
}

// address is the base URL as it may be shown.
func (c *Client) address() string {
	u, err := url.Parse(c.base)
	if err != nil {
		return "API_URL"
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}
