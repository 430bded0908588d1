package demo

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pombo/internal/phone"
)

// TestSampleRows_WhatTheySay: what the sample says of itself must be true, or the demo would
// wait for what never comes.
func TestSampleRows_WhatTheySay(t *testing.T) {
	scripted := scripts(zoo())
	for _, n := range []int{1, 5, 40, 2000, 10000} {
		rows := sampleRows(n)
		if len(rows) != n {
			t.Fatalf("rows = %d, want %d", len(rows), n)
		}
		seen := map[phone.Number]bool{}
		special := 0
		for _, r := range rows {
			number, err := phone.Parse(r.phone)
			if err != nil {
				if !r.fails {
					t.Errorf("%q is not a phone: %v", r.phone, err)
				}
				special++
				continue
			}
			// WhatsApp's pause of six seconds for one person would hold the demo up.
			if seen[number] {
				t.Errorf("%d rows: %q occurs twice", n, r.phone)
			}
			seen[number] = true
			digits := number.E164()
			if _, ok := scripted[digits[len(digits)-8:]]; ok {
				special++
			}
		}
		if n >= len(zoo()) && special != len(scripted)+1 {
			t.Errorf("%d rows: %d are scripted or no phone, want %d", n, special, len(scripted)+1)
		}
	}
}

// TestMeter_Lines: a pipe gets no more than two lines a second, and the last one
// in any case.
func TestMeter_Lines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := newMeter(&out, 100, 0)
		for i := range 101 {
			m.show(tally{pending: 100 - i, delivered: i})
			time.Sleep(20 * time.Millisecond)
		}
		m.close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) < 4 || len(lines) > 6 {
			t.Errorf("%d lines in two seconds, want about 5:\n%s", len(lines), &out)
		}
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "0 pending") {
			t.Errorf("the last line is %q, want the end", last)
		}
	})
}
