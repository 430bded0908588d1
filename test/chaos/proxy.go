//go:build unix

package main

import (
	"net"
	"sync"
	"sync/atomic"
)

// proxy stands between a process and a server, so that the harness can take the network
// between them away.
type proxy struct {
	addr, target string
	chunk        atomic.Pointer[func() (before bool)] // see watchChunk

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	gate     chan struct{} // closed = open
}

func startProxy(target string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{addr: l.Addr().String(), target: target, conns: map[net.Conn]bool{}, gate: make(chan struct{})}
	close(p.gate)
	p.serve(l)
	return p, nil
}

func (p *proxy) serve(l net.Listener) {
	p.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.join(c)
		}
	}()
}

func (p *proxy) join(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client, true) })
	both.Go(func() { p.copy(client, server, false) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

// copy copies bytes one way until one end closes, then closes both. What was read before the
// gate closed waits there and still arrives afterwards, as on a network that has only
// stalled, even if the sender is dead by then.
func (p *proxy) copy(to, from net.Conn, up bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.mu.Lock()
			gate := p.gate
			p.mu.Unlock()
			<-gate
			if act := p.chunk.Load(); act != nil && up && (*act)() {
				return // killed with these bytes still on their way
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// refuse closes the listener and every connection: new ones are refused.
func (p *proxy) refuse() {
	p.mu.Lock()
	p.listener.Close()
	p.mu.Unlock()
	p.cut()
}

// accept listens again.
func (p *proxy) accept() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve(l)
	return nil
}

// cut resets every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		c.Close()
	}
}

// stall holds everything back until flow.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

func (p *proxy) flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// watchChunk calls act once, when the process has sent n more chunks and before the last of
// them is passed on; act reports whether that one is lost.
func (p *proxy) watchChunk(n int, act func() (lost bool)) {
	left := new(atomic.Int64)
	left.Store(int64(n))
	f := func() bool {
		if left.Add(-1) != 0 {
			return false
		}
		return act()
	}
	p.chunk.Store(&f)
}

func (p *proxy) close() {
	p.flow()
	p.refuse()
}
