package source

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pombo"
)

// simple is a mapping that nothing is wrong with.
func simple() Mapping {
	return Mapping{
		Table: "NOTIFICACAO", RowKey: "ID", Phone: "NR_TELEFONE", Status: "CD_STATUS", Pending: "1",
		Params: []Param{{pombo.Body, "NM_CONTATO"}, {pombo.Body, "DS_MENSAGEM"}},
	}
}

func TestParseName(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Name
	}{
		{"CD_STATUS", Name{Text: "CD_STATUS"}},
		{" Nr_Fone$1# ", Name{Text: "Nr_Fone$1#"}},
		{"situação", Name{Text: "situação"}},
		{`"Nº do pedido"`, Name{Text: "Nº do pedido", Exact: true}},
		{`"a;b--"`, Name{Text: "a;b--", Exact: true}},
		{strings.Repeat("x", 128), Name{Text: strings.Repeat("x", 128)}},
	} {
		if got, err := parseName(c.in); err != nil || got != c.want {
			t.Errorf("parseName(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", " ", `""`, "1A", "A B", "A;B", "A--", "A.B", "A,B", "A(B)", "A'B", `A"B`, `"A`, `"A"B"`, `"A""B"`, `"A" "B"`, "A\x00B", "\"A\nB\"",
		"\"\xff\"", "$A", "?1", "[A]", "`A`", strings.Repeat("x", 129), "A\u202e",
	} {
		if got, err := parseName(in); err == nil {
			t.Errorf("parseName(%q) = %+v, want an error", in, got)
		}
	}
}

func TestParseTable(t *testing.T) {
	for in, want := range map[string]string{"T": "T", "ERP.T": "ERP|T", `ERP."Meu T"`: "ERP|Meu T", `"E.R"."T"`: "E.R|T"} {
		parts, err := parseTable(in)
		if err != nil {
			t.Errorf("parseTable(%q): %v", in, err)
		}
		var got []string
		for _, p := range parts {
			got = append(got, p.Text)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("parseTable(%q) = %q, want %s", in, got, want)
		}
	}
	for _, in := range []string{"", "A.", ".A", "A.B.C", "A@LINK", "A B", `"A"."`} {
		if got, err := parseTable(in); err == nil {
			t.Errorf("parseTable(%q) = %v, want an error", in, got)
		}
	}
}

// Whatever the settings hold, what gets into the text is one quoted name.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{"A", `"A b"`, `A"; DROP TABLE T; --`, `"a""b"`, "é", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseName(s)
		if err != nil {
			return
		}
		if q := Quote(n.Text); strings.Count(q, `"`) != 2 || strings.ContainsAny(q, "\x00\n\r") || len(n.Text) == 0 {
			t.Errorf("parseName(%q) lets %s through", s, q)
		}
		if !n.Exact && strings.ContainsAny(n.Text, " ;'-.,()[]`*/=?:@") {
			t.Errorf("parseName(%q) lets %q through without quotes", s, n.Text)
		}
	})
}

// A mapping reports all its problems at once.
func TestMapping_ReportsAllProblemsAtOnce(t *testing.T) {
	m := Mapping{Table: "T;", RowKey: "", Phone: "FONE", Status: "ST", Params: []Param{{pombo.Body, "A B"}}, SentAt: "1"}
	_, err := ParseMapping(m)
	for _, want := range []string{"DB_TABLE", "DB_COL_ID", "DB_COL_PARAMS", "DB_COL_SENT_AT", "STATUS_PENDING"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("error = %v, want it to say %s", err, want)
		}
	}
	if e, ok := errors.AsType[*TableError](err); !ok || !e.Permanent {
		t.Errorf("error = %v, want a permanent *TableError", err)
	}
	if strings.Contains(err.Error(), "DB_COL_PHONE") {
		t.Errorf("error = %v, want nothing about the phone", err)
	}
}

// A written column that is read as something else would be overwritten.
func TestMapping_RefusesOverlaps(t *testing.T) {
	for what, mod := range map[string]func(*Mapping){
		"the status is the key":       func(m *Mapping) { m.Status = "id" },
		"the error is a text":         func(m *Mapping) { m.Error = `"ds_mensagem"` },
		"two written are one":         func(m *Mapping) { m.SentAt, m.MessageID = "X", "x" },
		"the message id is the phone": func(m *Mapping) { m.MessageID = "NR_TELEFONE" },
	} {
		m := simple()
		mod(&m)
		if _, err := ParseMapping(m); err == nil || !strings.Contains(err.Error(), "overwritten") {
			t.Errorf("%s: error = %v, want one about overwriting", what, err)
		}
	}
	m := simple()
	m.Params = append(m.Params, Param{pombo.HeaderText, "NM_CONTATO"}, Param{pombo.Body, "NR_TELEFONE"})
	if _, err := ParseMapping(m); err != nil {
		t.Errorf("a column read twice: %v", err)
	}
}

func TestSameCode(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1", "1", true}, {"1", "1.0", true}, {"1 ", "1", true}, {"01", "1", true}, {"P", "P  ", true},
		{"1", "2", false}, {"P", "p", false}, {"", "0", false}, {"", "", true}, {"1", " 1", false},
	} {
		if got := SameCode(c.a, c.b); got != c.want {
			t.Errorf("sameCode(%q, %q) = %t, want %t", c.a, c.b, got, c.want)
		}
	}
}

func TestParseTime(t *testing.T) {
	zone := time.FixedZone("", -3*60*60)
	local := time.Date(2026, 11, 23, 10, 5, 0, 0, zone)
	for in, want := range map[string]time.Time{
		"":                              {},
		"  ":                            {},
		"2026-11-23 10:05:00":           local,
		"2026-11-23T10:05:00":           local,
		"2026-11-23T10:05":              local,
		"2026-11-23 10:05:00.000":       local,
		"2026-11-23T13:05:00Z":          local,
		"2026-11-23t13:05:00.5Z":        local.Add(time.Second / 2),
		"2026-11-23T10:05:00-03:00":     local,
		"2026-11-23T10:05:00-0300":      local,
		"2026-11-23 10:05:00 -03:00":    local,
		"2026-11-23 10:05:00 -0300 -03": local,
		"2026-11-23 13:05:00 +0000 UTC": local,
		"2026-11-23":                    time.Date(2026, 11, 23, 0, 0, 0, 0, zone),
		"1795439100":                    time.Unix(1795439100, 0),
		"1795439100.0":                  time.Unix(1795439100, 0),
	} {
		got, err := parseTime(in, zone)
		if err != nil || !got.Equal(want) {
			t.Errorf("parseTime(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"amanhã", "23/11/2026", "20261123", "1795439100000", "2026-02-30", "2026-11-23 25:00", "10:00", "NaN", "Inf", "0"} {
		if got, err := parseTime(in, zone); err == nil {
			t.Errorf("parseTime(%q) = %v, want an error", in, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-11-23 10:00:00", "1795439100", "x", "2026-11-23T"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTime(s, time.UTC)
		if err != nil && !got.IsZero() {
			t.Errorf("parseTime(%q) = %v with the error %v", s, got, err)
		}
		if err == nil && strings.TrimSpace(s) != "" && got.IsZero() && !strings.HasPrefix(strings.TrimSpace(s), "0001-01-01") {
			t.Errorf("parseTime(%q) is the zero time, which means at once", s)
		}
	})
}

func TestPriority(t *testing.T) {
	for in, want := range map[string]int{"": 0, "0": 0, "5": 5, " 9 ": 9, "10": 9, "1e300": 9, "-1": 0, "3.9": 3, "alta": 0, "NaN": 0, "+Inf": 9} {
		if got := priority(in); got != want {
			t.Errorf("priority(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestKeys_RoundTrip(t *testing.T) {
	for in, want := range map[string]bool{"0": true, "-5": true, "9223372036854775807": true, "007": false, "+1": false, "1.0": false, "": false, "-0": false, "9223372036854775808": false} {
		if _, ok := ParseWholeKey(in); ok != want {
			t.Errorf("wholeKey(%q) = %t, want %t", in, ok, want)
		}
	}
	const id = "0a1b2c3d-0000-4000-8000-00000000abcd"
	b, ok := ParseUUIDKey(id)
	if !ok || FormatUUID(b) != id {
		t.Errorf("uuidKey(%q) = %x, %t", id, b, ok)
	}
	for _, in := range []string{strings.ToUpper(id), "fwd:" + id, id + "0", ""} {
		if _, ok := ParseUUIDKey(in); ok {
			t.Errorf("uuidKey(%q) is taken", in)
		}
	}
}
