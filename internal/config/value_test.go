package config

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// TestLoad_Accepted has one variable a line and what becomes of it.
func TestLoad_Accepted(t *testing.T) {
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
		{[]string{"DB_COL_LANGUAGE=CD_IDIOMA"}, "CD_IDIOMA", func(c Config) any { return c.Source.ColLanguage }},
		{[]string{"DOCUMENTS_DIR= laudos "}, "laudos", func(c Config) any { return c.Dispatch.DocumentsDir }},
		{[]string{"DB_COL_PARAMS=NM,header-document-blob:BL,header-filename:NM_LAUDO"}, []Column{{pombo.Body, "NM"}, {"header-document-blob", "BL"}, {pombo.HeaderFilename, "NM_LAUDO"}}, func(c Config) any { return c.Source.Params }},
		{[]string{"STATUS_FALLBACK=8"}, []pombo.Reason{pombo.NotOnWhatsApp, pombo.Undeliverable}, func(c Config) any { return c.Source.FallbackOn }},
		{[]string{"STATUS_FALLBACK=8", "FALLBACK_ON=Marketing_Cap, tries_exhausted"}, []pombo.Reason{pombo.MarketingCap, pombo.TriesExhausted}, func(c Config) any { return c.Source.FallbackOn }},
		{[]string{"STATUS_FALLBACK=8", "FALLBACK_ON=-", "FALLBACK_AFTER=4h"}, 4 * time.Hour, func(c Config) any { return c.Source.FallbackAfter }},
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
		{[]string{"REPLY_CODES=Sim:5,Confirmar:5"}, []ReplyCode{{"Sim", "5"}, {"Confirmar", "5"}}, func(c Config) any { return c.Source.ReplyCodes }},
		{[]string{"REPLY_KEEP=First"}, false, func(c Config) any { return c.Replies.Last }},
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

// TestLoad_Refused has one mistake a line, the variable that the problem names and a
// piece of what is said.
func TestLoad_Refused(t *testing.T) {
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
		{[]string{"DB_COL_PARAMS=NM,header-document-file:DS_ARQUIVO"}, "DOCUMENTS_DIR", "in which folder"},
		{[]string{"DB_COL_PARAMS=header-document-file:A,header-document-blob:B", "DOCUMENTS_DIR=d"}, "DB_COL_PARAMS", "only one header"},
		{[]string{"DB_COL_PARAMS=header-filename:A,header-filename:B"}, "DB_COL_PARAMS", "only one name"},
		{[]string{"DB_COL_PARAMS=body-blob:A"}, "DB_COL_PARAMS", "unknown place"},
		{[]string{"DB_COL_LANGUAGE=2"}, "DB_COL_LANGUAGE", "not a name"},
		{[]string{"DB_COL_LANGUAGE=CD", "DB_COL_ERROR=cd"}, "DB_COL_ERROR", "same column as DB_COL_LANGUAGE"},
		{[]string{"STATUS_FALLBACK=2"}, "STATUS_FALLBACK", "same code as STATUS_SENT"},
		{[]string{"STATUS_FAILED=3", "STATUS_FALLBACK=03"}, "STATUS_FALLBACK", "same code as STATUS_FAILED"},
		{[]string{"STATUS_FALLBACK=8", "FALLBACK_ON=not_there"}, "FALLBACK_ON", "not a reason"},
		{[]string{"STATUS_FALLBACK=8", "FALLBACK_ON=opted_out"}, "FALLBACK_ON", "wants no messages"},
		{[]string{"STATUS_FALLBACK=8", "FALLBACK_ON=undeliverable,invalid_phone"}, "FALLBACK_ON", "says nothing"},
		{[]string{"STATUS_FALLBACK=8", "FALLBACK_AFTER=30s"}, "FALLBACK_AFTER", "from 1m"},
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
		{[]string{"DB_COL_REPLY=ds_mensagem"}, "DB_COL_REPLY", "same column as DB_COL_PARAMS"},
		{[]string{"DB_COL_REPLY=X", "DB_COL_REPLY_AT=X"}, "DB_COL_REPLY_AT", "same column as DB_COL_REPLY"},
		{[]string{"DB_COL_ERROR=X", "DB_COL_REMINDS=X"}, "DB_COL_ERROR", "same column as DB_COL_REMINDS"},
		{[]string{"REPLY_CODES=Confirmar"}, "REPLY_CODES", "has no code"},
		{[]string{"REPLY_CODES=Confirmar:"}, "REPLY_CODES", "not an answer with its code"},
		{[]string{"REPLY_CODES=:5"}, "REPLY_CODES", "not an answer with its code"},
		{[]string{"REPLY_CODES=,"}, "REPLY_CODES", "no answer"},
		{[]string{"REPLY_CODES=Sim:5,SIM!:6"}, "REPLY_CODES", "twice"},
		{[]string{"REPLY_CODES=Sim:" + strings.Repeat("5", 70)}, "REPLY_CODES", "has 70 characters"},
		{[]string{"REPLY_CODES=Sim:8", "STATUS_FALLBACK=8"}, "REPLY_CODES", "STATUS_FALLBACK"},
		{[]string{"REPLY_CODES=Sim:5,Não:1"}, "REPLY_CODES", "would be sent again"},
		{[]string{"REPLY_CODES=Não:01.0"}, "REPLY_CODES", "would be sent again"},
		{[]string{"REPLY_CODES=Não:2"}, "REPLY_CODES", "the code of STATUS_SENT"},
		{[]string{"REPLY_CODES=Não:5", "STATUS_READ=5"}, "REPLY_CODES", "the code of STATUS_READ"},
		{[]string{"REPLY_CODES=parar:5"}, "REPLY_CODES", "OPT_OUT_WORDS"},
		{[]string{"REPLY_WITHIN=0"}, "REPLY_WITHIN", "out of range"},
		{[]string{"REPLY_KEEP=both"}, "REPLY_KEEP", "first or last"},
		{[]string{"REPLY_PAYLOAD=yes"}, "REPLY_PAYLOAD", "off or on"},
		{[]string{"EVENTS_URL=http://erp.example.com/x", "EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "EVENTS_URL", "https://"},
		{[]string{"EVENTS_URL=https://u:p@erp.example.com/x", "EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "EVENTS_URL", "password"},
		{[]string{"EVENTS_URL=erp.example.com/x", "EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "EVENTS_URL", "https"},
		{[]string{"EVENTS_URL=https://erp.example.com/x"}, "EVENTS_SECRET", "not set"},
		{[]string{"EVENTS_SECRET=short"}, "EVENTS_SECRET", "whsec_"},
		{[]string{"EVENTS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_c2hvcnQ="}, "EVENTS_SECRET", "5 bytes"},
		{[]string{"EVENTS_SECRET=whsec_*"}, "EVENTS_SECRET", "base64"},
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

func TestLoad_NumberWithoutUnit(t *testing.T) {
	for number, want := range map[string]string{"45": "write 45s", "90": "write 90s", "60": "write 60s or 1m", "300": "write 300s or 5m"} {
		_, _, err := Load("", []string{"JOB_INTERVAL=" + number}, NeedJob)
		if ps := problems(t, err); len(ps) != 1 || ps[0].Hint != want {
			t.Errorf("%s: err = %v, want the fix %q", number, err, want)
		}
	}
}
