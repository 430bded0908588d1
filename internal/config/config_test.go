package config

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pombo"
	"pombo/internal/words"
)

// goodKey has the form of a key; it opens nothing.
var goodKey = base64.StdEncoding.EncodeToString([]byte("examplebot:no-real-access-key"))

// good is the least that a whole configuration needs.
func good(more ...string) []string {
	return append([]string{"KEYBLIP=" + goodKey, "TEMPLATE_NAME=exam_ready", "DB_URL=sqlite:company.db"}, more...)
}

func problems(t *testing.T, err error) []Problem {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("err is a %T, want *Error", err)
	}
	if len(e.Problems) == 0 {
		t.Fatal("an *Error without problems")
	}
	for _, p := range e.Problems {
		if p.Message == "" || p.Hint == "" {
			t.Errorf("problem without words or fix: %+v", p)
		}
	}
	return e.Problems
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_Defaults(t *testing.T) {
	got, warnings, err := Load("", good(), NeedAll)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("err = %v, warnings = %v", err, warnings)
	}
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Blip: Blip{
			Key: pombo.Private(goodKey), URL: "https://http.msging.net", Template: "exam_ready", Language: "pt_BR",
			Timeout: 20 * time.Second, MessagesPerSecond: 45, CommandsPerSecond: 180,
		},
		Source: Source{
			Name: "notificacao", URL: "sqlite:company.db", Table: "NOTIFICACAO",
			ColID: "ID", ColPhone: "NR_TELEFONE", ColStatus: "CD_STATUS",
			Params: []Column{{pombo.Body, "NM_CONTATO"}, {pombo.Body, "DS_MENSAGEM"}},
			Zone:   zone, Pending: "1", Sent: "2", FallbackOn: []pombo.Reason{pombo.NotOnWhatsApp, pombo.Undeliverable},
		},
		Ledger:   Ledger{URL: "sqlite:data/pombo.db", Timeout: 15 * time.Second, Retention: 90 * 24 * time.Hour, ReconcileAt: 3*time.Hour + 30*time.Minute},
		API:      API{Addr: "127.0.0.1:5000", OptOutWords: []string{"SAIR", "PARAR", "STOP"}},
		Desk:     Desk{Addr: "127.0.0.1:5001", AuditRetention: 5 * 365 * 24 * time.Hour},
		Job:      Job{URL: "http://127.0.0.1:5000", Interval: 5 * time.Minute, Timeout: 10 * time.Minute},
		Dispatch: Dispatch{Workers: 64, Uncertain: "check", UncertainWait: 2 * time.Minute, ResendsBeforePause: 20, FailuresBeforePause: 20},
		Replies:  Replies{Within: 72 * time.Hour},
		Log:      Log{File: "logs/notificacao.log", Format: "text", Level: slog.LevelInfo},
		Traces:   Traces{Service: "pombo", Share: 1},
		Language: words.FromLocale(func(string) string { return "" }),
	}
	equal(t, got, want)
}

// TestLoad_EverythingSet: each variable reaches its own field.
func TestLoad_EverythingSet(t *testing.T) {
	got, warnings, err := Load("", []string{
		"KEYBLIP=" + goodKey, "BLIP_CONTRACT=mycompany", "TEMPLATE_NAME=t", "NAMESPACE=n", "TEMPLATE_LANGUAGE=en_US",
		"BLIP_TIMEOUT=1s", "BLIP_MESSAGES_PER_SECOND=2.5", "BLIP_COMMANDS_PER_SECOND=3",
		"BLIP_MASTER_STATE=m", "BLIP_FLOW_ID=f", "BLIP_STATE_ID=s",
		"DB_DSN=db:1521/X", "DB_USER=u", "DB_PASSWORD=p", "DB_TABLE=ERP.T",
		"DB_COL_ID=C1", "DB_COL_PHONE=C2", "DB_COL_STATUS=C3", "DB_COL_PARAMS=header:C4", "DB_COL_TEMPLATE=C5", "DB_COL_PRIORITY=C6",
		"DB_COL_SEND_AFTER=C7", "DB_COL_EXPIRES=C8", "DB_COL_MESSAGE_ID=C9", "DB_COL_SENT_AT=C10", "DB_COL_ERROR=C11",
		"DB_COL_REMINDS=C12", "DB_COL_REPLY=C13", "DB_COL_REPLY_AT=C14",
		"REPLY_CODES=Sim: f , Não às 10:30:g,", "REPLY_WITHIN=10m", "REPLY_KEEP=last", "REPLY_PAYLOAD=on",
		"DB_WHERE=X > 1", "DB_TIMEZONE=UTC", "STATUS_PENDING=a", "STATUS_SENT=b", "STATUS_FAILED=c", "STATUS_DELIVERED=d", "STATUS_READ=e",
		"LEDGER_URL=postgres://l", "LEDGER_TIMEOUT=9s", "RETENTION=30d", "RECONCILE_AT=-", "API_ADDR=127.0.0.1:1", "API_TOKEN=0123456789abcdef", "API_URL=http://127.0.0.1:1",
		"EVENTS_URL=http://localhost:9/e?a=b", "EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw  whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"WEBHOOK_SECRET=fedcba9876543210", "OPT_OUT_WORDS=NO MORE , CANCELAR,",
		"JOB_INTERVAL=4s", "JOB_TIMEOUT=5s", "WORKERS=6", "POLL_INTERVAL=7s", "UNCERTAIN=resend", "UNCERTAIN_WAIT=8s",
		"UNCERTAIN_TEMPLATES=otp:hold, Aviso : CHECK", "FAILURES_BEFORE_PAUSE=11", "RESENDS_BEFORE_PAUSE=9", "QUIET_HOURS=21:00-08:00,12:00-13:30", "QUIET_DAYS=sab,sun", "QUIET_EXEMPT=otp, aviso",
		"HOLIDAYS_FILE=testdata/holidays.txt",
		"DESK_ADDR=0.0.0.0:2", "DESK_HOSTS=a, b", "DESK_TLS_CERT=c.pem", "DESK_TLS_KEY=k.pem", "DESK_PROXY_FROM=10.0.0.5, 10.1.2.3/16", "DESK_PROXY_HEADER=X-User", "DESK_PLAIN_HTTP=Yes", "DESK_NAME=Body2",
		"AUDIT_KEY=0123456789abcdef0123456789abcdef", "AUDIT_RETENTION=200d",
		"LOG_FILE=x.log", "LOG_FORMAT=json", "LOG_LEVEL=error", "LANGUAGE=pt-BR",
		"OTEL_EXPORTER_OTLP_ENDPOINT=https://otel", "OTEL_EXPORTER_OTLP_HEADERS=h=v", "OTEL_SERVICE_NAME=pombo-2", "OTEL_TRACES_SAMPLER_ARG=0.5",
	}, NeedAll)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("err = %v, warnings = %v", err, warnings)
	}
	equal(t, got, Config{
		Blip: Blip{
			Key: pombo.Private(goodKey), URL: "https://mycompany.http.msging.net", Template: "t", Namespace: "n", Language: "en_US",
			Timeout: time.Second, MessagesPerSecond: 2.5, CommandsPerSecond: 3, MasterState: "m", FlowID: "f", StateID: "s",
		},
		Source: Source{
			Name: "t", DSN: "db:1521/X", User: "u", Password: "p", Table: "ERP.T",
			ColID: "C1", ColPhone: "C2", ColStatus: "C3", Params: []Column{{pombo.HeaderText, "C4"}}, ColTemplate: "C5", ColPriority: "C6",
			ColSendAfter: "C7", ColExpires: "C8", ColMessageID: "C9", ColSentAt: "C10", ColError: "C11",
			ColReminds: "C12", ColReply: "C13", ColReplyAt: "C14", ReplyCodes: []ReplyCode{{"Sim", "f"}, {"Não às 10:30", "g"}},
			Where: "X > 1", Zone: time.UTC, Pending: "a", Sent: "b", Failed: "c", Delivered: "d", Read: "e", FallbackOn: []pombo.Reason{pombo.NotOnWhatsApp, pombo.Undeliverable},
		},
		Ledger: Ledger{URL: "postgres://l", Timeout: 9 * time.Second, Retention: 30 * 24 * time.Hour, ReconcileAt: Never},
		API:    API{Addr: "127.0.0.1:1", Token: "0123456789abcdef", WebhookSecret: "fedcba9876543210", OptOutWords: []string{"NO MORE", "CANCELAR"}},
		Desk: Desk{
			Addr: "0.0.0.0:2", Hosts: []string{"a", "b"}, TLSCert: "c.pem", TLSKey: "k.pem", ProxyHeader: "X-User", PlainHTTP: true, Name: pombo.Body, NameNumber: 2,
			ProxyFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32"), netip.MustParsePrefix("10.1.0.0/16")},
			AuditKey:  "0123456789abcdef0123456789abcdef", AuditRetention: 200 * 24 * time.Hour,
		},
		Events:  Events{"http://localhost:9/e?a=b", []pombo.Private{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}},
		Replies: Replies{Within: 10 * time.Minute, Last: true, Payload: true},

		Job: Job{URL: "http://127.0.0.1:1", Interval: 4 * time.Second, Timeout: 5 * time.Second},
		Dispatch: Dispatch{
			Workers: 6, PollInterval: 7 * time.Second, Uncertain: "resend", UncertainWait: 8 * time.Second, ResendsBeforePause: 9, FailuresBeforePause: 11,
			UncertainTemplates: map[string]string{"otp": "hold", "Aviso": "check"},
			Quiet: pombo.Quiet{
				Hours:    []pombo.Hours{{From: 21 * time.Hour, To: 8 * time.Hour}, {From: 12 * time.Hour, To: 13*time.Hour + 30*time.Minute}},
				Days:     []time.Weekday{time.Saturday, time.Sunday},
				Holidays: []pombo.Day{{Year: 2026, Month: 4, Day: 3}, {Month: 12, Day: 25}},
				Exempt:   []string{"otp", "aviso"},
			},
		},
		Log:      Log{File: "x.log", Format: "json", Level: slog.LevelError},
		Traces:   Traces{Endpoint: "https://otel", Headers: map[string]pombo.Private{"h": "v"}, Service: "pombo-2", Share: 0.5},
		Language: words.Portuguese,
	})
}

func equal(t *testing.T, got, want Config) {
	t.Helper()
	// Secrets print themselves redacted even to cmp, so they are compared as text.
	diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{}),
		cmp.Comparer(func(a, b pombo.Private) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }))
	if diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoad_AllProblemsTogetherInOrder(t *testing.T) {
	_, _, err := Load("", []string{"LOG_LEVEL=loud", "WORKERS=none", "KEYBLIP=a b"}, NeedAll)
	var names []string
	for _, p := range problems(t, err) {
		names = append(names, p.Name)
	}
	want := []string{"KEYBLIP", "TEMPLATE_NAME", "DB_DSN", "WORKERS", "LOG_LEVEL"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !strings.HasPrefix(err.Error(), "the configuration has 5 problems:\n  KEYBLIP (environment) contains a blank in the middle\n      copy it again") {
		t.Errorf("text = %s", err)
	}
}

func TestLoad_Need(t *testing.T) {
	bad := []string{"WORKERS=none", "KEYBLIP=a b", "BLIP_TIMEOUT=5", "LOG_FILE=a\nb", "API_ADDR=1", "DB_TABLE=1", "API_TOKEN_FILE=/does/not/exist"}
	for _, c := range []struct {
		need Need
		want string
	}{
		{0, ""},
		{NeedLedger, ""},
		{NeedLog, "LOG_FILE"},
		{NeedDispatch, "WORKERS"},
		{NeedJob, "API_TOKEN_FILE"},
		{NeedAPI, "API_ADDR API_TOKEN_FILE"},
		{NeedBlip, "KEYBLIP BLIP_TIMEOUT"},
		{NeedSource, "DB_DSN DB_TABLE"},
		{NeedSource | NeedBlip, "KEYBLIP TEMPLATE_NAME BLIP_TIMEOUT DB_DSN DB_TABLE"},
	} {
		_, _, err := Load("", bad, c.need)
		var names []string
		for _, p := range problems(t, err) {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("need %b: problems of %q, want %q", c.need, got, c.want)
		}
	}
}
