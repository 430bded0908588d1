package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// sessions stands before a server and lends its sessions: to a client that connects it
// gives one that another has left in order, wiped, and tells it the session's own process
// and key. So a client finds what it finds at the server, but for a session that is fresh.
// To start a process, and to read the catalogs into it, takes most of what a small test
// costs.
type sessions struct {
	server   *Server
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	left   *sync.Cond            // a session was left by its client, or wiped
	idle   map[string][]*session // by key
	wiping map[string]int        // by key
	busy   map[*session]bool
	closed bool
}

// session is one of the server's.
type session struct {
	*pgconn.HijackedConn

	database, key string
}

// maxIdle is how many sessions with the same parameters are kept.
const maxIdle = 8

func newSessions(s *Server) (*sessions, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &sessions{server: s, listener: l, idle: map[string][]*session{}, wiping: map[string]int{}, busy: map[*session]bool{}}
	k.left = sync.NewCond(&k.mu)
	k.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			k.running.Go(func() {
				defer func() { _ = client.Close() }()
				k.serve(client)
			})
		}
	})
	return k, nil
}

func (k *sessions) close() {
	_ = k.listener.Close()
	k.mu.Lock()
	k.closed = true
	for s := range k.busy {
		_ = s.Conn.Close()
	}
	for _, list := range k.idle {
		for _, s := range list {
			_ = s.Conn.Close()
		}
	}
	k.idle = nil
	k.mu.Unlock()
	k.running.Wait()
}

// farewell is how long the last words of clients that are gone may take to arrive.
const farewell = 5 * time.Second

// cut ends the sessions of a database that clients still have.
func (k *sessions) cut(database string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	late := false
	timer := time.AfterFunc(farewell, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		late = true
		k.left.Broadcast()
	})
	defer timer.Stop()
	for k.used(database) && !late {
		k.left.Wait()
	}
	for s := range k.busy {
		if s.database == database {
			_ = s.Conn.Close()
		}
	}
}

// used reports whether a client has a session of the database. The caller holds mu.
func (k *sessions) used(database string) bool {
	for s := range k.busy {
		if s.database == database {
			return true
		}
	}
	return false
}

// serve carries what one client says to a session, and back. Its account and password are
// not looked at.
func (k *sessions) serve(client net.Conn) {
	first := pgproto3.NewBackend(client, client)
	m, err := first.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if cancel, ok := m.(*pgproto3.CancelRequest); ok {
		k.cancel(cancel)
		return
	}
	start, ok := m.(*pgproto3.StartupMessage)
	if !ok {
		return
	}
	s, err := k.take(start.Parameters)
	if err != nil {
		e := &pgproto3.ErrorResponse{Severity: "FATAL", Code: "08006", Message: err.Error()}
		if said, ok := errors.AsType[*pgconn.PgError](err); ok {
			e.Code, e.Message = said.Code, said.Message
		}
		first.Send(e)
		_ = first.Flush()
		return
	}
	first.Send(&pgproto3.AuthenticationOk{})
	for name, value := range s.ParameterStatuses {
		first.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	first.Send(&pgproto3.BackendKeyData{ProcessID: s.PID, SecretKey: s.SecretKey})
	first.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	inOrder := first.Flush() == nil && carry(client, s.Conn)
	k.leave(s, inOrder)
}

// terminate is the message by which a client takes leave. It waits for no answer then, so
// that the message comes alone.
var terminate = []byte{'X', 0, 0, 0, 4}

// carry carries bytes both ways until one end is gone. It reports whether the client took
// leave in order, so that the session has nothing more to say to it.
func carry(client, server net.Conn) (leave bool) {
	back := make(chan struct{})
	go func() {
		defer close(back)
		copyTo(client, server, nil)
		_ = client.Close()
	}()
	leave = copyTo(server, client, terminate)
	// What the other direction waits for ends at once.
	_ = server.SetReadDeadline(time.Unix(1, 0))
	<-back
	_ = server.SetReadDeadline(time.Time{})
	return leave
}

// copyTo copies until an end is gone, or until what was read is last.
func copyTo(to, from net.Conn, last []byte) (ended bool) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && last != nil && bytes.Equal(b[:n], last) {
			return true
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return false
			}
		}
		if err != nil {
			return false
		}
	}
}

// take returns a session with a client's parameters.
func (k *sessions) take(parameters map[string]string) (*session, error) {
	parameters = maps.Clone(parameters)
	delete(parameters, "user")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		fmt.Fprintf(&b, "%q=%q ", name, parameters[name])
	}
	key := b.String()
	k.mu.Lock()
	for len(k.idle[key]) == 0 && k.wiping[key] > 0 {
		k.left.Wait() // which is soon
	}
	if list := k.idle[key]; len(list) > 0 {
		s := list[len(list)-1]
		if k.idle[key] = list[:len(list)-1]; len(list) == 1 {
			delete(k.idle, key)
		}
		k.busy[s] = true
		k.mu.Unlock()
		return s, nil
	}
	k.mu.Unlock()
	database := parameters["database"]
	delete(parameters, "database")
	c, err := pgconn.ParseConfig(k.server.DSN(database))
	if err != nil {
		return nil, err
	}
	c.RuntimeParams = parameters
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	h, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	s := &session{HijackedConn: h, database: database, key: key}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy[s] = true; k.closed {
		_ = s.Conn.Close()
	}
	return s, nil
}

// leave takes a session back from its client and keeps it for the next one, if it can be
// wiped.
func (k *sessions) leave(s *session, inOrder bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.left.Broadcast()
	delete(k.busy, s)
	if inOrder && !k.closed && len(k.idle[s.key]) < maxIdle {
		k.wiping[s.key]++
		k.mu.Unlock()
		wiped := s.wipe()
		k.mu.Lock()
		k.wiping[s.key]--
		if wiped && !k.closed {
			k.idle[s.key] = append(k.idle[s.key], s)
			return
		}
	}
	_ = s.Conn.Close()
}

// wipe makes a session as it was when it began, and reports whether it could. It cannot where
// a transaction is left open.
func (s *session) wipe() bool {
	_ = s.Conn.SetDeadline(time.Now().Add(patience))
	defer func() { _ = s.Conn.SetDeadline(time.Time{}) }()
	s.Frontend.Send(&pgproto3.Query{String: "DISCARD ALL"})
	if s.Frontend.Flush() != nil {
		return false
	}
	for {
		m, err := s.Frontend.Receive()
		if err != nil {
			return false
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			return false
		case *pgproto3.ReadyForQuery:
			return m.TxStatus == 'I'
		}
	}
}

// cancel carries the wish to cancel a statement to the server.
func (k *sessions) cancel(m *pgproto3.CancelRequest) {
	text, err := m.Encode(nil)
	if err != nil {
		return
	}
	server, err := new(net.Dialer).Dial("tcp", k.server.Address())
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if _, err := server.Write(text); err == nil {
		_, _ = server.Read(make([]byte, 1)) // it closes when it has carried it out
	}
}
