package api

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"

	"pombo/internal/audit"
)

//go:embed openapi.yaml
var openAPI []byte

// A route is one line of the table. Its handler writes an answer or returns an
// error, not both.
type route struct {
	method, path string
	summary      string
	open         bool      // no token is required
	waits        bool      // may take as long as a run does
	outside      bool      // a secret in the path guards it: no token is required, and the Host header may have any name
	act          audit.Act // what the audit trail records; "" = nothing
	handle       func(http.ResponseWriter, *http.Request) error
}

func (rt route) pattern() string { return rt.method + " " + rt.path }

// table lists every route there is.
func (s *Server) table() []route {
	const api = "/api/v1"
	return []route{
		{method: "GET", path: "/{$}", handle: s.getIndex, summary: "this page"},
		{method: "GET", path: "/openapi.yaml", handle: s.getOpenAPI, summary: "the routes in full, for tools"},

		{method: "POST", path: "/send_notification", handle: s.sendNotification, waits: true, summary: "take in all pending rows and wait for the run to end"},
		{method: "GET", path: "/runs", handle: s.getRuns, summary: "the latest runs"},
		{method: "GET", path: "/runs/{id}", handle: s.getRun, summary: "one run"},

		{method: "GET", path: "/healthz", handle: s.getHealthz, open: true, summary: "the process is there"},
		{method: "GET", path: "/readyz", handle: s.getReadyz, open: true, summary: "source, ledger and Blip can be used"},
		{method: "GET", path: "/metrics", handle: s.getMetrics, summary: "for Prometheus"},

		{method: "GET", path: api + "/notifications", handle: s.getNotifications, summary: "search: state, phone, q, run, since, until, reason, template, limit, cursor"},
		{method: "POST", path: api + "/notifications", handle: s.postNotification, act: audit.Send, summary: "send one message without the table"},
		{method: "GET", path: api + "/notifications/{id}", handle: s.getNotification, summary: "one notification and its whole story"},
		{method: "POST", path: api + "/notifications/{id}/retry", handle: s.decide("retried", s.o.Ledger.Retry), act: audit.Retry, summary: "send it again"},
		{method: "POST", path: api + "/notifications/{id}/cancel", handle: s.decide("cancelled", s.o.Ledger.Cancel), act: audit.Cancel, summary: "do not send it"},

		{method: "GET", path: api + "/replies", handle: s.getReplies, summary: "what people answered: unmatched, notification, since, until, limit, cursor"},

		{method: "GET", path: api + "/pause", handle: s.getPause, summary: "whether sending is paused, and why"},
		{method: "PUT", path: api + "/pause", handle: s.putPause, act: audit.Pause, summary: "pause all sending"},
		{method: "DELETE", path: api + "/pause", handle: s.deletePause, act: audit.Resume, summary: "resume"},
		{method: "POST", path: api + "/stop", handle: s.postStop, act: audit.Stop, summary: "stop this process in order, and answer when it has ended"},
		{method: "POST", path: api + "/resends/release", handle: s.releaseResends, act: audit.Resends, summary: "send again the rows that were set back to pending with many others"},
		{method: "POST", path: api + "/resends/settle", handle: s.settleResends, act: audit.Resends, summary: "do not send it again; write its status again"},
		{method: "GET", path: api + "/optouts", handle: s.getOptOuts, summary: "who gets no more messages: limit, cursor"},
		{method: "POST", path: api + "/optouts", handle: s.postOptOut, act: audit.OptOut, summary: "send this phone no more messages"},
		{method: "POST", path: api + "/optouts/remove", handle: s.removeOptOut, act: audit.OptIn, summary: "send this phone messages again"},
		{method: "GET", path: api + "/templates", handle: s.getTemplates, summary: "the templates that Blip has"},
		{method: "GET", path: api + "/templates/{name}/hold", handle: s.getHold, summary: "whether a template is held, and what a hold comes to: until"},
		{method: "PUT", path: api + "/templates/{name}/hold", handle: s.putHold, act: audit.Hold, summary: "keep the messages of a template waiting"},
		{method: "DELETE", path: api + "/templates/{name}/hold", handle: s.deleteHold, act: audit.Release, summary: "release a template"},
		{method: "GET", path: api + "/events", handle: s.getEvents, summary: "the events for EVENTS_URL: since, type, open, limit, cursor"},
		{method: "POST", path: api + "/events/replay", handle: s.replayEvents, act: audit.Replay, summary: "send events again: since"},
		{method: "POST", path: api + "/reconciliations", handle: s.postReconciliation, waits: true, summary: "compare table, ledger and Blip"},
		{method: "GET", path: api + "/reconciliations/latest", handle: s.getReconciliation, summary: "what the last comparison found"},
		{method: "POST", path: api + "/forget", handle: s.postForget, act: audit.Forget, summary: "what the ledger has of a person; erase it"},

		{method: "POST", path: "/blip/notifications/{secret}", handle: s.webhook("notifications"), outside: true, summary: "where Blip posts its notifications"},
		{method: "POST", path: "/blip/messages/{secret}", handle: s.webhook("messages"), outside: true, summary: "where Blip posts what people write"},
		{method: "POST", path: "/blip/replies/{secret}", handle: s.postReply, outside: true, summary: "where a step of the bot's flow posts an answer"},
	}
}

func (s *Server) getIndex(w http.ResponseWriter, _ *http.Request) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Pombo %s\n\n", s.o.Version)
	for _, rt := range s.table() {
		fmt.Fprintf(&b, "%-7s %-40s %s\n", rt.method, strings.TrimSuffix(rt.path, "{$}"), rt.summary)
	}
	if s.o.Token != "" {
		b.WriteString("\nAll but /healthz, /readyz and /blip/… ask for \"Authorization: Bearer\" and API_TOKEN.\n")
	}
	return writeBody(w, http.StatusOK, "text/plain; charset=utf-8", []byte(b.String()))
}

func (s *Server) getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	return writeBody(w, http.StatusOK, "application/yaml", openAPI)
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	s.o.Metrics.ServeHTTP(w, r)
	return nil
}
