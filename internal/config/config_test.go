package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pombo"
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

func TestDefaults(t *testing.T) {
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
			Zone:   zone, Pending: "1", Sent: "2",
		},
		Ledger:   Ledger{URL: "sqlite:data/pombo.db", Timeout: 15 * time.Second, Retention: 90 * 24 * time.Hour, ReconcileAt: 3*time.Hour + 30*time.Minute},
		API:      API{Addr: "127.0.0.1:5000", OptOutWords: []string{"SAIR", "PARAR", "STOP"}},
		Desk:     Desk{Addr: "127.0.0.1:5001", AuditRetention: 5 * 365 * 24 * time.Hour},
		Job:      Job{URL: "http://127.0.0.1:5000", Interval: 5 * time.Minute, Timeout: 10 * time.Minute},
		Dispatch: Dispatch{Workers: 64, Uncertain: "check", UncertainWait: 2 * time.Minute, ResendsBeforePause: 20, FailuresBeforePause: 20},
		Log:      Log{File: "logs/notificacao.log", Format: "text", Level: slog.LevelInfo},
	}
	equal(t, got, want)
}

// TestEverythingSet: each variable reaches its own field.
func TestEverythingSet(t *testing.T) {
	got, warnings, err := Load("", []string{
		"KEYBLIP=" + goodKey, "BLIP_CONTRACT=mycompany", "TEMPLATE_NAME=t", "NAMESPACE=n", "TEMPLATE_LANGUAGE=en_US",
		"BLIP_TIMEOUT=1s", "BLIP_MESSAGES_PER_SECOND=2.5", "BLIP_COMMANDS_PER_SECOND=3",
		"BLIP_MASTER_STATE=m", "BLIP_FLOW_ID=f", "BLIP_STATE_ID=s",
		"DB_DSN=db:1521/X", "DB_USER=u", "DB_PASSWORD=p", "DB_TABLE=ERP.T",
		"DB_COL_ID=C1", "DB_COL_PHONE=C2", "DB_COL_STATUS=C3", "DB_COL_PARAMS=header:C4", "DB_COL_TEMPLATE=C5", "DB_COL_PRIORITY=C6",
		"DB_COL_SEND_AFTER=C7", "DB_COL_EXPIRES=C8", "DB_COL_MESSAGE_ID=C9", "DB_COL_SENT_AT=C10", "DB_COL_ERROR=C11",
		"DB_WHERE=X > 1", "DB_TIMEZONE=UTC", "STATUS_PENDING=a", "STATUS_SENT=b", "STATUS_FAILED=c", "STATUS_DELIVERED=d", "STATUS_READ=e",
		"LEDGER_URL=postgres://l", "LEDGER_TIMEOUT=9s", "RETENTION=30d", "RECONCILE_AT=-", "API_ADDR=127.0.0.1:1", "API_TOKEN=0123456789abcdef", "API_URL=http://127.0.0.1:1",
		"WEBHOOK_SECRET=fedcba9876543210", "OPT_OUT_WORDS=NO MORE , CANCELAR,",
		"JOB_INTERVAL=4s", "JOB_TIMEOUT=5s", "WORKERS=6", "POLL_INTERVAL=7s", "UNCERTAIN=resend", "UNCERTAIN_WAIT=8s",
		"UNCERTAIN_TEMPLATES=otp:hold, Aviso : CHECK", "FAILURES_BEFORE_PAUSE=11", "RESENDS_BEFORE_PAUSE=9", "QUIET_HOURS=21:00-08:00,12:00-13:30", "QUIET_DAYS=sab,sun", "QUIET_EXEMPT=otp, aviso",
		"HOLIDAYS_FILE=testdata/holidays.txt",
		"DESK_ADDR=0.0.0.0:2", "DESK_HOSTS=a, b", "DESK_TLS_CERT=c.pem", "DESK_TLS_KEY=k.pem", "DESK_PROXY_FROM=10.0.0.5, 10.1.2.3/16", "DESK_PROXY_HEADER=X-User", "DESK_PLAIN_HTTP=Yes",
		"AUDIT_KEY=0123456789abcdef0123456789abcdef", "AUDIT_RETENTION=200d",
		"LOG_FILE=x.log", "LOG_FORMAT=json", "LOG_LEVEL=error",
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
			Where: "X > 1", Zone: time.UTC, Pending: "a", Sent: "b", Failed: "c", Delivered: "d", Read: "e",
		},
		Ledger: Ledger{URL: "postgres://l", Timeout: 9 * time.Second, Retention: 30 * 24 * time.Hour, ReconcileAt: Never},
		API:    API{Addr: "127.0.0.1:1", Token: "0123456789abcdef", WebhookSecret: "fedcba9876543210", OptOutWords: []string{"NO MORE", "CANCELAR"}},
		Desk: Desk{
			Addr: "0.0.0.0:2", Hosts: []string{"a", "b"}, TLSCert: "c.pem", TLSKey: "k.pem", ProxyHeader: "X-User", PlainHTTP: true,
			ProxyFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32"), netip.MustParsePrefix("10.1.0.0/16")},
			AuditKey:  "0123456789abcdef0123456789abcdef", AuditRetention: 200 * 24 * time.Hour,
		},
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
		Log: Log{File: "x.log", Format: "json", Level: slog.LevelError},
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

// TestAccepted has one variable a line and what becomes of it.
func TestAccepted(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want any
		got  func(Config) any
	}{
		{[]string{"KEYBLIP=Key " + goodKey}, goodKey, func(c Config) any { return c.Blip.Key.Reveal() }},
		{[]string{"KEYBLIP=key\t " + goodKey + " "}, goodKey, func(c Config) any { return c.Blip.Key.Reveal() }},
		{[]string{`KEYBLIP="Key ` + goodKey + `"`}, goodKey, func(c Config) any { return c.Blip.Key.Reveal() }},
		{[]string{"BLIP_CONTRACT=MyCompany"}, "https://mycompany.http.msging.net", func(c Config) any { return c.Blip.URL }},
		{[]string{"BLIP_URL=https://other.example/"}, "https://other.example", func(c Config) any { return c.Blip.URL }},
		{[]string{"BLIP_URL=http://127.0.0.1:8080"}, "http://127.0.0.1:8080", func(c Config) any { return c.Blip.URL }},
		{[]string{"BLIP_URL=http://localhost:8080/"}, "http://localhost:8080", func(c Config) any { return c.Blip.URL }},
		{[]string{"BLIP_URL=http://[::1]:8080"}, "http://[::1]:8080", func(c Config) any { return c.Blip.URL }},
		{[]string{"BLIP_MESSAGES_PER_SECOND=0"}, 0.0, func(c Config) any { return c.Blip.MessagesPerSecond }},
		{[]string{"BLIP_FLOW_ID=f", "BLIP_STATE_ID=s"}, "f/s", func(c Config) any { return c.Blip.FlowID + "/" + c.Blip.StateID }},
		{[]string{"TEMPLATE_LANGUAGE=es"}, "es", func(c Config) any { return c.Blip.Language }},
		{[]string{"TEMPLATE_NAME=", "DB_COL_TEMPLATE=NM_TEMPLATE"}, "NM_TEMPLATE", func(c Config) any { return c.Source.ColTemplate }},
		{[]string{"DB_TABLE=ERP.NOTIFICACAO"}, "notificacao", func(c Config) any { return c.Source.Name }},
		{[]string{`DB_TABLE="Erp"."Minhas Mensagens"`}, "minhas mensagens", func(c Config) any { return c.Source.Name }},
		{[]string{"DB_TABLE=SYS$LOG#2"}, "SYS$LOG#2", func(c Config) any { return c.Source.Table }},
		{[]string{"RETENTION=7D"}, 7 * 24 * time.Hour, func(c Config) any { return c.Ledger.Retention }},
		{[]string{"RETENTION=200h"}, 200 * time.Hour, func(c Config) any { return c.Ledger.Retention }},
		{[]string{"RETENTION=3650d"}, 3650 * 24 * time.Hour, func(c Config) any { return c.Ledger.Retention }},
		{[]string{"RETENTION=0"}, time.Duration(0), func(c Config) any { return c.Ledger.Retention }},
		{[]string{"RETENTION=0d"}, time.Duration(0), func(c Config) any { return c.Ledger.Retention }},
		{[]string{"RECONCILE_AT=23:59"}, 24*time.Hour - time.Minute, func(c Config) any { return c.Ledger.ReconcileAt }},
		{[]string{"RECONCILE_AT=00:00"}, time.Duration(0), func(c Config) any { return c.Ledger.ReconcileAt }},
		{[]string{"DB_COL_PARAMS=-"}, []Column(nil), func(c Config) any { return c.Source.Params }},
		{[]string{"DB_COL_PARAMS=header"}, []Column{{pombo.Body, "header"}}, func(c Config) any { return c.Source.Params }},
		{
			[]string{`DB_COL_PARAMS=Header: NM_TITULO , NM_CONTATO,"A,B: C",button0:CD_LINK,button1-payload:"X:Y"`},
			[]Column{{pombo.HeaderText, "NM_TITULO"}, {pombo.Body, "NM_CONTATO"}, {pombo.Body, `"A,B: C"`}, {"button0", "CD_LINK"}, {"button1-payload", `"X:Y"`}},
			func(c Config) any { return c.Source.Params },
		},
		{[]string{"DB_URL=", "DB_HOST=db", "DB_SERVICE_NAME=X", "DB_USER=u", "DB_PASSWORD=p"}, "db:1521/X", func(c Config) any { return c.Source.DSN }},
		{[]string{"DB_URL=", "DB_HOST=10.0.0.7", "DB_PORT=1526", "DB_SID=ORCL", "DB_USER=u", "DB_PASSWORD=p"}, "10.0.0.7:1526:ORCL", func(c Config) any { return c.Source.DSN }},
		{[]string{"DB_HOST=other", "DB_PORT=tcp://172.17.0.2:5432"}, "", func(c Config) any { return c.Source.DSN }},
		{[]string{"DB_URL=", "DB_DSN=jdbc:oracle:thin:@db:1521:X", "DB_USER=u", "DB_PASSWORD=p"}, "jdbc:oracle:thin:@db:1521:X", func(c Config) any { return c.Source.DSN }},
		{[]string{"DB_URL=", "DB_DSN=tcps://db:2484/X", "DB_USER=u", "DB_PASSWORD=p"}, "tcps://db:2484/X", func(c Config) any { return c.Source.DSN }},
		{[]string{"DB_URL=", "DB_DSN=db:1521/X", "DB_USER=u", "DB_PASSWORD= p "}, " p ", func(c Config) any { return c.Source.Password.Reveal() }},
		{[]string{"DB_URL=oracle://erp:p%40ss@db:1521/X"}, "oracle://erp:p%40ss@db:1521/X", func(c Config) any { return c.Source.URL.Reveal() }},
		{[]string{`DB_URL=sqlite:C:\pombo\a@b.db`}, `sqlite:C:\pombo\a@b.db`, func(c Config) any { return c.Source.URL.Reveal() }},
		{[]string{"DB_TIMEZONE=America/Manaus"}, "America/Manaus", func(c Config) any { return c.Source.Zone.String() }},
		{[]string{"STATUS_FAILED=3", "STATUS_EXPIRED=3"}, "3", func(c Config) any { return c.Source.Expired }},
		{[]string{"STATUS_FAILED=E"}, "E", func(c Config) any { return c.Source.Failed }},
		{[]string{"API_ADDR=0.0.0.0:80", "API_TOKEN=0123456789abcdef"}, "0.0.0.0:80", func(c Config) any { return c.API.Addr }},
		{[]string{"API_ADDR=localhost:0"}, "localhost:0", func(c Config) any { return c.API.Addr }},
		{[]string{"OPT_OUT_WORDS=-"}, []string(nil), func(c Config) any { return c.API.OptOutWords }},
		{[]string{"API_URL=https://proxy.example/pombo/"}, "https://proxy.example/pombo", func(c Config) any { return c.Job.URL }},
		{[]string{"JOB_TIMEOUT=1m", "JOB_INTERVAL=30s"}, time.Minute, func(c Config) any { return c.Job.Timeout }},
		{[]string{"POLL_INTERVAL=0"}, time.Duration(0), func(c Config) any { return c.Dispatch.PollInterval }},
		{[]string{"WORKERS=4096"}, 4096, func(c Config) any { return c.Dispatch.Workers }},
		{[]string{"UNCERTAIN=Hold"}, "hold", func(c Config) any { return c.Dispatch.Uncertain }},
		{[]string{"UNCERTAIN_WAIT=20s"}, 20 * time.Second, func(c Config) any { return c.Dispatch.UncertainWait }},
		{[]string{"LOG_FILE=-"}, "", func(c Config) any { return c.Log.File }},
		{[]string{"LOG_LEVEL=WARN"}, slog.LevelWarn, func(c Config) any { return c.Log.Level }},
		{[]string{"WORKERS="}, 64, func(c Config) any { return c.Dispatch.Workers }},
	} {
		t.Run(strings.Join(c.set, " "), func(t *testing.T) {
			got, warnings, err := Load("", good(c.set...), NeedAll)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("err = %v, warnings = %v", err, warnings)
			}
			if diff := cmp.Diff(c.want, c.got(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestRefused has one mistake a line, the variable that is told of it and a
// piece of what is said.
func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		set        []string
		name, says string
	}{
		{[]string{"KEYBLIP="}, "KEYBLIP", "not set"},
		{[]string{"KEYBLIP=Key "}, "KEYBLIP", "nothing in it"},
		{[]string{`KEYBLIP=""`}, "KEYBLIP", "nothing in it"},
		{[]string{"KEYBLIP=abc def"}, "KEYBLIP", "blank in the middle"},
		{[]string{"KEYBLIP=abc\u00a0def"}, "KEYBLIP", "blank in the middle"},
		{[]string{"KEYBLIP=abc\ndef"}, "KEYBLIP", "line break"},
		{[]string{`KEYBLIP=abc"def`}, "KEYBLIP", "quote"},
		{[]string{"KEYBLIP=abc\u200bdef"}, "KEYBLIP", "invisible"},
		{[]string{"RETENTION=6d"}, "RETENTION", "too short"},
		{[]string{"RETENTION=167h"}, "RETENTION", "too short"},
		{[]string{"RETENTION=-9d"}, "RETENTION", "not a number of days"},
		{[]string{"RETENTION=90"}, "RETENTION", "not a number of days"},
		{[]string{"RETENTION=d"}, "RETENTION", "not a number of days"},
		{[]string{"RETENTION=99999d"}, "RETENTION", "not a number of days"},
		{[]string{"RECONCILE_AT=24:00"}, "RECONCILE_AT", "not a time of the day"},
		{[]string{"RECONCILE_AT=never"}, "RECONCILE_AT", "not a time of the day"},
		{[]string{"BLIP_URL=https://x.example", "BLIP_CONTRACT=y"}, "BLIP_CONTRACT", "both set"},
		{[]string{"BLIP_CONTRACT=y.http.msging.net"}, "BLIP_CONTRACT", "only what stands before"},
		{[]string{"BLIP_CONTRACT=-y"}, "BLIP_CONTRACT", "host name"},
		{[]string{"BLIP_URL=http://10.0.0.1"}, "BLIP_URL", "in clear"},
		{[]string{"BLIP_URL=http://127.0.0.1.example"}, "BLIP_URL", "in clear"},
		{[]string{"BLIP_URL=https://x.example/messages"}, "BLIP_URL", "path"},
		{[]string{"BLIP_URL=https://x.example?y"}, "BLIP_URL", "?"},
		{[]string{"BLIP_URL=https://u:p@x.example"}, "BLIP_URL", "user or a password"},
		{[]string{"BLIP_URL=http.msging.net"}, "BLIP_URL", "not an http address"},
		{[]string{"BLIP_URL=https:///x"}, "BLIP_URL", "not an http address"},
		{[]string{"TEMPLATE_NAME="}, "TEMPLATE_NAME", "DB_COL_TEMPLATE"},
		{[]string{"TEMPLATE_NAME=exam ready"}, "TEMPLATE_NAME", "blank"},
		{[]string{"TEMPLATE_NAME=Exam-Ready"}, "TEMPLATE_NAME", "lower-case letters"},
		{[]string{"DB_COL_ID=NR_TELEFONE"}, "DB_COL_ID", "the table's own key"},
		{[]string{"DB_COL_PHONE=FONE", `DB_COL_ID="fone"`}, "DB_COL_ID", "the table's own key"},
		{[]string{"DB_COL_ID=nm_contato"}, "DB_COL_ID", "the table's own key"},
		{[]string{"TEMPLATE_LANGUAGE=pt-br"}, "TEMPLATE_LANGUAGE", "write pt_BR"},
		{[]string{"BLIP_TIMEOUT=20"}, "BLIP_TIMEOUT", "write 20s"},
		{[]string{"JOB_INTERVAL=300"}, "JOB_INTERVAL", "write 300s or 5m"},
		{[]string{"JOB_INTERVAL=5 min"}, "JOB_INTERVAL", "not a time span"},
		{[]string{"JOB_INTERVAL=0"}, "JOB_INTERVAL", "from 1s"},
		{[]string{"POLL_INTERVAL=-1s"}, "POLL_INTERVAL", "out of range"},
		{[]string{"BLIP_TIMEOUT=6m"}, "BLIP_TIMEOUT", "from 1s to 5m"},
		{[]string{"UNCERTAIN_WAIT=19s"}, "UNCERTAIN_WAIT", "shorter than BLIP_TIMEOUT (20s)"},
		{[]string{"UNCERTAIN_WAIT=25h"}, "UNCERTAIN_WAIT", "to 24h"},
		{[]string{"BLIP_MESSAGES_PER_SECOND=4,5"}, "BLIP_MESSAGES_PER_SECOND", "with a point"},
		{[]string{"BLIP_COMMANDS_PER_SECOND=-1"}, "BLIP_COMMANDS_PER_SECOND", "not a rate"},
		{[]string{"BLIP_COMMANDS_PER_SECOND=NaN"}, "BLIP_COMMANDS_PER_SECOND", "not a rate"},
		{[]string{"BLIP_COMMANDS_PER_SECOND=Inf"}, "BLIP_COMMANDS_PER_SECOND", "not a rate"},
		{[]string{"BLIP_STATE_ID=s"}, "BLIP_STATE_ID", "BLIP_FLOW_ID is not"},
		{[]string{"BLIP_FLOW_ID=f"}, "BLIP_FLOW_ID", "BLIP_STATE_ID is not"},
		{[]string{"DB_URL="}, "DB_DSN", "which database"},
		{[]string{"DB_DSN=db:1521/X"}, "DB_DSN", "both set"},
		{[]string{"DB_USER=u"}, "DB_USER", "beside DB_URL"},
		{[]string{"DB_PASSWORD=u"}, "DB_PASSWORD", "beside DB_URL"},
		{[]string{"DB_URL=", "DB_USER=u", "DB_PASSWORD=p"}, "DB_DSN", "not set"},
		{[]string{"DB_URL=", "DB_DSN=db:1521/X", "DB_PASSWORD=p"}, "DB_USER", "DB_DSN needs it"},
		{[]string{"DB_URL=", "DB_DSN=db:1521/X", "DB_USER=u"}, "DB_PASSWORD", "DB_DSN needs it"},
		{[]string{"DB_URL=", "DB_DSN=u/p@db:1521/X", "DB_USER=u", "DB_PASSWORD=p"}, "DB_DSN", "user or a password"},
		{[]string{"DB_URL=", "DB_DSN=ldap://oid:389/X", "DB_USER=u", "DB_PASSWORD=p"}, "DB_DSN", "LDAP directory"},
		{[]string{"DB_URL=", "DB_HOST=db", "DB_USER=u", "DB_PASSWORD=p"}, "DB_SERVICE_NAME", "nor is DB_SID"},
		{[]string{"DB_URL=", "DB_HOST=db", "DB_SERVICE_NAME=X", "DB_SID=Y", "DB_USER=u", "DB_PASSWORD=p"}, "DB_SID", "both set"},
		{[]string{"DB_URL=", "DB_HOST=db", "DB_PORT=tcp://x", "DB_SID=Y", "DB_USER=u", "DB_PASSWORD=p"}, "DB_PORT", "not a number of a port"},
		{[]string{"DB_URL=", "DB_HOST=u/p@db", "DB_SID=Y", "DB_USER=u", "DB_PASSWORD=p"}, "DB_HOST", "not a name or address"},
		{[]string{"DB_URL=", "DB_HOST=db", "DB_SID=Y", "DB_USER=u"}, "DB_PASSWORD", "DB_HOST needs it"},
		{[]string{"DB_URL=", "DB_DSN=oracle://db/X", "DB_USER=u", "DB_PASSWORD=p"}, "DB_DSN", "DB_URL instead"},
		{[]string{"DB_URL=mysql://u:p@h/d"}, "DB_URL", "oracle://"},
		{[]string{"DB_URL=db:1521/X"}, "DB_URL", "belongs into DB_DSN"},
		{[]string{"DB_URL=sqlite:///x.db"}, "DB_URL", "without //"},
		{[]string{"DB_URL=sqlite:"}, "DB_URL", "no file"},
		{[]string{"DB_URL=oracle:db/X"}, "DB_URL", "cannot be read"},
		{[]string{"DB_URL=oracle://u:p#q@db/X"}, "DB_URL", "percent-encoded"},
		{[]string{"DB_URL=oracle://u:12/q@db/X"}, "DB_URL", "percent-encoded"},
		{[]string{"DB_URL=oracle://u:12?q@db/X"}, "DB_URL", "percent-encoded"},
		{[]string{"DB_URL=oracle://u:a%q@db/X"}, "DB_URL", "percent-encoded"},
		{[]string{"LEDGER_URL=oracle://u:p@db/X"}, "LEDGER_URL", "sqlite: or postgres://"},
		{[]string{"LEDGER_URL=sqlite::memory:"}, "LEDGER_URL", "in memory"},
		{[]string{"LEDGER_URL=sqlite:company.db"}, "LEDGER_URL", "company's own database"},
		{[]string{"LEDGER_URL=sqlite:./data/../company.db"}, "LEDGER_URL", "company's own database"},
		{[]string{"DB_TABLE=NOTIFICACAO; DROP TABLE X"}, "DB_TABLE", "not a name"},
		{[]string{"DB_TABLE=A.B.C"}, "DB_TABLE", "at most schema.table"},
		{[]string{"DB_TABLE=A..C"}, "DB_TABLE", "not a name"},
		{[]string{"DB_TABLE=A."}, "DB_TABLE", "not a name"},
		{[]string{"DB_TABLE=1A"}, "DB_TABLE", "not a name"},
		{[]string{"DB_TABLE=A@LINK"}, "DB_TABLE", "synonym"},
		{[]string{`DB_TABLE="A`}, "DB_TABLE", "not a name"},
		{[]string{`DB_TABLE=""`}, "DB_TABLE", "not a name"},
		{[]string{`DB_TABLE="A"B`}, "DB_TABLE", "not a name"},
		{[]string{"DB_TABLE=" + long}, "DB_TABLE", "not a name"},
		{[]string{"DB_COL_ID=T.ID"}, "DB_COL_ID", "the column alone"},
		{[]string{"DB_COL_PARAMS=A,,B"}, "DB_COL_PARAMS", "empty entry"},
		{[]string{"DB_COL_PARAMS=heder:A"}, "DB_COL_PARAMS", "header-image"},
		{[]string{"DB_COL_PARAMS=header:"}, "DB_COL_PARAMS", "not a name"},
		{[]string{"DB_COL_PARAMS=header:A,header-image:B"}, "DB_COL_PARAMS", "only one header"},
		{[]string{"DB_COL_PARAMS=button1:A,button1-payload:B"}, "DB_COL_PARAMS", "only one button 1"},
		{[]string{"DB_COL_SENT_AT=nr_telefone"}, "DB_COL_SENT_AT", "same column as DB_COL_PHONE"},
		{[]string{"DB_COL_ERROR=DS_MENSAGEM"}, "DB_COL_ERROR", "same column as DB_COL_PARAMS"},
		{[]string{"DB_COL_ERROR=CD_STATUS"}, "DB_COL_ERROR", "same column as DB_COL_STATUS"},
		{[]string{"DB_COL_STATUS=ID"}, "DB_COL_STATUS", "same column as DB_COL_ID"},
		{[]string{"DB_TIMEZONE=Local"}, "DB_TIMEZONE", "whatever machine"},
		{[]string{"DB_TIMEZONE=GMT-3"}, "DB_TIMEZONE", "IANA"},
		{[]string{"STATUS_SENT=1"}, "STATUS_SENT", "sent for ever"},
		{[]string{"STATUS_SENT=01"}, "STATUS_SENT", "sent for ever"},
		{[]string{"STATUS_FAILED=2"}, "STATUS_FAILED", "same code as STATUS_SENT"},
		{[]string{"STATUS_FAILED=3", "STATUS_EXPIRED=3", "STATUS_SUPPRESSED=1"}, "STATUS_SUPPRESSED", "sent for ever"},
		{[]string{"STATUS_EXPIRED=2"}, "STATUS_EXPIRED", "same code as STATUS_SENT"},
		{[]string{"STATUS_READ=4", "STATUS_DELIVERED=4"}, "STATUS_READ", "STATUS_DELIVERED"},
		{[]string{"API_ADDR=0.0.0.0:5000"}, "API_ADDR", "API_TOKEN"},
		{[]string{"API_ADDR=:5000"}, "API_ADDR", "API_TOKEN"},
		{[]string{"API_ADDR=[::]:5000"}, "API_ADDR", "API_TOKEN"},
		{[]string{"API_ADDR=5000"}, "API_ADDR", "host:port"},
		{[]string{"API_ADDR=127.0.0.1:http"}, "API_ADDR", "host:port"},
		{[]string{"API_ADDR=127.0.0.1:65536"}, "API_ADDR", "host:port"},
		{[]string{"API_TOKEN=ação-comprida-demais"}, "API_TOKEN", "accent"},
		{[]string{"WEBHOOK_SECRET=fifteen-letters"}, "WEBHOOK_SECRET", "only 15 characters"},
		{[]string{"WEBHOOK_SECRET=a-secret/with-a-slash"}, "WEBHOOK_SECRET", "cannot stand in an address"},
		{[]string{"OPT_OUT_WORDS=SAIR,!"}, "OPT_OUT_WORDS", "not a word"},
		{[]string{"OPT_OUT_WORDS=,,"}, "OPT_OUT_WORDS", "no word"},
		{[]string{"API_ADDR=0.0.0.0:5000", "API_TOKEN=x"}, "API_TOKEN", "only 1 characters"},
		{[]string{"STATUS_PENDING=" + strings.Repeat("1", 5000)}, "STATUS_PENDING", "has 5000 characters"},
		{[]string{"BLIP_MESSAGES_PER_SECOND=1e-300"}, "BLIP_MESSAGES_PER_SECOND", "less than one an hour"},
		{[]string{"API_URL=http://x/send_notification"}, "API_URL", "the job adds it"},
		{[]string{"API_URL=127.0.0.1:5000"}, "API_URL", "not an http address"},
		{[]string{"WORKERS=0"}, "WORKERS", "from 1 to 4096"},
		{[]string{"WORKERS=4097"}, "WORKERS", "from 1 to 4096"},
		{[]string{"WORKERS=many"}, "WORKERS", `"many"`},
		{[]string{"UNCERTAIN=maybe"}, "UNCERTAIN", "check, hold or resend"},
		{[]string{"UNCERTAIN_TEMPLATES=otp:hodl"}, "UNCERTAIN_TEMPLATES", "did you mean hold?"},
		{[]string{"UNCERTAIN_TEMPLATES=otp:ask a person"}, "UNCERTAIN_TEMPLATES", "write check, hold or resend"},
		{[]string{"UNCERTAIN_TEMPLATES=otp"}, "UNCERTAIN_TEMPLATES", "otp:hold"},
		{[]string{"UNCERTAIN_TEMPLATES=otp:hold,"}, "UNCERTAIN_TEMPLATES", "not a template"},
		{[]string{"UNCERTAIN_TEMPLATES=otp:hold,otp:check"}, "UNCERTAIN_TEMPLATES", "twice"},
		{[]string{"QUIET_HOURS=21h-8h"}, "QUIET_HOURS", "such as 21:00-08:00"},
		{[]string{"QUIET_HOURS=00:00-24:00"}, "QUIET_HOURS", "no minute"},
		{[]string{"QUIET_DAYS=son"}, "QUIET_DAYS", "sun, mon"},
		{[]string{"QUIET_EXEMPT=otp,,aviso"}, "QUIET_EXEMPT", "no name"},
		{[]string{"QUIET_EXEMPT=my otp"}, "QUIET_EXEMPT", "blank"},
		{[]string{"HOLIDAYS_FILE=nowhere.txt"}, "HOLIDAYS_FILE", "does not exist"},
		{[]string{"HOLIDAYS_FILE=testdata/not-holidays.txt"}, "HOLIDAYS_FILE", `line 2: "25/12"`},
		{[]string{"LOG_FORMAT=xml"}, "LOG_FORMAT", "text or json"},
		{[]string{"LOG_LEVEL=critical"}, "LOG_LEVEL", "warn or error"},
		{[]string{"LOG_FILE=C:\nombo"}, "LOG_FILE", "single quotes"},
	} {
		t.Run(strings.Join(c.set, " "), func(t *testing.T) {
			_, _, err := Load("", good(c.set...), NeedAll)
			got := problems(t, err)
			if len(got) != 1 {
				t.Fatalf("problems = %v, want one", err)
			}
			if got[0].Name != c.name {
				t.Errorf("name = %q, want %q", got[0].Name, c.name)
			}
			if said := got[0].Message + " → " + got[0].Hint; !strings.Contains(said, c.says) {
				t.Errorf("said %q, want %q in it", said, c.says)
			}
		})
	}
}

func TestNumberWithoutUnit(t *testing.T) {
	for number, want := range map[string]string{"45": "write 45s", "90": "write 90s", "60": "write 60s or 1m", "300": "write 300s or 5m"} {
		_, _, err := Load("", []string{"JOB_INTERVAL=" + number}, NeedJob)
		if ps := problems(t, err); len(ps) != 1 || ps[0].Hint != want {
			t.Errorf("%s: err = %v, want the fix %q", number, err, want)
		}
	}
}

func TestAllProblemsTogetherInOrder(t *testing.T) {
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

func TestNeed(t *testing.T) {
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

// TestLayers: environment over file over default, and Print says which it was.
func TestLayers(t *testing.T) {
	key := write(t, "key", "\ufeffKey "+goodKey+"\r\n\r\n")
	file := write(t, "pombo.env", "# comment\nTEMPLATE_NAME=from_file\nWORKERS=3\nDB_URL=postgres://erp:s3cr3t-password@db/erp?sslmode=disable\nLOG_LEVEL=debug\n")
	c, warnings, err := Load(file, []string{"WORKERS=5", "KEYBLIP_FILE=" + key, "LOG_LEVEL=", "PATH=/bin"}, NeedAll)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("err = %v, warnings = %v", err, warnings)
	}
	if c.Blip.Template != "from_file" || c.Dispatch.Workers != 5 || c.Blip.Key.Reveal() != goodKey || c.Log.Level != slog.LevelInfo {
		t.Errorf("template %q, workers %d, level %v", c.Blip.Template, c.Dispatch.Workers, c.Log.Level)
	}

	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, line := range []string{
		`KEYBLIP +\[secret\] +file ` + regexp.QuoteMeta(key),
		`TEMPLATE_NAME +from_file +` + regexp.QuoteMeta(file) + ` line 2`,
		`WORKERS +5 +environment`,
		`DB_URL +postgres://erp:\[secret\]@db/erp\?\[secret\] +.* line 4`,
		`DB_PASSWORD +- +-`,
		`BLIP_TIMEOUT +20s +default`,
		`LEDGER_URL +sqlite:data/pombo.db +default`,
	} {
		if !regexp.MustCompile(`(?m)^  ` + line + `$`).MatchString(out) {
			t.Errorf("no line %s in\n%s", line, out)
		}
	}
	for _, g := range groups {
		for _, v := range g.variables {
			if !strings.Contains(out, "\n  "+v.name+" ") {
				t.Errorf("%s is not printed", v.name)
			}
		}
	}
	for _, text := range []string{out, fmt.Sprintf("%v %+v %#v", c, c, c)} {
		if strings.Contains(text, goodKey) || strings.Contains(text, "s3cr3t") {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}

func TestFileMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, warnings, err := Load(DefaultFile, good(), NeedAll); err != nil || len(warnings) > 0 {
		t.Errorf("default file: err = %v, warnings = %v", err, warnings)
	}
	_, _, err := Load(DefaultFile, nil, NeedBlip)
	if ps := problems(t, err); len(ps) != 1 || !strings.Contains(ps[0].Hint, "there is no .env in ") {
		t.Errorf("err = %v, want it to say that there is no .env", err)
	}
	_, _, err = Load("other.env", good(), NeedAll)
	if ps := problems(t, err); len(ps) != 1 || ps[0].Where != "other.env" || !strings.Contains(ps[0].Message, "does not exist") {
		t.Errorf("err = %v, want other.env missing", err)
	}
	if err := os.WriteFile(".env.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, warnings, err := Load(DefaultFile, good(), NeedAll)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "rename it to .env") {
		t.Errorf("err = %v, warnings = %v, want one about .env.txt", err, warnings)
	}
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err = Load("folder", good(), NeedAll)
	if ps := problems(t, err); len(ps) != 1 || !strings.Contains(ps[0].Message, "cannot be read") {
		t.Errorf("err = %v, want a folder refused", err)
	}
}

func TestSecretFiles(t *testing.T) {
	const secret = "s3cr3t-value"
	good := []string{"TEMPLATE_NAME=t", "DB_DSN=db:1521/X", "DB_USER=u", "KEYBLIP=" + goodKey}
	for _, c := range []struct {
		name string
		set  []string
		says string // "" = it works
	}{
		{"plain", []string{"DB_PASSWORD_FILE=" + write(t, "p", secret)}, ""},
		{"newline", []string{"DB_PASSWORD_FILE=" + write(t, "p", secret+"\n")}, ""},
		{"windows", []string{"DB_PASSWORD_FILE=" + write(t, "p", "\xef\xbb\xbf"+secret+"\r\n")}, ""},
		{"empty direct", []string{"DB_PASSWORD=", "DB_PASSWORD_FILE=" + write(t, "p", secret)}, ""},
		{"both", []string{"DB_PASSWORD=" + secret, "DB_PASSWORD_FILE=" + write(t, "p", secret)}, "both set"},
		{"empty", []string{"DB_PASSWORD_FILE=" + write(t, "p", "\n")}, "is empty"},
		{"utf-16", []string{"DB_PASSWORD_FILE=" + write(t, "p", "\xff\xfes\x003\x00")}, "UTF-16"},
		{"binary", []string{"DB_PASSWORD_FILE=" + write(t, "p", "s\x003\x00")}, "UTF-8"},
		{"long", []string{"DB_PASSWORD_FILE=" + write(t, "p", strings.Repeat("x", maxFile+1))}, "too long"},
		{"the secret itself", []string{"DB_PASSWORD_FILE=" + secret}, "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, _, err := Load("", append(slices.Clip(good), c.set...), NeedAll)
			ps := problems(t, err)
			switch {
			case c.says == "" && (err != nil || cfg.Source.Password.Reveal() != secret):
				t.Errorf("err = %v, password = %q", err, cfg.Source.Password.Reveal())
			case c.says != "" && (len(ps) != 1 || ps[0].Name != "DB_PASSWORD_FILE" || !strings.Contains(ps[0].Message, c.says)):
				t.Errorf("err = %v, want one problem of DB_PASSWORD_FILE with %q", err, c.says)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the secret is in the error: %v", err)
			}
		})
	}
	if got := openProblem(fs.ErrPermission).Message; !strings.Contains(got, "user that runs Pombo") {
		t.Errorf("no permission: %q", got)
	}
}

func TestUnknownNames(t *testing.T) {
	for _, c := range []struct {
		inFile, environment string
		want                string // "" = nothing is said
	}{
		{"BLIP_TIMOUT=5s", "", "did you mean BLIP_TIMEOUT?"},
		{"KEYBLP=x", "", "did you mean KEYBLIP?"},
		{"DB_DNS=x", "", "did you mean DB_DSN?"},
		{"DB_USERNAME=x", "", "write DB_USER"},
		{"ORACLE_DSN=x", "", "write DB_DSN"},
		{"ORACLE_PASSWORD=x", "", "write DB_PASSWORD"},
		{"ORACLE_HOST=x", "", "write DB_HOST"},
		{"ORACLE_SID=x", "", "write DB_SID"},
		{"keyblip=x", "", "did you mean KEYBLIP?"},
		{"NAMESPCE=x", "", "did you mean NAMESPACE?"},
		{"DB_PASWORD_FILE=x", "", "did you mean DB_PASSWORD_FILE?"},
		{"DB_HOST=x", "", "does nothing beside DB_DSN or DB_URL"},
		{"TEMPLATE_NAME_FILE=x", "", "only secrets can come from a file"},
		{"FLASK_ENV=x\nSECRET_KEY=y", "", ""},
		{"", "BLIP_TIMOUT=5s", "did you mean BLIP_TIMEOUT?"},
		{"", "BLIP_COLOUR=blue", "not a variable of Pombo"},
		{"", "KEYBLP=x", "did you mean KEYBLIP?"},
		{"", "DB_COL_STATU=x", "did you mean DB_COL_STATUS?"},
		{"", "DB_PORT_1521_TCP=tcp://10.0.0.1", ""},
		{"", "API_SERVICE_HOST=10.0.0.1", ""},
		{"", "log_level=x", ""},
		{"", "DB_DIR=x", ""},
		{"", "=C:=C:\\pombo", ""},
		{"", "GREETING", ""},
	} {
		t.Run(c.inFile+c.environment, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.environment == "log_level=x" {
				t.Skip("there the case of a name has no meaning")
			}
			file := write(t, ".env", c.inFile+"\n")
			_, warnings, err := Load(file, good(c.environment), NeedAll)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(warnings); c.want == "" && len(warnings) > 0 || !strings.Contains(got, c.want) {
				t.Errorf("warnings = %s, want %q", got, c.want)
			}
		})
	}
}

func TestOtherWarnings(t *testing.T) {
	for _, c := range []struct {
		set  string
		want string
	}{
		{"KEYBLIP=abcdef", "KEYBLIP (environment) does not look like a key of Blip"},
		{"KEYBLIP=" + base64.StdEncoding.EncodeToString([]byte("nocolon")), "does not look like"},
		{"KEYBLIP=" + base64.RawStdEncoding.EncodeToString([]byte("bot:access")), ""},
		{"API_TOKEN=short", "only 5 characters"},
		{"WEBHOOK_SECRET=0123456789abcdef", "WEBHOOK_SECRET (environment) is set and API_TOKEN is not"},
		{`API_TOKEN="0123456789abcdef"`, "starts and ends with a quote"},
	} {
		_, warnings, err := Load("", good(c.set), NeedAll)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(warnings); c.want == "" && len(warnings) > 0 || !strings.Contains(got, c.want) {
			t.Errorf("%s: warnings = %s, want %q", c.set, got, c.want)
		}
	}
}
