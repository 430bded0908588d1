package api

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever is asked of whichever route, the answer is not a mistake of the server's,
// has the headers that every answer has, and a problem repeats nothing of what was
// asked.
func FuzzRequest(f *testing.F) {
	f.Add(uint8(3), "7", "limit=10", "", "wait=5")
	f.Add(uint8(8), "", "state=failed&phone=%2B5531988880042&q=4711&since=2026-11-23&cursor=zz", "", "")
	f.Add(uint8(9), "", "", `{"phone":"31988880042","params":["a"]}`, "respond-async")
	f.Add(uint8(11), "b735cecf-e584-51d7-8ff8-9e832a896ba6", "", "", "")
	f.Add(uint8(14), "", "", `{"until":"2030-01-01T00:00:00Z","detail":"x"}`, "wait=-1, wait=99999999999999999999")
	f.Add(uint8(200), "../..//%00", "%zz&&;=", "{\"until\":{}}", "wait=\"5\";q")
	w := newFixture(f)
	f.Fuzz(func(t *testing.T, nth uint8, id, query, body, prefer string) {
		const secret = "q7Hidden7q"
		table := w.server.table()
		rt := table[int(nth)%len(table)]
		parsePrefer([]string{prefer})
		if rt.waits {
			return // until its run ends
		}
		path := strings.NewReplacer("{$}", "", "{id}", url.PathEscape(id+secret)).Replace(rt.path)
		r := httptest.NewRequest(rt.method, "http://localhost"+path, strings.NewReader(body))
		r.URL.RawQuery = query + secret
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Prefer", prefer)
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		if rec.Code >= 500 {
			t.Errorf("%s %s?%s: status = %d", rt.method, path, query, rec.Code)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if rec.Code < 400 {
			return
		}
		var p Problem
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Status != rec.Code {
			t.Errorf("%s %s: %s (%v), want a problem", rt.method, path, rec.Body, err)
		}
		if strings.Contains(rec.Body.String(), secret) {
			t.Errorf("%s %s?%s: the problem repeats what was asked: %s", rt.method, path, query, rec.Body)
		}
	})
}
