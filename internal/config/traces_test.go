package config

import (
	"strings"
	"testing"
)

func TestTraces(t *testing.T) {
	load := func(env ...string) (Traces, error) {
		c, _, err := Load("", env, NeedDispatch)
		return c.Traces, err
	}
	if v, err := load(); err != nil || v.Endpoint != "" || v.Service != "pombo" || v.Share != 1 {
		t.Errorf("without settings: %+v, %v", v, err)
	}
	v, err := load("OTEL_EXPORTER_OTLP_ENDPOINT=http://otel.example.com:4318/base/", "OTEL_TRACES_SAMPLER_ARG=0.1", "OTEL_SERVICE_NAME=pombo-b",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20a%2Cb%3D%3D, x-scope = 7,")
	if err != nil || v.Endpoint != "http://otel.example.com:4318/base" || v.Share != 0.1 || v.Service != "pombo-b" ||
		len(v.Headers) != 2 || v.Headers["authorization"].Reveal() != "Bearer a,b==" || v.Headers["x-scope"].Reveal() != "7" {
		t.Errorf("%+v, %v", v, err)
	}
	for _, wrong := range []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318", "OTEL_EXPORTER_OTLP_ENDPOINT=http://a:b@127.0.0.1", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1/v1/traces",
		"OTEL_EXPORTER_OTLP_HEADERS=planted", "OTEL_EXPORTER_OTLP_HEADERS=a=planted%zz", "OTEL_EXPORTER_OTLP_HEADERS=a=planted%0Ab", "OTEL_EXPORTER_OTLP_HEADERS=a b=planted",
		"OTEL_TRACES_SAMPLER_ARG=1.1", "OTEL_TRACES_SAMPLER_ARG=-1", "OTEL_TRACES_SAMPLER_ARG=NaN", "OTEL_TRACES_SAMPLER_ARG=all",
	} {
		if _, err := load(wrong); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
