package blip

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"pombo"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// TestDecideStatus sends a message and a command to a server of every status.
func TestDecideStatus(t *testing.T) {
	const (
		min2 = 2 * time.Minute
		min5 = 5 * time.Minute
	)
	tests := []struct {
		status   int
		reason   pombo.Reason
		retry    bool
		delivery pombo.Delivery
		pause    time.Duration
		command  pombo.Reason // the reason when a command was answered so
	}{
		{200, pombo.Unexplained, true, maybeSent, 0, ""},
		{201, pombo.Unexplained, true, maybeSent, 0, pombo.Unexplained},
		{204, pombo.Unexplained, true, maybeSent, 0, pombo.Unexplained},
		{300, pombo.BlipUnreachable, true, maybeSent, min5, pombo.BlipUnreachable},
		{301, pombo.BlipUnreachable, true, notSent, min5, pombo.BlipUnreachable},
		{302, pombo.BlipUnreachable, true, maybeSent, min5, pombo.BlipUnreachable},
		{303, pombo.BlipUnreachable, true, maybeSent, min5, pombo.BlipUnreachable},
		{307, pombo.BlipUnreachable, true, notSent, min5, pombo.BlipUnreachable},
		{308, pombo.BlipUnreachable, true, notSent, min5, pombo.BlipUnreachable},
		{400, pombo.BadRequest, false, notSent, 0, pombo.BadRequest},
		{401, pombo.Unauthorized, true, notSent, min5, pombo.Unauthorized},
		{402, pombo.AccountBlocked, true, notSent, min5, pombo.AccountBlocked},
		{403, pombo.Forbidden, true, notSent, min5, pombo.Forbidden},
		{404, pombo.BlipUnreachable, true, notSent, min5, pombo.BlipUnreachable},
		{405, pombo.BlipUnreachable, true, notSent, min5, pombo.BlipUnreachable},
		{407, pombo.BlipUnreachable, true, notSent, min5, pombo.BlipUnreachable},
		{408, pombo.NoAnswer, true, maybeSent, 0, pombo.BlipUnavailable},
		{409, pombo.BadRequest, false, notSent, 0, pombo.BadRequest},
		{413, pombo.ParameterTooLong, false, notSent, 0, pombo.ParameterTooLong},
		{415, pombo.BadRequest, false, notSent, 0, pombo.BadRequest},
		{421, pombo.BlipUnreachable, true, notSent, 0, pombo.BlipUnreachable},
		{425, pombo.BlipUnavailable, true, notSent, 0, pombo.BlipUnavailable},
		{429, pombo.RateLimited, true, notSent, min2, pombo.RateLimited},
		{499, pombo.BadRequest, false, notSent, 0, pombo.BadRequest},
		{500, pombo.BlipUnavailable, true, maybeSent, 0, pombo.BlipUnavailable},
		{501, pombo.BlipUnreachable, true, notSent, min5, pombo.BlipUnreachable},
		{502, pombo.GatewayTimeout, true, maybeSent, 0, pombo.BlipUnavailable},
		{503, pombo.BlipUnavailable, true, maybeSent, 0, pombo.BlipUnavailable},
		{504, pombo.GatewayTimeout, true, maybeSent, 0, pombo.BlipUnavailable},
		{507, pombo.BlipUnavailable, true, maybeSent, 0, pombo.BlipUnavailable},
		{599, pombo.BlipUnavailable, true, maybeSent, 0, pombo.BlipUnavailable},
		{600, pombo.Unexplained, true, maybeSent, 0, pombo.Unexplained},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.status), func(t *testing.T) {
			s := answering(t, tt.status, nil)
			c := newClient(t, s.URL)
			want := &pombo.Error{
				Reason: tt.reason, Retry: tt.retry, Delivery: tt.delivery, Pause: tt.pause,
				Code: tt.status, Detail: fmt.Sprintf("HTTP status %d", tt.status),
			}
			if diff := cmp.Diff(want, fault(t, c.Send(t.Context(), message()))); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if tt.command == "" {
				return
			}
			want.Reason, want.Delivery = tt.command, notSent
			_, err := c.Identity(t.Context(), number(t, testPhone))
			if diff := cmp.Diff(want, fault(t, err)); diff != "" {
				t.Errorf("command (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecideStatus_ReasonInTheBody: the body of a refusal says more than its status, and
// settles nothing that the status leaves open.
func TestDecideStatus_ReasonInTheBody(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   pombo.Error
	}{
		{"golden", 400, string(golden(t, "bad-request.json")),
			pombo.Error{Reason: pombo.BadRequest, Delivery: notSent, Code: 21, Detail: "HTTP status 400, code 21: The envelope has no to"}},
		{"in an envelope", 400, `{"status":"failure","reason":{"code":26,"description":"bad recipients"}}`,
			pombo.Error{Reason: pombo.BadRequest, Delivery: notSent, Code: 26, Detail: "HTTP status 400, code 26: bad recipients"}},
		{"quota", 400, `{"code":34,"description":"quota"}`,
			pombo.Error{Reason: pombo.RateLimited, Retry: true, Delivery: notSent, Pause: 2 * time.Minute, Code: 34, Detail: "HTTP status 400, code 34: quota"}},
		{"template missing", 400, `{"code":81,"description":"(#132001) Template name does not exist in pt_BR"}`,
			pombo.Error{Reason: pombo.TemplateMissing, Delivery: notSent, Code: 132001, Detail: "HTTP status 400, code 132001: 132001 Template name does not exist in pt_BR"}},
		{"gateway silent", 400, `{"code":86,"description":"timed out"}`,
			pombo.Error{Reason: pombo.GatewayTimeout, Delivery: maybeSent, Code: 86, Detail: "HTTP status 400, code 86: timed out"}},
		{"unknown code", 400, `{"code":99,"description":"new"}`,
			pombo.Error{Reason: pombo.BadRequest, Delivery: notSent, Code: 99, Detail: "HTTP status 400, code 99: new"}},
		{"code as text", 400, `{"code":"21","description":"x"}`,
			pombo.Error{Reason: pombo.BadRequest, Delivery: notSent, Code: 21, Detail: "HTTP status 400, code 21"}},
		{"a refusal within a 500 proves nothing", 500, `{"code":21,"description":"x"}`,
			pombo.Error{Reason: pombo.BlipUnavailable, Retry: true, Delivery: maybeSent, Code: 21, Detail: "HTTP status 500, code 21"}},
		{"rate keeps its pause", 429, `{"code":1,"description":"slow down"}`,
			pombo.Error{Reason: pombo.RateLimited, Retry: true, Delivery: notSent, Pause: 2 * time.Minute, Code: 1, Detail: "HTTP status 429, code 1: slow down"}},
		{"a page", 400, `<html>no</html>`,
			pombo.Error{Reason: pombo.BadRequest, Delivery: notSent, Code: 400, Detail: "HTTP status 400"}},
		{"everything private", 400, `{"code":21,"description":"Key ` + testKey + ` sent Maria, #1234 to ` + testIdentity + ` (+55 31 90000-0001)"}`,
			pombo.Error{Reason: pombo.BadRequest, Delivery: notSent, Code: 21, Detail: "HTTP status 400, code 21: Key … sent … to …"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, tt.status, []byte(tt.body))
			got := fault(t, newClient(t, s.URL).Send(t.Context(), message()))
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			safe(t, got)
		})
	}
}

// TestReasons has a line for every code, as it comes in a failed receipt or
// command: reason, whether again, and how long the bot rests.
func TestReasons(t *testing.T) {
	type want struct {
		reason pombo.Reason
		retry  bool
		pause  time.Duration
	}
	const (
		min2 = 2 * time.Minute
		min5 = 5 * time.Minute
	)
	ever, once := true, false
	lines := []struct {
		codes string // one or more, blank between
		text  string
		want  want
	}{
		{"1 41 51 61 81", "", want{pombo.ChannelError, ever, 0}},
		{"11 12 14 15 16 17 18", "", want{pombo.BlipUnavailable, ever, 0}},
		{"13", "", want{pombo.Unauthorized, ever, min5}},
		{"21 22 23 24 25 26 27 60 64 71 82 84", "", want{pombo.BadRequest, once, 0}},
		{"31 32 35 66", "", want{pombo.Forbidden, once, 0}},
		{"33 42", "", want{pombo.Undeliverable, once, 0}},
		{"34 85", "", want{pombo.RateLimited, ever, min2}},
		{"43 44 101", "", want{pombo.ChannelError, once, 0}},
		{"62 63 65 67", "", want{pombo.CommandFailed, once, 0}},
		{"83", "", want{pombo.NotOnWhatsApp, once, 0}},
		{"86", "", want{pombo.GatewayTimeout, once, 0}},
		{"87", "", want{pombo.AccountBlocked, once, 0}},
		// The number of Meta where LIME has none, or with a text that says so.
		{"0", "Authentication failed for the access token", want{pombo.AccountBlocked, ever, min5}},
		{"0", "", want{pombo.Unexplained, once, 0}},
		{"190 368 131031 131042 131045", "", want{pombo.AccountBlocked, ever, min5}},
		{"130497", "", want{pombo.AccountBlocked, once, 0}},
		{"3 10 200 210 299 131005", "", want{pombo.Forbidden, ever, min5}},
		{"2 131000 131016 133004 132069", "", want{pombo.ChannelError, ever, 0}},
		{"131057", "", want{pombo.ChannelError, ever, min2}},
		{"4 80007 130429", "", want{pombo.RateLimited, ever, min2}},
		{"131056", "", want{pombo.PairRate, ever, 0}},
		{"131048", "", want{pombo.SpamLimited, ever, time.Hour}},
		{"131049", "", want{pombo.MarketingCap, once, 0}},
		{"131064 135000", "", want{pombo.AccountLimited, ever, 6 * time.Hour}},
		{"131037 133000 133005 133006 133008 133009 133010 133015 133016", "", want{pombo.NumberNotReady, ever, min5}},
		{"131063 134011 134100 134102 134103 131058", "", want{pombo.TemplateUnusable, once, 0}},
		{"134101", "", want{pombo.ChannelError, ever, 0}},
		{"2494100", "", want{pombo.ChannelError, ever, min2}},
		{"81", "Gateway error (#2494100) maintenance", want{pombo.ChannelError, ever, min2}},
		{"130403", "", want{pombo.BlockedByBusiness, once, 0}},
		{"131062", "", want{pombo.PhoneNeeded, once, 0}},
		{"33", "", want{pombo.Undeliverable, once, 0}},
		{"130472 131026", "", want{pombo.Undeliverable, once, 0}},
		{"131047", "", want{pombo.WindowClosed, once, 0}},
		{"498 131050", "", want{pombo.OptedOutOfMarketing, once, 0}},
		{"131030", "", want{pombo.Forbidden, once, 0}},
		{"100 131021 131051 131008 131009 131055", "", want{pombo.BadRequest, once, 0}},
		{"33", "(#33) Parameter value is not valid", want{pombo.NumberNotReady, ever, min5}}, // the business number was deleted
		{"1", "(#1) API unknown", want{pombo.ChannelError, ever, 0}},
		{"131052 131053", "", want{pombo.MediaRefused, once, 0}},
		{"132000", "", want{pombo.ParameterCount, once, 0}},
		{"132005", "", want{pombo.ParameterTooLong, once, 0}},
		{"132007", "", want{pombo.TemplateRefused, once, 0}},
		{"132012 132018", "", want{pombo.ParameterFormat, once, 0}},
		{"132001", "", want{pombo.TemplateMissing, once, 0}},
		{"132015", "", want{pombo.TemplatePaused, once, 0}},
		{"132016 132068", "", want{pombo.TemplateDisabled, once, 0}},
		// The older API.
		{"400 408 1002 1004 1008 1009 1010 1011 1021 1022 1025", "", want{pombo.BadRequest, once, 0}},
		{"402 430 432 433", "", want{pombo.AccountBlocked, ever, min5}},
		{"410 472 1026", "", want{pombo.Undeliverable, once, 0}},
		{"429 471 1015", "", want{pombo.RateLimited, ever, min2}},
		{"470", "", want{pombo.WindowClosed, once, 0}},
		{"500 1000 1014", "", want{pombo.ChannelError, ever, 0}},
		{"1001", "", want{pombo.ParameterTooLong, once, 0}},
		{"1005", "", want{pombo.Forbidden, ever, min5}},
		{"1006 1013", "", want{pombo.NotOnWhatsApp, once, 0}},
		{"2000", "", want{pombo.ParameterCount, once, 0}},
		{"2001 2002", "", want{pombo.TemplateMissing, once, 0}},
		{"2003 2004 2005 2006 2007 2008 2009 2010 2011 2012", "", want{pombo.TemplateRefused, once, 0}},
		// What is not listed.
		{"19 88 99 102 199 300 999 3000 131099 139999 -7", "", want{pombo.Unexplained, once, 0}},
		// A code inside the text of a LIME reason.
		{"81 61 51", "Gateway error: (#131049) not delivered", want{pombo.MarketingCap, once, 0}},
		{"81", "131026 - Message undeliverable", want{pombo.Undeliverable, once, 0}},
		{"81", "channel error code: 470", want{pombo.WindowClosed, once, 0}},
		{"81", "error 1013", want{pombo.NotOnWhatsApp, once, 0}},
		{"0 99", "code=132000", want{pombo.ParameterCount, once, 0}},
		{"81", "(#131099) something new", want{pombo.Unexplained, once, 0}},
		// Numbers that are not codes.
		{"81", "no answer since 2001-02-03 1013 times, 470 ms", want{pombo.ChannelError, ever, 0}},
		{"81", "ticket 445566 is open", want{pombo.ChannelError, ever, 0}},
		{"81", "id a131026 131026b 1310260 sent", want{pombo.ChannelError, ever, 0}},
		{"81", "Unable to determine the WhatsApp Business Account", want{pombo.Forbidden, ever, min5}},
	}
	covered := map[cause]bool{}
	for _, l := range lines {
		for s := range strings.FieldsSeq(l.codes) {
			code, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			r := reason{code, l.text}
			d, _ := decideReason(r)
			if got := (want{d.reason, d.retry, d.pause}); got != l.want {
				t.Errorf("code %d %q: got %v, want %v", code, l.text, got, l.want)
			}
			if wantReach := notSent; code == 86 && d.delivery != maybeSent || code != 86 && d.delivery != wantReach {
				t.Errorf("code %d: delivery = %v", code, d.delivery)
			}
			covered[r.explain()] = true
		}
	}
	// The table and this list cover each other.
	for c := range decisions {
		if (c.list == lime || c.list == channel || c.list == reasonText) && !covered[c] {
			t.Errorf("no line in this test for %v", c)
		}
	}
}

// TestDecisions_HaveEveryListedCode compares the table with the lists of the documentation, as they
// stand there.
func TestDecisions_HaveEveryListedCode(t *testing.T) {
	lists := map[list]string{
		// Blip and LIME.
		lime: "1 11 12 13 14 15 16 17 18 21 22 23 24 25 26 27 31 32 33 34 35 41 42 43 44 51 60 " +
			"61 62 63 64 65 66 67 71 81 82 83 84 85 86 87 101",
		// Meta's Cloud API, then the older one.
		channel: "0 190 3 10 200 131005 1 2 131000 131016 133004 4 80007 130429 131056 131048 131049 130472 131026 " +
			"131047 131050 131021 131051 131008 131009 100 33 131030 131052 131053 131031 368 130497 131042 131045 " +
			"133010 131055 131057 132000 132005 132007 132012 132018 132001 132015 132016 132068 132069 " +
			"400 402 408 410 429 471 430 432 433 470 472 500 1000 1001 1002 1004 1005 1006 1008 1009 1010 1011 1013 " +
			"1014 1015 1021 1022 1025 1026 2000 2001 2002 2003",
	}
	for l, codes := range lists {
		for s := range strings.FieldsSeq(codes) {
			code, _ := strconv.Atoi(s)
			if _, ok := decisions[cause{l, code}]; !ok {
				t.Errorf("list %d: code %d has no line", l, code)
			}
		}
	}
}

// TestTable checks what is true of every line.
func TestTable(t *testing.T) {
	for c, d := range decisions {
		if d.reason == pombo.NoReason || !d.reason.Valid() {
			t.Errorf("%v: reason %q is none", c, d.reason)
		}
		if d.pause > 0 && !d.retry {
			t.Errorf("%v: rests and gives up at once", c)
		}
		if got := d.forCommand(); got.delivery != notSent || got.reason == pombo.NoAnswer || got.reason == pombo.GatewayTimeout {
			t.Errorf("%v: a command in doubt: %v", c, got)
		}
	}
	for _, p := range []phase{phaseConnect, phaseWrite, phaseAnswer, phaseForeign, phaseLacking} {
		if _, ok := decisions[cause{transport, int(p)}]; !ok {
			t.Errorf("phase %d has no line", p)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	status := http.StatusAccepted
	s := stand(t, func(w http.ResponseWriter, _ string) { w.WriteHeader(status) })
	c := newClient(t, s.URL, func(o *Options) { o.Registerer = r })
	if got, want := len(count(t, r)), int(kinds)*int(results); got != want {
		t.Errorf("series before the first request = %d, want %d", got, want)
	}
	_ = c.Send(t.Context(), message())
	status = http.StatusTooManyRequests
	_ = c.Send(t.Context(), message())
	_ = c.Send(t.Context(), pombo.Message{}) // never sent, so it is not a request
	got := count(t, r)
	for series, want := range map[string]float64{"send ok": 1, "send rate_limited": 1, "send refused": 0, "identity ok": 0} {
		if got[series] != want {
			t.Errorf("%s = %v, want %v", series, got[series], want)
		}
	}
	if _, err := New(Options{Key: testKey, URL: s.URL, Registerer: r}); err == nil {
		t.Error("a second client on one registry: no error")
	}
}

// count reads the requests from the registry, by kind and result.
func count(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "pombo_blip_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			got[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return got
}

// TestResultOf_KnowsEveryReason: a reason that the table gives and resultOf does not
// know would be counted as refused without a thought.
func TestResultOf_KnowsEveryReason(t *testing.T) {
	want := map[pombo.Reason]result{
		pombo.BadRequest: resultRefused, pombo.NotOnWhatsApp: resultRefused, pombo.CommandFailed: resultRefused,
		pombo.RateLimited: resultRateLimited, pombo.SpamLimited: resultRateLimited, pombo.PairRate: resultRateLimited,
		pombo.Unauthorized: resultUnauthorized, pombo.Forbidden: resultUnauthorized, pombo.AccountBlocked: resultUnauthorized,
		pombo.BlipUnavailable: resultUnavailable, pombo.GatewayTimeout: resultUnavailable, pombo.ChannelError: resultUnavailable,
		pombo.NoAnswer: resultNoAnswer, pombo.BlipUnreachable: resultUnreachable, pombo.Interrupted: resultUnreachable,
	}
	for r, res := range want {
		if got := resultOf(&pombo.Error{Reason: r}); got != res {
			t.Errorf("%s counts as %v, want %v", r, got, res)
		}
	}
}
