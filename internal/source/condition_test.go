package source

import (
	"strings"
	"testing"
)

func TestParseCondition(t *testing.T) {
	for condition, want := range map[string]string{ // "" = taken
		"DT_CRIACAO > SYSDATE - 7":                        "",
		"NR_TIPO IN (1, 2) OR (X IS NULL AND Y <> 'a b')": "",
		"created > now() - interval '7 days'":             "",
		"\"tipo\" = 'd''água'\n and A||B LIKE 'x%'":       "",
		"status::text != 'x'":                             "",
		"A = 1) OR (B = 2":                                "closed that was not opened",
		"(A = 1":                                          "not closed",
		"A = 'x":                                          "a quote is not closed",
		"A = 1; DROP TABLE T":                             "';' cannot be part",
		"A = 1 -- all":                                    "a comment",
		"A = 1 /* all":                                    "a comment",
		"A = :1":                                          "':' cannot be part",
		"A = ?":                                           "'?' cannot be part",
		"A = q'[x]'":                                      "a quote follows a letter",
		`A = E'\''`:                                       "a quote follows a letter",
		`A = '\' OR B = '`:                                `has a \`,
		"A IN (SELECT ID FROM PACIENTE)":                  "SELECT cannot be part of a condition on the columns of the row; make a view",
		"A = 1 ORDER BY B":                                "ORDER cannot be part",
		"A = 1 union all":                                 "UNION cannot be part",
		"A = `x`":                                         "'`' cannot be part",
		"A = 1\x00":                                       "control characters",
	} {
		m := simple()
		m.Where = condition
		_, err := ParseMapping(m)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", condition, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "; set DB_WHERE")):
			t.Errorf("%s: error = %v, want it to say %q and to set DB_WHERE", condition, err, want)
		}
	}
}

// A condition that is accepted is closed, and is one text on one line.
func FuzzParseCondition(f *testing.F) {
	f.Add("A = 'x' AND (B > 1)")
	f.Add("'a'' (' = \"b)\"")
	f.Fuzz(func(t *testing.T, s string) {
		taken, err := parseCondition(s)
		if err != nil {
			return
		}
		again, err := parseCondition("(" + taken + ")")
		if err != nil || again != "("+taken+")" || strings.ContainsAny(taken, ";\n\\") && !strings.ContainsAny(taken, `'"`) {
			t.Errorf("%q was taken as %q, and in brackets as %q, %v", s, taken, again, err)
		}
	})
}
