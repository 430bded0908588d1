package blipsim

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"pombo/test/nightly"
)

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func benchBody(path string, n int64) string {
	if path == "/commands" {
		return fmt.Sprintf(`{"id":%q,"to":"postmaster@wa.gw.msging.net","method":"get","uri":"lime://wa.gw.msging.net/accounts/+55319%08d"}`, messageID(int(n)), n)
	}
	return message(messageID(int(n)), fmt.Sprintf("5531%08d@wa.gw.msging.net", n))
}

// BenchmarkServeHTTP is the simulator alone: what a request costs beyond net/http.
func BenchmarkServeHTTP(b *testing.B) {
	for _, path := range []string{"/messages", "/commands"} {
		b.Run(path[1:], func(b *testing.B) {
			s, _ := newServer(b, Options{})
			bodies := make([]string, 1024)
			for i := range bodies {
				bodies[i] = benchBody(path, int64(i))
			}
			r := request(path, "")
			var body bytes.Reader
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				body.Reset([]byte(bodies[i%len(bodies)]))
				r.Body = io.NopCloser(&body)
				s.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkServeHTTP_Recorder includes httptest's recorder and a new id for each message.
func BenchmarkServeHTTP_Recorder(b *testing.B) {
	for _, path := range []string{"/messages", "/commands"} {
		b.Run(path[1:], func(b *testing.B) {
			s, _ := newServer(b, Options{})
			n := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				s.ServeHTTP(httptest.NewRecorder(), request(path, benchBody(path, n)))
			}
		})
	}
}

// BenchmarkServeHTTP_Loopback is a client and the simulator on one machine.
func BenchmarkServeHTTP_Loopback(b *testing.B) {
	for _, path := range []string{"/messages", "/commands"} {
		b.Run(path[1:], func(b *testing.B) {
			s, _ := newServer(b, Options{})
			server := httptest.NewServer(s)
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			var n atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, err := http.NewRequest(http.MethodPost, server.URL+path, bytes.NewReader([]byte(benchBody(path, n.Add(1)))))
					if err != nil {
						b.Fatal(err)
					}
					req.Header.Set("Authorization", "Key x")
					resp, err := client.Do(req)
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
}

// TestServer_MemoryPerMessage checks that a message costs little permanently.
func TestServer_MemoryPerMessage(t *testing.T) {
	n := nightly.Or(200_000, 50_000)
	s, _ := newServer(t, Options{KeepMessages: 100})
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	b := s.bots.of("Key x", "")
	for i := range n {
		e := envelope{ID: messageID(i), To: maria, Type: "application/json", Content: &content{}}
		s.take(&e, b, uint64(i), 0, start)
	}
	per := (heap() - before) / int64(n)
	t.Logf("%d bytes a message", per)
	if per > 80 {
		t.Errorf("%d bytes a message, want at most 80", per)
	}
	runtime.KeepAlive(s)
}
