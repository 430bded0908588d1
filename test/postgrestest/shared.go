package postgrestest

import (
	"context"
	"sync"
	"testing"
)

// Shared is the one server of a package's tests. It starts when the first test
// asks for it, so that a run of other tests does not pay. The zero value is
// ready; close it in TestMain.
type Shared struct {
	Options Options

	once   sync.Once
	server *Server
	err    error
}

// Server returns the server.
func (s *Shared) Server(tb testing.TB) *Server {
	tb.Helper()
	short(tb)
	s.once.Do(func() { s.server, s.err = New(s.Options) })
	if s.err != nil {
		missing(tb, s.err)
	}
	return s.server
}

// Database makes an empty database for the test, as Server.Database does.
func (s *Shared) Database(tb testing.TB, clauses ...string) string {
	tb.Helper()
	return s.Server(tb).Database(tb, clauses...)
}

// Schema makes an empty schema for the test, as Server.Schema does.
func (s *Shared) Schema(tb testing.TB) string {
	tb.Helper()
	return s.Server(tb).Schema(tb)
}

// Copy makes a copy of a filled database for the test, as Server.Copy does.
func (s *Shared) Copy(tb testing.TB, template string, fill func(ctx context.Context, dsn string) error) string {
	tb.Helper()
	return s.Server(tb).Copy(tb, template, fill)
}

// Reuse returns the address of a filled database, as Server.Reuse does.
func (s *Shared) Reuse(tb testing.TB, template string, fill func(ctx context.Context, dsn string) error) string {
	tb.Helper()
	return s.Server(tb).Reuse(tb, template, fill)
}

// Close stops the server if one was started.
func (s *Shared) Close() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}
