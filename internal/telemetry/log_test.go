package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"go.uber.org/goleak"

	"pombo"
	"pombo/internal/phone"
	"pombo/test/nightly"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// textLog returns a logger in the text format and what it has written.
func textLog(t *testing.T) (*slog.Logger, *bytes.Buffer) {
	t.Helper()
	var b bytes.Buffer
	logger, closer, err := OpenLog(Options{Console: &b, Level: slog.LevelDebug})
	if err != nil {
		t.Fatalf("open log: %v", err)
	}
	t.Cleanup(func() { _ = closer.Close() })
	return logger, &b
}

func TestAppendText(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.Local)
	tests := []struct {
		name    string
		level   slog.Level
		message string
		attrs   []slog.Attr
		want    string
	}{
		{"plain", slog.LevelInfo, "message sent", nil, "INFO - message sent"},
		{"warning", slog.LevelWarn, "m", nil, "WARNING - m"},
		{"error", slog.LevelError, "m", nil, "ERROR - m"},
		{"debug", slog.LevelDebug, "m", nil, "DEBUG - m"},
		{"between", slog.LevelInfo + 2, "m", nil, "INFO - m"},
		{"fields", slog.LevelInfo, "m", []slog.Attr{slog.Int("n", 3), slog.String("row", "A 1"), slog.String("e", "")}, `INFO - m n=3 row="A 1" e=""`},
		{"quotes", slog.LevelInfo, `say "hi"`, []slog.Attr{slog.String("q", `a"b`), slog.String("p", "k=v")}, `INFO - say "hi" q="a\"b" p="k=v"`},
		{"line breaks", slog.LevelInfo, "a\nb\r\nc", []slog.Attr{slog.String("v", "x\ny")}, `INFO - a\nb\r\nc v="x\ny"`},
		{"other line breaks", slog.LevelInfo, "a\u2028b\u0085c\x1cd", nil, `INFO - a\u2028b\u0085c\x1cd`},
		{"terminal", slog.LevelInfo, "\x1b[31mred", nil, `INFO - \x1b[31mred`},
		{"not UTF-8", slog.LevelInfo, "a\xffb", nil, `INFO - a\xffb`},
		{"accents stay", slog.LevelInfo, "não enviada", []slog.Attr{slog.String("motivo", "número")}, "INFO - não enviada motivo=número"},
		{"group", slog.LevelInfo, "m", []slog.Attr{slog.Group("blip", slog.Int("code", 81), slog.Group("a", slog.Bool("b", true)))}, "INFO - m blip.code=81 blip.a.b=true"},
		{"key breaks line", slog.LevelInfo, "m", []slog.Attr{slog.Int("a\nb", 1)}, `INFO - m "a\nb"=1`},
		{"same key twice", slog.LevelInfo, "m", []slog.Attr{slog.Int("a", 1), slog.Int("b", 2), slog.Int("a", 3)}, "INFO - m b=2 a=3"},
		{"duration and time", slog.LevelInfo, "m", []slog.Attr{slog.Duration("d", 1500*time.Millisecond), slog.Time("t", at.UTC())}, "INFO - m d=1.5s t=" + at.UTC().Format(time.RFC3339Nano)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			logger, out := textLog(t)
			r := slog.NewRecord(at, tt.level, tt.message, 0)
			r.AddAttrs(tt.attrs...)
			if err := logger.Handler().Handle(t.Context(), r); err != nil {
				t.Fatalf("handle: %v", err)
			}
			if got, want := out.String(), "2026-11-23 10:00:00,123 - "+tt.want+"\n"; got != want {
				t.Errorf("line:\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func TestJobLogger_DropsLowerLevels(t *testing.T) {
	var b bytes.Buffer
	logger := JobLogger(&b, slog.LevelWarn)
	logger.Info("not this")
	logger.Warn("this")
	if got := b.String(); strings.Contains(got, "not this") || !strings.Contains(got, `"message":"this"`) {
		t.Errorf("log = %s, want only the warning", got)
	}
}

func TestJobLogger_WritesJSON(t *testing.T) {
	var b bytes.Buffer
	logger := JobLogger(&b, slog.LevelInfo).With("component", "job").WithGroup("run")
	logger.Warn("run \"over\"\n", "id", 7, "ok", true, "took", 1500*time.Millisecond, "rate", 0.5, "nan", nan(), "message", "x")
	logger.Info("second")

	lines := strings.SplitAfter(b.String(), "\n")
	if len(lines) != 3 || lines[2] != "" {
		t.Fatalf("log = %q, want two lines", b.String())
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatalf("line is not JSON: %v: %s", err, lines[0])
	}
	stamp, _ := got["timestamp"].(string)
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$`).MatchString(stamp) {
		t.Errorf("timestamp = %q, want RFC 3339 with milliseconds and zone", stamp)
	}
	delete(got, "timestamp")
	want := map[string]any{
		"level": "WARNING", "message": "run \"over\"\n", "component": "job",
		"run.id": 7.0, "run.ok": true, "run.took": "1.5s", "run.rate": 0.5, "run.nan": "NaN", "run.message": "x",
	}
	if !maps.Equal(got, want) {
		t.Errorf("record:\ngot  %v\nwant %v", got, want)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// A field that is called like a member of ours must not stand in the object a
// second time: Logstash and others refuse the line.
func TestJobLogger_ReservedNames(t *testing.T) {
	var b bytes.Buffer
	JobLogger(&b, slog.LevelInfo).Info("real", "message", "fake", "level", 9, "timestamp", "never")
	for _, member := range []string{`"message":"real"`, `"message_":"fake"`, `"level_":9`, `"timestamp_":"never"`} {
		if !strings.Contains(b.String(), member) {
			t.Errorf("line %s lacks %s", b.String(), member)
		}
	}
	for _, name := range []string{`"message":`, `"level":`, `"timestamp":`} {
		if n := strings.Count(b.String(), name); n != 1 {
			t.Errorf("line %s has %s %d times, want once", b.String(), name, n)
		}
	}
}

// The contract of slog.Handler, as slog's own suite states it.
func TestJobLogger_KeepsTheContractOfSlog(t *testing.T) {
	var b *bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		b = new(bytes.Buffer)
		return JobLogger(b, slog.LevelInfo).Handler()
	}, func(t *testing.T) map[string]any {
		var flat map[string]any
		if err := json.Unmarshal(b.Bytes(), &flat); err != nil {
			t.Fatalf("line is not JSON: %v: %s", err, b)
		}
		names := map[string]string{"timestamp": slog.TimeKey, "level": slog.LevelKey, "message": slog.MessageKey}
		nested := map[string]any{}
		for key, v := range flat {
			if name, ok := names[key]; ok {
				key = name
			}
			at := nested
			parts := strings.Split(key, ".")
			for _, p := range parts[:len(parts)-1] {
				if at[p] == nil {
					at[p] = map[string]any{}
				}
				at, _ = at[p].(map[string]any)
			}
			at[parts[len(parts)-1]] = v
		}
		return nested
	})
}

// person stands for a type whose author forgot that it would be logged.
type person struct {
	name  pombo.Private // fmt's %v would print this one in clear
	phone phone.Number
	Text  string
}

type grouped struct{ p person }

func (g grouped) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("person", g.p), slog.Any("name", g.p.name))
}

// nothing is a nil Stringer.
type nothing struct{ s string }

func (n *nothing) String() string { return n.s }

func TestPrivate_StaysPrivate(t *testing.T) {
	const planted, number = "Maria das Dores", "+5531988880042"
	n, err := phone.FromE164(number)
	if err != nil {
		t.Fatal(err)
	}
	p := person{name: planted, phone: n, Text: planted}
	values := map[string]any{
		"private":            pombo.Private(planted),
		"phone":              n,
		"struct":             p,
		"pointer":            &p,
		"slice":              []pombo.Private{planted},
		"slice of structs":   []person{p},
		"slice of any":       []any{p, n, pombo.Private(planted), []any{&p}},
		"map":                map[string]pombo.Private{"k": planted},
		"map keys":           map[pombo.Private]phone.Number{planted: n},
		"map of structs":     map[string]person{"k": p},
		"error":              fmt.Errorf("send %v to %v: %w", pombo.Private(planted), n, errors.New("no")),
		"joined error":       errors.Join(fmt.Errorf("%q", pombo.Private(planted)), fmt.Errorf("%x", n)),
		"group":              slog.GroupValue(slog.Any("a", p), slog.Any("b", n)),
		"slog value inside":  []slog.Value{slog.AnyValue(p), slog.GroupValue(slog.Any("p", p))},
		"slog attr inside":   map[string]slog.Attr{"k": slog.Any("p", p)},
		"log valuer":         grouped{p},
		"log valuers inside": []grouped{{p}},
		"bytes":              []byte(planted),
		"raw json":           json.RawMessage(`{"text":"` + planted + `"}`),
		"row":                pombo.Row{Recipient: number, Phone: n, Params: []pombo.Param{{Slot: pombo.Body, Value: planted}}},
		"notification":       &pombo.Notification{Recipient: number, Phone: n, Params: []pombo.Param{{Value: planted}}},
		"func":               func() string { return planted },
		"channel":            make(chan person),
		"nil stringer":       (*nothing)(nil),
	}
	for _, format := range []string{"text", "json"} {
		for name, v := range values {
			t.Run(format+"/"+name, func(t *testing.T) {
				var b bytes.Buffer
				logger, _, err := OpenLog(Options{Format: format, Console: &b})
				if err != nil {
					t.Fatal(err)
				}
				logger.Info("m", "v", v)
				logger.With("v", v).WithGroup("g").Info("m", slog.Group("h", slog.Any("v", v)))
				checkClean(t, b.String(), planted, number)
			})
		}
	}
}

func checkClean(t *testing.T, log, name, number string) {
	t.Helper()
	if n := strings.Count(log, "\n"); n != 2 {
		t.Errorf("log has %d lines, want 2: %s", n, log)
	}
	for _, secret := range []string{name, "Dores", number, number[1:], number[5:], fmt.Sprintf("%x", name)} {
		if strings.Contains(log, secret) {
			t.Errorf("log has %q in clear: %s", secret, log)
		}
	}
}

func TestSafeText(t *testing.T) {
	n := 7
	tests := []struct {
		v    any
		want string
	}{
		{pombo.Queued, "queued"},
		{&n, "7"},
		{(*int)(nil), "<nil>"},
		{[]int{1, 2}, "[1 2]"},
		{map[string]int{"b": 2, "a": 1}, "map[a:1 b:2]"},
		{[]byte("abc"), "[3 bytes]"},
		{[16]byte{}, "[16 bytes]"},
		{struct{ A int }{1}, "{struct { A int }}"},
		{errors.New("boom"), "boom"},
		{(*nothing)(nil), "!PANIC in *telemetry.nothing"},
		{[][][][][]int{{{{{1}}}}}, "[[[[{[]int}]]]]"},
		{make([]int, maxElements+1), "[" + strings.Repeat("0 ", maxElements) + "… 51 in all]"},
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02 03:04:05 +0000 UTC"},
	}
	for _, tt := range tests {
		if got := safeText(tt.v, 0); got != tt.want {
			t.Errorf("text of %T = %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestOpenLog_AppendsToTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "logs", "deeper", "notificacao.log")
	var console bytes.Buffer
	for range 2 { // the second opening must append
		logger, closer, err := OpenLog(Options{File: name, Console: &console})
		if err != nil {
			t.Fatalf("open log: %v", err)
		}
		logger.Info("hello", "a", 1)
		if err := closer.Close(); err != nil {
			t.Fatalf("close log: %v", err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(got), "INFO - hello a=1\n"); n != 2 {
		t.Errorf("file = %q, want two records", got)
	}
	if console.String() != string(got) {
		t.Errorf("console = %q, want what the file has", console.String())
	}
	if info, err := os.Stat(name); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		t.Errorf("file mode = %v, want nothing for others", info.Mode())
	}
}

func TestOpenLog_PutsAFullFileAside(t *testing.T) {
	dir := t.TempDir()
	written := nearlyFull(t, filepath.Join(dir, "a.log"))
	logger, closer, err := OpenLog(Options{File: filepath.Join(dir, "a.log")})
	if err != nil {
		t.Fatal(err)
	}
	megabyte := strings.Repeat("x", 1<<20)
	for range fileMegabytes + 1 - written {
		logger.Info(megabyte)
	}
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Errorf("folder has %d files after %d MB, want the file and what was put aside", len(files), fileMegabytes+1)
	}
}

// nearlyFull makes by day a log file that lacks two megabytes of what is rotated, and returns
// how many it has.
func nearlyFull(t *testing.T, name string) (megabytes int) {
	t.Helper()
	megabytes = nightly.Or(0, fileMegabytes-2)
	if megabytes > 0 {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, int64(megabytes)<<20); err != nil {
			t.Fatal(err)
		}
	}
	return megabytes
}

func TestOpenLog_Refuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"a folder", Options{File: dir}, "set LOG_FILE"},
		{"below a file", Options{File: filepath.Join(file, "x.log")}, "set LOG_FILE"},
		{"format", Options{Format: "xml"}, "use text or json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := OpenLog(tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

// brokenFile refuses writes while broken.
type brokenFile struct {
	broken bool
	bytes.Buffer
}

func (f *brokenFile) Write(p []byte) (int, error) {
	if f.broken {
		return 0, errors.New("no space left on device")
	}
	return f.Buffer.Write(p)
}

func TestOutput_SaysOnceThatTheDiskIsFull(t *testing.T) {
	file, console := &brokenFile{broken: true}, &bytes.Buffer{}
	logger := slog.New(&handler{out: &output{format: appendText, file: file, console: console}})
	logger.Info("one")
	logger.Info("two")
	if n := strings.Count(console.String(), "no space left"); n != 1 {
		t.Errorf("console says it %d times, want once: %s", n, console)
	}
	file.broken = false
	logger.Info("three")
	if !strings.Contains(file.String(), "three") {
		t.Errorf("file = %q, want the record after the disk had room again", file.String())
	}
	file.broken = true
	logger.Info("four")
	if n := strings.Count(console.String(), "no space left"); n != 2 {
		t.Errorf("console says it %d times, want a second time for the second outage", n)
	}
}

func TestOutput_KeepsLinesWhole(t *testing.T) {
	logger, out := textLog(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			child := logger.With("a", strings.Repeat("x", 100))
			for range 100 {
				child.Info("hello", "b", 1)
			}
		})
	}
	wg.Wait()
	whole := regexp.MustCompile(`^\S+ \S+ - INFO - hello a=x{100} b=1$`)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 800 {
		t.Errorf("lines = %d, want 800", len(lines))
	}
	for _, l := range lines {
		if !whole.MatchString(l) {
			t.Fatalf("torn line %q", l)
		}
	}
}

// Two loggers made from one must not write into each other's fields.
func TestWithAttrs_SiblingsShareNoFields(t *testing.T) {
	logger, out := textLog(t)
	parent := logger.With("a", 1, "b", 2, "c", 3)
	one, two := parent.With("x", "one"), parent.With("x", "two")
	one.Info("m")
	two.Info("m")
	if !strings.Contains(out.String(), "x=one") || !strings.Contains(out.String(), "x=two") {
		t.Errorf("log = %s, want one of each", out)
	}
}

func FuzzFormat_OneRecordIsOneLine(f *testing.F) {
	f.Add("message", "key", "value")
	f.Add("a\nb", "k\r", "\u2028\u2029\x85\v\f\x1b[0m\xff")
	f.Add("\u0085", "\u2028", "\u009b31m\U000e0001\u202e")
	f.Add(`\n`, `"`, "=")
	f.Fuzz(func(t *testing.T, message, key, value string) {
		for _, format := range []format{appendText, appendJSON} {
			line := format(nil, time.Unix(0, 0), slog.LevelInfo, message,
				[]field{{key, slog.StringValue(value)}, {"k", scalar(slog.AnyValue([]string{value}))}})
			text, ok := strings.CutSuffix(string(line), "\n")
			if !ok || strings.ContainsAny(text, "\n\r\v\f\x1c\x1d\x1e\x1b\x00") {
				t.Fatalf("record is not one line: %q", line)
			}
			// The separators beyond ASCII break lines for Python and others.
			if strings.ContainsAny(text, "\u0085\u2028\u2029") {
				t.Fatalf("record has a line separator: %q", line)
			}
		}
		line := appendJSON(nil, time.Unix(0, 0), slog.LevelInfo, message, []field{{key, slog.StringValue(value)}})
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
	})
}

func BenchmarkOpenLog_TextRecord(b *testing.B) {
	logger, _, err := OpenLog(Options{Console: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	n, err := phone.FromE164("+5531988880042")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		logger.LogAttrs(b.Context(), slog.LevelInfo, "message accepted", slog.String("id", "2ed6657d-e927-568b-95e1-2665a8aea6a2"),
			slog.String("row", "1234"), slog.Any("phone", n), slog.String("state", "accepted"), slog.Int("attempt", 1), slog.Int64("duration_ms", 12))
	}
}
