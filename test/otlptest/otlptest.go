// Package otlptest is a receiver of OTLP over HTTP, which reads spans with OpenTelemetry's
// own types.
package otlptest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Receiver takes spans.
type Receiver struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	answers  []func(http.ResponseWriter) // for the next requests, instead of taking them
	requests []*http.Request
	raw      strings.Builder
	resource map[string]string
	spans    []Span
}

// Span is a span that was received.
type Span struct {
	Name                string
	Trace, ID, Parent   string // hexadecimal; "" = no parent
	Kind                trace.Span_SpanKind
	Failed              bool
	Begin, End          time.Time
	Attributes          map[string]string
	Events              []string
	Links               []Link
	DroppedLinks, Flags uint32
}

// Link is a link of a span.
type Link struct {
	Trace, ID  string
	Attributes map[string]string
}

// New starts a receiver, which ends with the test.
func New(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{t: t}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

// Next has the next request answered by f and its spans not taken.
func (r *Receiver) Next(f func(http.ResponseWriter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, f)
}

func (r *Receiver) serve(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
	if len(r.answers) > 0 {
		answer := r.answers[0]
		r.answers = r.answers[1:]
		answer(w)
		return
	}
	var export collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	if q.Method != http.MethodPost || q.URL.Path != "/v1/traces" || q.Header.Get("Content-Type") != "application/x-protobuf" || err != nil {
		r.t.Errorf("%s %s with %q: %v, want a POST of Protobuf to /v1/traces", q.Method, q.URL, q.Header.Get("Content-Type"), err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.raw.Write(body)
	for _, rs := range export.GetResourceSpans() {
		r.resource = attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				if len(s.ProtoReflect().GetUnknown()) > 0 {
					r.t.Errorf("span %s has fields that OpenTelemetry does not know", s.GetName())
				}
				r.spans = append(r.spans, read(s))
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func read(s *trace.Span) Span {
	span := Span{
		Name: s.GetName(), Kind: s.GetKind(), Failed: s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR,
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Begin: moment(s.GetStartTimeUnixNano()), End: moment(s.GetEndTimeUnixNano()),
		Attributes: attributes(s.GetAttributes()), DroppedLinks: s.GetDroppedLinksCount(), Flags: s.GetFlags(),
	}
	for _, e := range s.GetEvents() {
		span.Events = append(span.Events, e.GetName())
	}
	for _, l := range s.GetLinks() {
		span.Links = append(span.Links, Link{hex.EncodeToString(l.GetTraceId()), hex.EncodeToString(l.GetSpanId()), attributes(l.GetAttributes())})
	}
	return span
}

func moment(ns uint64) time.Time { return time.Unix(0, int64(ns)) }

func attributes(list []*common.KeyValue) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[kv.GetKey()] = v.StringValue
		default:
			text := kv.GetValue().String() // "int_value:3"
			m[kv.GetKey()] = text[strings.Index(text, ":")+1:]
		}
	}
	return m
}

// Spans returns what was received so far.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Resource returns the attributes of the process that sent the last spans.
func (r *Receiver) Resource() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resource
}

// Requests returns all requests so far, without their bodies.
func (r *Receiver) Requests() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Raw returns the bytes of all spans so far, to look for what must not be in them.
func (r *Receiver) Raw() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw.String()
}
