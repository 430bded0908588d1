package app

import "pombo/internal/telemetry"

// traces says where spans go.
func traces(o Options) telemetry.TraceOptions {
	c := o.Config.Traces
	headers := make(map[string]string, len(c.Headers))
	for name, value := range c.Headers {
		headers[name] = value.Reveal()
	}
	return telemetry.TraceOptions{
		Endpoint: c.Endpoint, Headers: headers, Service: c.Service, Version: o.Version, Share: c.Share, Logger: o.Logger,
	}
}
