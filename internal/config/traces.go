package config

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"pombo"
)

// tracesGroup has the names that OpenTelemetry gives, so that a machine which is set up
// for it is set up for Pombo.
var tracesGroup = group{
	title: "Traces",
	need:  NeedDispatch,
	about: "Spans for OpenTelemetry: how long each step took. Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set. Nothing personal is in them. See docs/observability.md.",
	variables: []variable{
		{
			name: "OTEL_EXPORTER_OTLP_ENDPOINT", example: "http://127.0.0.1:4318", show: showURL,
			doc: "Address of the collector that takes spans by OTLP over HTTP, without `/v1/traces`; a proxy is taken from HTTPS_PROXY. Not set = no spans.",
			set: otlpEndpoint,
		},
		{
			name: "OTEL_EXPORTER_OTLP_HEADERS", secret: true, example: "authorization=Bearer%20a-long-random-word",
			doc: "Headers for the collector, as `name=value` with commas between; in values `%20` stands for a blank and `%2C` for a comma.",
			set: otlpHeaders,
		},
		{
			name: "OTEL_SERVICE_NAME", standard: "pombo",
			doc: "Name of this service in the traces.",
			set: word(func(c *Config) *string { return &c.Traces.Service }),
		},
		{
			name: "OTEL_TRACES_SAMPLER_ARG", standard: "1",
			doc: "Share of the messages that are traced, from 0 to 1: `0.1` is every tenth. Which ones follows from their ids. Passes over the table and batches of results are always traced.",
			set: otlpShare,
		},
	},
}

// otlpEndpoint is the base address of a collector. Spans are not personal, so plain http
// to another machine is as good as the company's network.
func otlpEndpoint(c *Config, s string) *Problem {
	const write = "write it as http://127.0.0.1:4318"
	u, p := baseURL(s, write)
	if p != nil {
		return p
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if strings.HasSuffix(path, "/v1/traces") {
		return trouble("ends in /v1/traces", "take that away: it is added")
	}
	c.Traces.Endpoint = u.Scheme + "://" + u.Host + path
	return nil
}

// otlpHeaders does not repeat what it refuses: a value may be a token.
func otlpHeaders(c *Config, s string) *Problem {
	const write = "write name=value, with commas between"
	c.Traces.Headers = map[string]pombo.Private{}
	for pair := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		text, err := url.PathUnescape(strings.TrimSpace(value))
		switch {
		case strings.TrimSpace(pair) == "":
		case !ok || name == "" || !only(name, isHeaderName):
			return trouble("has a part that is not name=value", write)
		case err != nil || strings.ContainsFunc(text, unicode.IsControl):
			return trouble("has a value that cannot be a header's", write+"; % itself is %25")
		default:
			c.Traces.Headers[name] = pombo.Private(text)
		}
	}
	return nil
}

func isHeaderName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

func otlpShare(c *Config, s string) *Problem {
	share, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(share >= 0 && share <= 1) { // NaN too
		return trouble("is "+quote(s)+", not a share", "write a number from 0 to 1, such as 0.1")
	}
	c.Traces.Share = share
	return nil
}
