package service

import "context"

// Body is the work of a service. It calls running when it answers requests, and ends in
// order when ctx ends. It returns the exit code of the process, and whether somebody asked
// it to stop other than by the end of ctx.
type Body func(ctx context.Context, running func()) (code int, asked bool)
