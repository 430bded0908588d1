package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pombo/internal/blipsim"
	"pombo/test/postgrestest"
)

// TestOutput_HasNoSecret plants the key, the token and the passwords, has every
// command meet every kind of trouble with them, asks every address with and without
// the token, and looks for them, in every spelling, in all that comes out.
func TestOutput_HasNoSecret(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	const (
		password = `S3nh@-d/o:"banco"#1`
		bot      = "botdaempresa:chave-muito-secreta"
		token    = "token-da-api/Zq9+x=="
		raw      = "Segredo@Planted99" // with an @ that nobody has encoded, and nothing else
	)
	key := base64.StdEncoding.EncodeToString([]byte(bot))
	escaped := url.UserPassword("pombo", password).String() // user:password of a URL

	sim := blipsim.New(blipsim.Options{Key: key})
	t.Cleanup(sim.Close)
	well := httptest.NewServer(sim)
	t.Cleanup(well.Close)
	// It refuses the key, and repeats it in whatever it can.
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := r.Header.Get("Authorization")
		w.Header().Set("WWW-Authenticate", said)
		w.Header().Set("X-Reason", said)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"code":13,"description":%q,"reason":{"code":13,"description":%q}}`, "bad "+said, "bad "+said)
	}))
	t.Cleanup(echo.Close)
	// It sends the caller elsewhere, with the key in the address.
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://x:"+url.QueryEscape(r.Header.Get("Authorization"))+"@127.0.0.1:1/"+url.PathEscape(r.Header.Get("Authorization")), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(elsewhere.Close)
	shut, err := unusedAddr()
	if err != nil {
		t.Fatal(err)
	}
	// Where there is no PostgreSQL, what it refuses is left out.
	var postgres postgrestest.Shared
	t.Cleanup(func() {
		if err := postgres.Close(); err != nil {
			t.Error(err)
		}
	})
	refuses := func(name string) func(*testing.T) []string {
		return func(t *testing.T) []string { // t is the subtest's: it is what is skipped
			server := postgres.Server(t)
			return []string{name + "=postgres://" + url.UserPassword(postgrestest.User, password).String() + "@" + server.Address() + "/postgres"}
		}
	}

	for _, test := range []struct {
		name string
		env  func(t *testing.T) []string
		file string // of settings
	}{
		{name: "all is well"},
		{name: "Blip repeats the key", env: env("BLIP_URL=" + echo.URL)},
		{name: "Blip is somewhere else", env: env("BLIP_URL=" + elsewhere.URL)},
		{name: "no Blip", env: env("BLIP_URL=http://" + shut)},
		{name: "a key that is none", env: env("KEYBLIP=Basic " + key + " " + key)},
		{name: "a key over two lines", env: env("KEYBLIP=Key " + key[:20] + "\n" + key)},
		{name: "a password in BLIP_URL", env: env("BLIP_URL=https://" + escaped + "@" + shut)},
		{name: "a password in API_URL", env: env("API_URL=http://" + escaped + "@" + shut)},
		{name: "no PostgreSQL", env: env("DB_URL=postgres://" + escaped + "@" + shut + "/erp")},
		{name: "no PostgreSQL, by DB_DSN", env: env("DB_URL=", "DB_DSN=postgres://"+shut+"/erp", "DB_USER=pombo", "DB_PASSWORD="+password)},
		{name: "no Oracle", env: env("DB_URL=oracle://" + escaped + "@" + shut + "/ERP")},
		{name: "no Oracle, the old way", env: env("DB_URL=", "DB_DSN="+shut+"/ERP", "DB_USER=pombo", "DB_PASSWORD="+password)},
		{name: "user and password in DB_DSN", env: env("DB_URL=", "DB_DSN=pombo/"+password+"@"+shut+"/ERP")},
		{name: "a password not escaped in DB_URL", env: env("DB_URL=postgres://pombo:" + password + "@" + shut + "/erp")},
		{name: "an @ not escaped in DB_URL", env: env("DB_URL=postgres://pombo:" + raw + "@" + shut + "/erp")},
		{name: "an @ not escaped for Oracle", env: env("DB_URL=oracle://pombo:" + raw + "@" + shut + "/ERP")},
		{name: "a password in the place of the user", env: env("DB_URL=postgresql://pombo@" + raw[:7] + ":" + raw[8:] + "@" + shut + "/erp")},
		{name: "an @ not escaped in LEDGER_URL", env: env("LEDGER_URL=postgres://pombo:" + raw + "@" + shut + "/pombo")},
		{name: "a password in the words of libpq", env: env("DB_URL=", "DB_DSN=host=127.0.0.1 password = "+raw[8:], "DB_USER=pombo", "DB_PASSWORD="+password)},
		{name: "another kind of database", env: env("DB_URL=mysql://" + escaped + "@" + shut + "/erp")},
		{name: "no ledger", env: env("LEDGER_URL=postgres://" + escaped + "@" + shut + "/pombo")},
		{name: "a password not escaped in LEDGER_URL", env: env("LEDGER_URL=postgres://pombo:" + password + "@" + shut + "/pombo")},
		{name: "another kind of ledger", env: env("LEDGER_URL=" + password)},
		{name: "a token that others could reach", env: env("API_ADDR=0.0.0.0:" + strconv.Itoa(1<<20))},
		{name: "a file that cannot be read as meant", file: "KEYBLIP=" + key + "\nDB_PASSWORD=" + password + " x\nAPI_TOKEN='" + token + "\n"},
		{name: "secrets under wrong names", file: "KEYBLIPP=" + key + "\nDB_PASSWRD='" + password + "'\nAPI_TOKENS=" + token + "\nWORKERS=many\n"},
		{name: "a secret's file that is not there", env: env("KEYBLIP=", "KEYBLIP_FILE=/none/"+"key")},
		{name: "PostgreSQL refuses the password of the table", env: refuses("DB_URL")},
		{name: "PostgreSQL refuses the password of the ledger", env: refuses("LEDGER_URL")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &secrets{t: t, words: spellings(password, key, bot, "Key "+key, token, raw)}
			folder := t.TempDir()
			table := filepath.Join(folder, "table.db")
			if err := makeTable(table, 3); err != nil {
				t.Fatal(err)
			}
			addr, err := unusedAddr()
			if err != nil {
				t.Fatal(err)
			}
			environ := []string{
				"KEYBLIP=" + key, "API_TOKEN=" + token, "BLIP_URL=" + well.URL, "TEMPLATE_NAME=notificacao", "BLIP_TIMEOUT=1s",
				"DB_URL=sqlite:" + table, "LEDGER_URL=sqlite:" + filepath.Join(folder, "ledger.db"),
				"LOG_FILE=" + filepath.Join(folder, "pombo.log"), "LOG_LEVEL=debug", "API_ADDR=" + addr, "DESK_ADDR=-", "API_URL=http://" + addr, "JOB_TIMEOUT=5s",
			}
			if test.env != nil {
				environ = append(environ, test.env(t)...)
			}
			var flags []string
			if test.file != "" {
				file := filepath.Join(folder, "settings.env")
				if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
				flags, environ = []string{"--env-file", file}, environ[2:]
			}
			s.commands(environ, flags, addr, token)
			if logged, err := os.ReadFile(filepath.Join(folder, "pombo.log")); err == nil {
				s.look("the log file", string(logged))
			}
			if s.looked < 10 {
				t.Errorf("only %d outputs were looked at", s.looked)
			}
		})
	}
}

// Everybody on the machine can read the arguments of a process, so none of them is
// a secret.
func TestFlags_TakeNoSecret(t *testing.T) {
	parser, err := newParser(&cli{}, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Leaves(false) {
		if command.Name == "simulator" { // its key opens a pretend Blip
			continue
		}
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				for _, word := range []string{"password", "token", "secret", "keyblip", "url", "dsn"} {
					if strings.Contains(flag.Name, word) {
						t.Errorf("pombo %s --%s puts a secret where ps shows it", command.Name, flag.Name)
					}
				}
			}
		}
	}
}

// env adds settings; the last one of a name counts.
func env(set ...string) func(*testing.T) []string {
	return func(*testing.T) []string { return set }
}

// secrets looks for what must not get out.
type secrets struct {
	t      *testing.T
	words  map[string]string // spelling → what it is
	looked int
}

// spellings returns the forms in which a secret could come out and be read back.
func spellings(list ...string) map[string]string {
	words := map[string]string{}
	for i, secret := range list {
		what := "secret " + strconv.Itoa(i+1)
		quoted := strconv.Quote(secret)
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("u", secret).String()[2:], quoted[1 : len(quoted)-1],
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
			fmt.Sprintf("%x", secret), secret[:len(secret)/2], secret[len(secret)/2:], // half of it is too much
		} {
			words[form] = what
		}
	}
	return words
}

func (s *secrets) look(where, out string) {
	s.t.Helper()
	s.looked++
	for word, what := range s.words {
		if at := strings.Index(out, word); at >= 0 {
			s.t.Errorf("%s tells %s as %q: …%s…", where, what, word, out[max(0, at-100):min(len(out), at+len(word)+40)])
		}
	}
}

// run runs a command for as long as ctx lasts and looks at what it says.
func (s *secrets) run(ctx context.Context, environ []string, args ...string) int {
	var stdout, stderr lockedBuffer
	code := run(ctx, args, environ, strings.NewReader(""), &stdout, &stderr)
	s.look("pombo "+strings.Join(args, " "), stdout.String()+stderr.String())
	return code
}

// commands runs all of them, beside a server if one can be started.
func (s *secrets) commands(environ, flags []string, addr, token string) {
	ctx, stop := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer stop()
	ended := make(chan int, 1)
	var said lockedBuffer
	go func() {
		ended <- run(ctx, append([]string{"serve"}, flags...), environ, strings.NewReader(""), &said, &said)
	}()
	up := waitFor(20*time.Second, func() (bool, error) {
		select {
		case code := <-ended:
			ended <- code
			return true, nil
		default:
		}
		if strings.Contains(said.String(), "the ledger's database is away") {
			return true, nil // it waits for it
		}
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil, err
	})
	if up != nil {
		s.t.Fatal(up)
	}
	for _, args := range [][]string{
		{"config"}, {"sql"}, {"doctor"}, {"doctor", "--json"}, {"templates"}, {"migrate"}, {"job", "--once"}, {"list"},
		{"send", "--no-wait", "31988880001", "Maria", "oi"}, {"retry", "2ed6657d-e927-568b-95e1-2665a8aea6a2"}, {"pause"}, {"resume"}, {"version"},
	} {
		limited, cancel := context.WithTimeout(ctx, 15*time.Second)
		s.run(limited, environ, append(args, flags...)...)
		cancel()
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/runs", "/api/v1/notifications", "/api/v1/pause", "/api/v1/templates", "/none"} {
		for _, authorization := range []string{"", "Bearer " + token, "Bearer wrong" + token, token} {
			s.ask("http://"+addr+path, authorization)
		}
	}
	stop()
	<-ended
	s.look("pombo serve", said.String())
}

// ask looks at the whole of an answer; nobody need be there.
func (s *secrets) ask(address, authorization string) {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.look(address, fmt.Sprint(response.Header)+string(body))
}
