package blip

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"pombo"
)

// BenchmarkSend posts to a server on the loopback device that answers 202 without
// looking: what is left is net/http and this package.
func BenchmarkSend(b *testing.B) {
	c := newClient(b, sink(b))
	m := message()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.Send(b.Context(), m); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkSend_NetHTTPAlone is the same with nothing but net/http, for comparison.
func BenchmarkSend_NetHTTPAlone(b *testing.B) {
	url := sink(b) + "/messages"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(client.CloseIdleConnections)
	body := golden(b, "message-body.request.json")
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Post(url, "application/json", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			_ = resp.Body.Close()
		}
	})
}

// BenchmarkIdentity is a command with its answer.
func BenchmarkIdentity(b *testing.B) {
	answer := golden(b, "account-get.success.json")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	b.Cleanup(s.Close)
	c := newClient(b, s.URL)
	n := number(b, testPhone)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, err := c.Identity(b.Context(), n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	c := newClient(b, "http://127.0.0.1:1")
	m := message()
	m.Params = append(m.Params, pombo.Param{Slot: "button0", Value: "track/1234"})
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = c.appendMessage(buf[:0], m)
	}
}

// sink takes messages and answers 202, with as little work as can be.
func sink(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					length := 0
					for {
						line, err := r.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) <= 2 {
							break
						}
						if rest, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
							for _, d := range bytes.TrimSpace(rest) {
								length = length*10 + int(d-'0')
							}
						}
					}
					if _, err := r.Discard(length); err != nil {
						return
					}
					write(c, taken)
				}
			})
		}
	})
	b.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return "http://" + l.Addr().String()
}
