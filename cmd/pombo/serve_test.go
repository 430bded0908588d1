package main

import "testing"

func TestSelfURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:5000":   "http://127.0.0.1:5000",
		"0.0.0.0:5000":     "http://127.0.0.1:5000",
		"[::]:5000":        "http://127.0.0.1:5000",
		"[::1]:5000":       "http://[::1]:5000",
		"192.168.1.9:8080": "http://192.168.1.9:8080",
	} {
		if got := selfURL(addr); got != want {
			t.Errorf("selfURL(%q) = %q, want %q", addr, got, want)
		}
	}
}
