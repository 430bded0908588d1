package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestEnvFile_Quotes has one line of a .env each, and what becomes of the password.
func TestEnvFile_Quotes(t *testing.T) {
	for _, c := range []struct {
		line string
		want string // the password, or
		says string // what is said instead
	}{
		{line: `DB_PASSWORD=simple`, want: `simple`},
		{line: `export DB_PASSWORD=simple`, want: `simple`},
		{line: "  DB_PASSWORD = simple \t", want: `simple`},
		{line: `DB_PASSWORD: simple`, want: `simple`},
		{line: `DB_PASSWORD=with#inside`, want: `with#inside`},
		{line: `DB_PASSWORD=#first`, want: `#first`},
		{line: `DB_PASSWORD=a=b:c`, want: `a=b:c`},
		{line: `DB_PASSWORD=two words`, want: `two words`},
		{line: `DB_PASSWORD=it's`, want: `it's`},
		{line: `DB_PASSWORD=senhaçã`, want: `senhaçã`},
		{line: `DB_PASSWORD=back\slash`, want: `back\slash`},
		{line: `DB_PASSWORD=pa$$word`, want: `pa$$word`},
		{line: `DB_PASSWORD='pa$WORD \ #1'`, want: `pa$WORD \ #1`},
		{line: `DB_PASSWORD='pa"ss' # comment`, want: `pa"ss`},
		{line: `DB_PASSWORD="it's"`, want: `it's`},
		{line: `DB_PASSWORD=" blanks "`, want: ` blanks `},
		{line: `DB_PASSWORD=pa$$WORD`, says: "single quotes"},
		{line: `DB_PASSWORD=pa$WORD`, says: "single quotes"},
		{line: `DB_PASSWORD=pa${WORD}x`, says: "single quotes"},
		{line: `DB_PASSWORD=pa\$x`, says: "single quotes"},
		{line: `DB_PASSWORD=abc #1`, says: "counts as a comment"},
		{line: "DB_PASSWORD=abc\t#1", says: "counts as a comment"},
		{line: `DB_PASSWORD="pa$WORD"`, says: "single quotes"},
		{line: `DB_PASSWORD="back\slash"`, says: "single quotes"},
		{line: `DB_PASSWORD="a\"b"`, says: "single quotes"},
		{line: `DB_PASSWORD="a\""`, says: "single quotes"},
		{line: `DB_PASSWORD='a\\b'`, says: "without quotes"},
		{line: `DB_PASSWORD='a\'b'`, says: "without quotes"},
		{line: `DB_PASSWORD='it's'`, says: "behind the closing quote"},
		{line: `DB_PASSWORD='a'b`, says: "behind the closing quote"},
		{line: `DB_PASSWORD='abc`, says: "never closed"},
		{line: `DB_PASSWORD='abc\'`, says: "never closed"},
		{line: "DB_PASSWORD='abc\ndef'", says: "several lines"},
		{line: "DB_PASSWORD=senha\xe7\xe3", says: "UTF-8"},
		{line: "DB_PASSWORD=simple\nthe rest of a key", says: "NAME=value"},
		{line: "DB_PASSWORD=simple\n=x", says: "NAME=value"},
		{line: "DB_PASSWORD=simple\nset KEY=x", says: "NAME=value"},
		{line: "DB_PASSWORD=simple\nK-Y=x", says: "NAME=value"},
		// What belongs to others may be as odd as it likes.
		{line: "DB_PASSWORD=simple\nPEM=\"-----BEGIN\nabc\n\"\nHOME2=$HOME/x # y # z\nX='\\\\x'\n# Configura\xe7\xe3o", want: "simple"},
	} {
		t.Run(c.line, func(t *testing.T) {
			for _, end := range []string{"\n", "\r\n"} {
				content := strings.ReplaceAll("\ufeff# first\n\n"+c.line+"\n", "\n", end)
				cfg, warnings, err := Load(write(t, ".env", content), []string{"DB_DSN=db:1521/X", "DB_USER=u"}, NeedSource)
				if c.says == "" {
					if err != nil || len(warnings) > 0 {
						t.Fatalf("err = %v, warnings = %v", err, warnings)
					}
					if got := cfg.Source.Password.Reveal(); got != c.want {
						t.Errorf("password = %q, want %q", got, c.want)
					}
					continue
				}
				// A line that is nothing leaves the password unset as well.
				ps := problems(t, err)
				first := ps[0]
				if !strings.Contains(first.Message+" → "+first.Hint, c.says) {
					t.Errorf("problem = %v, want %q in it", err, c.says)
				}
				wantLine := " line 3"
				if strings.Contains(c.says, "NAME=value") {
					wantLine = " line 4"
				}
				if !strings.HasSuffix(first.Where, wantLine) {
					t.Errorf("where = %q, want %q", first.Where, wantLine)
				}
			}
		})
	}
}

func TestEnvFile_Refuses(t *testing.T) {
	for _, c := range []struct{ content, says string }{
		{"\xff\xfeK\x00E\x00", "UTF-16"},
		{"\xfe\xff\x00K\x00E", "UTF-16"},
		{"K\x00E\x00", "not a text file"},
		{strings.Repeat("#\n", maxFile), "too long"},
	} {
		_, _, err := Load(write(t, ".env", c.content), good(), NeedAll)
		if ps := problems(t, err); len(ps) != 1 || !strings.Contains(ps[0].Message, c.says) {
			t.Errorf("%.10q: err = %v, want %q", c.content, err, c.says)
		}
	}
}

// TestEnvFile_CountsLinesWithinValues: values over several lines, even of others, do not put the
// count out.
func TestEnvFile_CountsLinesWithinValues(t *testing.T) {
	_, _, err := Load(write(t, ".env", "PEM='\n-----\n'\n\nWORKERS=x\n"), nil, NeedDispatch)
	if ps := problems(t, err); len(ps) != 1 || !strings.HasSuffix(ps[0].Where, " line 5") {
		t.Errorf("err = %v, want line 5", err)
	}
}

func TestEnvFile_WarnsOfANameSetTwice(t *testing.T) {
	c, warnings, err := Load(write(t, ".env", "WORKERS=1\n\nWORKERS=2\n"), nil, NeedDispatch)
	if err != nil || c.Dispatch.Workers != 2 {
		t.Errorf("err = %v, workers = %d, want 2", err, c.Dispatch.Workers)
	}
	if got := fmt.Sprint(warnings); !strings.Contains(got, "line 3) is set on line 1 already") {
		t.Errorf("warnings = %s", got)
	}
}

// FuzzEnvFile puts a secret into the middle of any file whatsoever. Nothing
// panics, and whatever is said or printed never contains the secret. What is
// taken as the password is what is written.
func FuzzEnvFile(f *testing.F) {
	f.Add("KEYBLIP=x y\n", "\nWORKERS=many")
	f.Add("WORKERS='\n", "\n'")
	f.Add("WORKERS=\"", "\"")
	f.Add("A=$B\nexport C='d'\n# comment", "\nE: f # g\n\xff\xfe")
	f.Add("BLIP_", "'''\\'\"${X}$(Y)")
	f.Add("\xef\xbb\xbf\r\r\n\v\f\u00a0=\u0085", "DB_DSN=u/p@x")
	f.Add("DB_TABLE=\"", "\"\nDB_URL=oracle://u:p#@h")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "q7Hidden7q"
		text, p := decode([]byte(before + "\nDB_PASSWORD='" + secret + "'\n" + after))
		if p != nil {
			return
		}
		l := loader{need: NeedAll, file: ".env", given: map[string]given{}}
		l.take(text)
		c := l.fill()
		l.checkTogether(&c)
		var b strings.Builder
		if err := c.Print(&b); err != nil {
			t.Fatal(err)
		}
		said := b.String() + fmt.Sprint((&Error{l.problems}).Error(), l.warnings) + fmt.Sprintf("%+v", c)
		if strings.Contains(said, secret) {
			t.Errorf("the secret is shown: %s", said)
		}
		for name, g := range l.given {
			if g.problem == nil && !strings.Contains(text, g.text) {
				t.Errorf("%s = %q is not what is written in %q", name, g.text, text)
			}
		}
	})
}
