package config

import (
	"time"

	"pombo"
)

// variable is one line of the table.
type variable struct {
	name     string
	standard string // the default, as it would be written; "" = none
	example  string // for .env.example; "" = the default
	secret   bool   // may come from NAME_FILE, is never shown
	required bool   // must be set when its part is needed
	starter  bool   // stands at the top of .env.example: everybody looks at it
	also     Need   // who needs it besides the readers of its group
	doc      string // Markdown, one line
	// set reads the text into its field. The text is never empty.
	set func(c *Config, text string) *Problem
	// show returns what may be printed of the text; nil = all, or nothing of a secret.
	show func(text string) string
}

// group is a part of the configuration with its variables.
type group struct {
	title     string
	need      Need
	about     string // Markdown
	variables []variable
}

// groups is the one table of variables. What is not in it does not exist: the
// reading, the check for unknown names, Print, docs/configuration.md and
// .env.example are all made from it.
var groups = []group{
	{
		title: "Blip and the template",
		need:  NeedBlip,
		about: "How to reach Blip, and which message goes out. Read by every command that talks to Blip.",
		variables: []variable{
			{
				name: "KEYBLIP", secret: true, required: true, starter: true,
				doc: "Key of the bot that owns the WhatsApp number (of the router, if there is one), as the Blip portal shows it under connection information. With or without the leading `Key `.",
				set: key,
			},
			{
				name: "BLIP_URL", standard: "https://http.msging.net", show: showURL,
				doc: "Address of Blip, without a path. `https`, because the key travels with every request; plain `http` only to this machine, for the simulator.",
				set: blipURL,
			},
			{
				name: "BLIP_CONTRACT", example: "mycompany",
				doc: "Contract of an organisation at Blip: the address becomes `https://{contract}.http.msging.net`. Instead of BLIP_URL.",
				set: contract,
			},
			{
				name: "TEMPLATE_NAME", starter: true, example: "exam_ready",
				doc: "Name of the approved template that is sent. May be empty only when DB_COL_TEMPLATE names one for each row.",
				set: templateName,
			},
			{
				name: "NAMESPACE", starter: true, example: "0a1b2c3d_4e5f_6789_abcd_ef0123456789",
				doc: "Namespace of the template. May be empty.",
				set: word(func(c *Config) *string { return &c.Blip.Namespace }),
			},
			{
				name: "TEMPLATE_LANGUAGE", standard: "pt_BR",
				doc: "Language of the template, with an underscore.",
				set: language,
			},
			{
				name: "BLIP_TIMEOUT", standard: "20s",
				doc: "How long one request to Blip may take, from 1s to 5m.",
				set: duration(func(c *Config) *time.Duration { return &c.Blip.Timeout }, time.Second, 5*time.Minute),
			},
			{
				name: "BLIP_MESSAGES_PER_SECOND", standard: "45",
				doc: "Most messages a second, over all processes that share the ledger; 0 = no limit. Blip allows 50 on a paid plan and closes the door for two minutes past that.",
				set: rate(func(c *Config) *float64 { return &c.Blip.MessagesPerSecond }),
			},
			{
				name: "BLIP_COMMANDS_PER_SECOND", standard: "180",
				doc: "Most commands (identities, templates, receipts) a second; 0 = no limit. Blip allows 200 on a paid plan.",
				set: rate(func(c *Config) *float64 { return &c.Blip.CommandsPerSecond }),
			},
			{
				name: "BLIP_MASTER_STATE", example: "mybot@msging.net",
				doc: "Bot behind the router in which the person's reply lands. Only with the key of a router.",
				set: word(func(c *Config) *string { return &c.Blip.MasterState }),
			},
			{
				name: "BLIP_FLOW_ID", example: "2b8cd000-0000-4000-8000-000000000001",
				doc: "Flow in which the reply lands. Together with BLIP_STATE_ID.",
				set: word(func(c *Config) *string { return &c.Blip.FlowID }),
			},
			{
				name: "BLIP_STATE_ID", example: "3f2ed000-0000-4000-8000-000000000002",
				doc: "Block of the flow in which the reply lands; it should wait for input.",
				set: word(func(c *Config) *string { return &c.Blip.StateID }),
			},
		},
	},
	{
		title: "The company's table",
		need:  NeedSource,
		about: "Where the rows are and what their columns and codes are called. Set either DB_URL, or DB_DSN with DB_USER and DB_PASSWORD. " +
			"Read by every command that touches the table.",
		variables: []variable{
			{ //nolint:gosec // a pattern, not a password
				name: "DB_URL", secret: true, example: "sqlite:data/company.db", show: showURL,
				doc: "Database: `oracle://user:password@host:1521/service`, `postgres://user:password@host/database` or `sqlite:path`. Characters such as `@ / # ? %` in the password are written percent-encoded (`@` is `%40`).",
				set: databaseURL(func(c *Config) *pombo.Private { return &c.Source.URL }, "oracle", "postgres", "postgresql", "sqlite"),
			},
			{
				name: "DB_DSN", starter: true, example: "dbserver:1521/ORCLPDB1", show: showDSN,
				doc: "Oracle database the cx_Oracle way: `host:1521/service`, a descriptor `(DESCRIPTION=…)` or a TNS alias. `host:1521:SID`, `tcps://host:2484/service` and the address of a Java program (`jdbc:oracle:thin:@…`) will do too. Of a DESCRIPTION_LIST, as two sites of Data Guard have it, each is tried in turn.",
				set: dsn,
			},
			{
				name: "TNS_ADMIN", example: "C:/oracle/network/admin",
				doc: "Folder of tnsnames.ora, for a DB_DSN that is an alias. Not set = `network/admin` of ORACLE_HOME; on Windows also where Oracle's own programs look, in the registry.",
				set: text(func(c *Config) *string { return &c.Source.TNSAdmin }),
			},
			{
				name: "DB_HOST", example: "dbserver",
				doc: "Host of the Oracle database, as another way to write DB_DSN: with DB_PORT, and DB_SERVICE_NAME or DB_SID.",
				set: part,
			},
			{
				name: "DB_PORT", example: "1521",
				doc: "Port for DB_HOST; 1521 when it is not set.",
				set: part,
			},
			{
				name: "DB_SERVICE_NAME", example: "ORCLPDB1",
				doc: "Service for DB_HOST.",
				set: part,
			},
			{
				name: "DB_SID", example: "ORCL",
				doc: "SID for DB_HOST, where there is no service name.",
				set: part,
			},
			{
				name: "DB_USER", starter: true, example: "WHATSAPP",
				doc: "User for DB_DSN or DB_HOST.",
				set: text(func(c *Config) *string { return &c.Source.User }),
			},
			{
				name: "DB_PASSWORD", secret: true, starter: true, example: "'between single quotes'",
				doc: "Password for DB_DSN or DB_HOST, as it is: nothing is percent-encoded here.",
				set: func(c *Config, s string) *Problem { c.Source.Password = pombo.Private(s); return nil },
			},
			{
				name: "DB_TABLE", standard: "NOTIFICACAO",
				doc: "Table, view or synonym, perhaps with its schema (`ERP.NOTIFICACAO`). **Its name without the schema, in lower case, is part of every message id**: after a change of name all rows that are pending look new, also those that were sent and could not be settled yet.",
				set: table,
			},
			{
				name: "DB_COL_ID", standard: "ID",
				doc: "Column that tells the rows apart: unique, never empty, never used again.",
				set: column(func(c *Config) *string { return &c.Source.ColID }),
			},
			{
				name: "DB_COL_PHONE", standard: "NR_TELEFONE",
				doc: "Column with the phone number.",
				set: column(func(c *Config) *string { return &c.Source.ColPhone }),
			},
			{
				name: "DB_COL_STATUS", standard: "CD_STATUS",
				doc: "Column with the status code. Pombo reads and writes it.",
				set: column(func(c *Config) *string { return &c.Source.ColStatus }),
			},
			{
				name: "DB_COL_PARAMS", standard: "NM_CONTATO,DS_MENSAGEM",
				doc: "Columns with the values of the template, in the order of `{{1}}`, `{{2}}`, …; a place such as `header:` or `button0:` may stand in front, see below. `-` = the template has no values.",
				set: params,
			},
			{
				name: "DB_COL_TEMPLATE", example: "NM_TEMPLATE",
				doc: "Column with the name of the template of this row; empty in a row = TEMPLATE_NAME.",
				set: column(func(c *Config) *string { return &c.Source.ColTemplate }),
			},
			{
				name: "DB_COL_LANGUAGE", example: "CD_IDIOMA",
				doc: "Column with the language of this row's template (`pt_BR`, `en_US`, `es`); empty in a row = TEMPLATE_LANGUAGE. The template has to be approved in it.",
				set: column(func(c *Config) *string { return &c.Source.ColLanguage }),
			},
			{
				name: "DB_COL_PRIORITY", example: "NR_PRIORIDADE",
				doc: "Column with a number from 0 to 9; higher goes first.",
				set: column(func(c *Config) *string { return &c.Source.ColPriority }),
			},
			{
				name: "DB_COL_SEND_AFTER", example: "DT_ENVIAR_APOS",
				doc: "Column with the time before which the row is not sent.",
				set: column(func(c *Config) *string { return &c.Source.ColSendAfter }),
			},
			{
				name: "DB_COL_EXPIRES", example: "DT_VALIDADE",
				doc: "Column with the time after which the row is no longer sent.",
				set: column(func(c *Config) *string { return &c.Source.ColExpires }),
			},
			{
				name: "DB_COL_MESSAGE_ID", example: "ID_MENSAGEM",
				doc: "Column that receives the message id (36 characters).",
				set: column(func(c *Config) *string { return &c.Source.ColMessageID }),
			},
			{
				name: "DB_COL_SENT_AT", example: "DT_ENVIO",
				doc: "Column that receives the time of sending.",
				set: column(func(c *Config) *string { return &c.Source.ColSentAt }),
			},
			{
				name: "DB_COL_ERROR", example: "DS_ERRO",
				doc: "Column that receives the reason when a row fails.",
				set: column(func(c *Config) *string { return &c.Source.ColError }),
			},
			{
				name: "DB_COL_REMINDS", example: "ID_LEMBRADA",
				doc: "Column with the key (DB_COL_ID) of the row that this row reminds of; empty = of none. Once that one has an answer, this one is not sent: it ends as withdrawn, and its row gets the code of STATUS_EXPIRED.",
				set: column(func(c *Config) *string { return &c.Source.ColReminds }),
			},
			{
				name: "DB_COL_REPLY", example: "DS_RESPOSTA",
				doc: "Column that receives what the person has answered: the text of the button that was pressed or what was written, at most 1,000 characters. It is personal data.",
				set: column(func(c *Config) *string { return &c.Source.ColReply }),
			},
			{
				name: "DB_COL_REPLY_AT", example: "DT_RESPOSTA",
				doc: "Column that receives the time of the answer.",
				set: column(func(c *Config) *string { return &c.Source.ColReplyAt }),
			},
			{
				name: "DB_WHERE", example: "DT_CRIACAO > SYSDATE - 7",
				doc: "Condition that a pending row must meet to be taken in, in the database's own SQL and on the table's columns alone: what the DBA asks for so that an index or a partition is used. `pombo sql` shows where it goes.",
				set: text(func(c *Config) *string { return &c.Source.Where }),
			},
			{
				name: "DB_TIMEZONE", standard: "America/Sao_Paulo",
				doc: "Zone of the dates in the table, as an IANA name. The names are built in; nothing is asked of the machine.",
				set: zone,
			},
			{
				name: "STATUS_PENDING", standard: "1",
				doc: "Code of a row that is to be sent.",
				set: code(func(c *Config) *string { return &c.Source.Pending }),
			},
			{
				name: "STATUS_SENT", standard: "2",
				doc: "Code that is written when Blip has taken the message.",
				set: code(func(c *Config) *string { return &c.Source.Sent }),
			},
			{
				name: "STATUS_FAILED", example: "3",
				doc: "Code that is written when the message failed for good. Not set = the row keeps its code, and every pass reads it again.",
				set: code(func(c *Config) *string { return &c.Source.Failed }),
			},
			{
				name: "STATUS_EXPIRED", example: "6",
				doc: "Code that is written when the message was not sent in time. Not set = that of STATUS_FAILED.",
				set: code(func(c *Config) *string { return &c.Source.Expired }),
			},
			{
				name: "STATUS_SUPPRESSED", example: "7",
				doc: "Code that is written when the message was not sent because the person gets no more. Not set = that of STATUS_FAILED.",
				set: code(func(c *Config) *string { return &c.Source.Suppressed }),
			},
			{
				name: "STATUS_DELIVERED", example: "4",
				doc: "Code that is written when the message is on the handset. Not set = the row keeps its code.",
				set: code(func(c *Config) *string { return &c.Source.Delivered }),
			},
			{
				name: "STATUS_READ", example: "5",
				doc: "Code that is written when the message was opened. Not set = the row keeps its code.",
				set: code(func(c *Config) *string { return &c.Source.Read }),
			},
			{
				name: "STATUS_FALLBACK", example: "8",
				doc: "Code that is written when a message did not reach the person and another channel, such as the company's own SMS system, should take the row. It is written once, over a code of Pombo's own, never for a person who opted out, and stays although the message is delivered later. Not set = nothing is handed over.",
				set: code(func(c *Config) *string { return &c.Source.Fallback }),
			},
			{
				name: "FALLBACK_ON", standard: "not_on_whatsapp,undeliverable",
				doc: "Reasons of a failure for which the row gets STATUS_FALLBACK in place of STATUS_FAILED, with commas between: the words of `pombo show`. A message that Pombo sends again by itself is not handed over before the last of them has failed. `-` = none. Only with STATUS_FALLBACK.",
				set: fallbackOn,
			},
			{
				name: "FALLBACK_AFTER", example: "4h",
				doc: "How long after it was sent a message that Blip took and that is not delivered gets STATUS_FALLBACK, at least 1m. Not set = it may take as long as it likes. Only with STATUS_FALLBACK.",
				set: duration(func(c *Config) *time.Duration { return &c.Source.FallbackAfter }, time.Minute, forever),
			},
		},
	},
	{
		title: "The ledger",
		need:  NeedLedger,
		about: "Pombo's own queue and history. If it is lost, the history is gone, and rows that were sent and not yet settled are sent again unless `pombo recover` is run first: keep it on a disk that is backed up.",
		variables: []variable{
			{
				name: "LEDGER_URL", standard: "sqlite:data/pombo.db", secret: true, show: showURL,
				doc: "Where the ledger is: `sqlite:path` on a disk of this machine, or `postgres://user:password@host/database` when more than one machine shares it.",
				set: databaseURL(func(c *Config) *pombo.Private { return &c.Ledger.URL }, "sqlite", "postgres", "postgresql"),
			},
			{
				name: "LEDGER_TIMEOUT", standard: "15s",
				doc: "How long a ledger in PostgreSQL may take to answer, from 2s to 5m: then the connection is given up, another one is made to the server that takes writes, and what was asked is asked again. Longer than the longest that the database needs for a write when it is busy.",
				set: duration(func(c *Config) *time.Duration { return &c.Ledger.Timeout }, 2*time.Second, 5*time.Minute),
			},
			{
				name: "RETENTION", standard: "90d",
				doc: "How long a finished notification is kept, from its last change on: then phone and text are erased, and what is left leaves a day later if its row cannot be sent again by mistake. In days (`90d`) or hours, at least 7d; `0` = for ever.",
				set: retention,
			},
			{
				name: "RECONCILE_AT", standard: "03:30",
				doc: "Time of the day, in DB_TIMEZONE, at which table, ledger and Blip are compared; `-` = only by `pombo reconcile`.",
				set: reconcileAt,
			},
		},
	},
	{
		title: "The API",
		need:  NeedAPI,
		about: "The HTTP server of `pombo serve` and `pombo start`.",
		variables: []variable{
			{
				name: "API_ADDR", standard: "127.0.0.1:5000",
				doc: "Where the server listens. Beyond this machine (`0.0.0.0:5000`) only with an API_TOKEN.",
				set: listen,
			},
			{
				name: "API_TOKEN", secret: true, also: NeedJob, example: "a-long-random-word",
				doc: "Word that callers send as `Authorization: Bearer …`; at least 16 characters when API_ADDR lets other machines in. Without one everybody on this machine may call.",
				set: token,
			},
			{
				name: "WEBHOOK_SECRET", secret: true, example: "a-long-random-word",
				doc: "Last part of the two addresses to enter in Blip's portal, `/blip/notifications/{secret}` and `/blip/messages/{secret}`: at least 16 letters, digits, `-`, `_`, `.` or `~`. Not set = Blip cannot post here, and is asked instead. See docs/receipts.md.",
				set: webhookSecret,
			},
			{
				name: "OPT_OUT_WORDS", standard: "SAIR,PARAR,STOP",
				doc: "What a person writes who wants no more messages, separated by commas. Case, accents and a full stop behind do not matter, and nothing else may be written. `-` = no word counts. Only with WEBHOOK_SECRET.",
				set: optOutWords,
			},
		},
	},
	repliesGroup,
	{
		title: "Events",
		need:  NeedDispatch,
		about: "What becomes of notifications, told to the company's systems as it happens. See docs/events.md.",
		variables: []variable{
			{
				name: "EVENTS_URL", example: "https://erp.example.com/pombo", show: showURL,
				doc: "Address that gets the events, one a POST, signed by the convention of Standard Webhooks. `https`, or plain `http` to this machine. The same for all processes that share a ledger. Not set = no events are kept.",
				set: eventsURL,
			},
			{
				name: "EVENTS_SECRET", secret: true, example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
				doc: "Secret that signs the events: `whsec_` and 24 to 64 random bytes in base64 (`echo whsec_$(openssl rand -base64 32)`). Several with blanks between all sign: to change it, put the new one beside the old one, have the receiver change, take the old one away.",
				set: eventsSecret,
			},
		},
	},
	networkGroup,
	deskGroup,
	{
		title: "The job",
		need:  NeedJob,
		about: "The caller of `pombo job` and `pombo start`. It sends API_TOKEN along.",
		variables: []variable{
			{
				name: "API_URL", standard: "http://127.0.0.1:5000", show: showURL,
				doc: "Address of the API that the job calls, without `/send_notification`.",
				set: apiURL,
			},
			{
				name: "JOB_INTERVAL", standard: "5m",
				doc: "Time from one call to the next, at least 1s.",
				set: duration(func(c *Config) *time.Duration { return &c.Job.Interval }, time.Second, forever),
			},
			{
				name: "JOB_TIMEOUT", standard: "10m",
				doc: "How long the job waits for one call, at least 1s. It may be longer than JOB_INTERVAL: calls never overlap.",
				set: duration(func(c *Config) *time.Duration { return &c.Job.Timeout }, time.Second, forever),
			},
		},
	},
	{
		title: "Sending",
		need:  NeedDispatch,
		about: "How the messages are worked off, and what happens when nobody knows whether one arrived.",
		variables: []variable{
			{
				name: "WORKERS", standard: "64",
				doc: "Most messages in flight at the same time, 1 to 4096.",
				set: whole(func(c *Config) *int { return &c.Dispatch.Workers }, 1, 4096),
			},
			{
				name: "POLL_INTERVAL", standard: "0",
				doc: "How often the server looks for pending rows by itself; 0 = only when called.",
				set: duration(func(c *Config) *time.Duration { return &c.Dispatch.PollInterval }, 0, forever),
			},
			{
				name: "UNCERTAIN", standard: "check",
				doc: "What to do when a message left and no answer came: `check` asks Blip and sends again if it knows nothing, `hold` leaves it to a person, `resend` sends again at once (rather twice than never).",
				set: oneOf(func(c *Config) *string { return &c.Dispatch.Uncertain }, uncertain...),
			},
			{
				name: "UNCERTAIN_WAIT", standard: "2m",
				doc: "How long to wait before Blip's knowing nothing counts: at least BLIP_TIMEOUT, at most 24h (Blip forgets after three days).",
				set: duration(func(c *Config) *time.Duration { return &c.Dispatch.UncertainWait }, 0, 24*time.Hour),
			},
			{
				name: "UNCERTAIN_TEMPLATES", example: "otp:hold,exam_ready:resend",
				doc: "UNCERTAIN for single templates, each with a colon and one of its words behind its name.",
				set: policies,
			},
			{
				name: "FAILURES_BEFORE_PAUSE", standard: "20",
				doc: "After the same failure for so many different people in a row, with nothing delivered in between, all sending pauses until `pombo resume`: a trouble of the account must not use up the whole table. 0 = never.",
				set: whole(func(c *Config) *int { return &c.Dispatch.FailuresBeforePause }, 0, 1_000_000),
			},
			{
				name: "RESENDS_BEFORE_PAUSE", standard: "20",
				doc: "How many finished rows may be set back to pending within a minute and are sent again; with more than that all of them wait until a person says so (`pombo resume --resends`), because the table's database may have gone back to an earlier time. 0 = any number.",
				set: whole(func(c *Config) *int { return &c.Dispatch.ResendsBeforePause }, 0, 1_000_000),
			},
			{
				name: "QUIET_HOURS", example: "21:00-08:00",
				doc: "Hours in which nobody is disturbed, by the clock where the person lives (by the area code); several with commas between. What waits goes when they are over. Not set = none.",
				set: parsed(func(c *Config) *[]pombo.Hours { return &c.Dispatch.Quiet.Hours }, pombo.ParseHours,
					"write hours such as 21:00-08:00, with commas between"),
			},
			{
				name: "QUIET_DAYS", example: "dom",
				doc: "Days of the week that are quiet from midnight to midnight, in English or Portuguese: `sun`, `sab,dom`.",
				set: parsed(func(c *Config) *[]time.Weekday { return &c.Dispatch.Quiet.Days }, pombo.ParseWeekdays,
					"write some of sun, mon, tue, wed, thu, fri and sat, or of dom, seg, ter, qua, qui, sex and sab, with commas between"),
			},
			{
				name: "HOLIDAYS_FILE", example: "holidays.txt",
				doc: "File with days that are quiet from midnight to midnight, one a line: `2026-12-25 Natal`, or `12-25` for every year; what follows a `#` is not read.",
				set: holidays,
			},
			{
				name: "DOCUMENTS_DIR", example: "documents",
				doc: "Folder, or a share that this machine has mounted, with the files that `header-document-file:` and its like name in DB_COL_PARAMS; folders below it count. Nothing above it can be reached. See docs/documents.md.",
				set: documentsDir,
			},
			{
				name: "QUIET_EXEMPT", example: "otp",
				doc: "Names of templates that go at any time, with commas between.",
				set: exempt,
			},
		},
	},
	{
		title: "The log",
		need:  NeedLog,
		about: "What is written down. Phones, names and texts never are.",
		variables: []variable{
			{
				name: "LOG_FILE", standard: "logs/notificacao.log",
				doc: "File that the log goes to, beside the console; it is rotated. `-` = the console only.",
				set: logFile,
			},
			{
				name: "LOG_FORMAT", standard: "text",
				doc: "`text` (`2026-11-23 10:00:00,123 - INFO - message`) or `json`.",
				set: oneOf(func(c *Config) *string { return &c.Log.Format }, "text", "json"),
			},
			{
				name: "LOG_LEVEL", standard: "info",
				doc: "`debug`, `info`, `warn` or `error`.",
				set: level,
			},
		},
	},
	tracesGroup,
	{
		title: "The language",
		need:  NeedAll,
		about: "Of what people read. Words of the code, of JSON and of metrics are the same in every language.",
		variables: []variable{
			{
				name: "LANGUAGE", example: "pt-BR",
				doc: "`pt-BR` or `en`: the language of `pombo status`, of reasons in `pombo show`, of the headline and the alerts in GET /readyz and `pombo doctor`, and of what DB_COL_ERROR gets. Not set = that of the system (LC_ALL, LC_MESSAGES, LANG; on Windows that of the desktop), else `en`. In the environment, a list such as `pt_BR:pt:en`, which some systems keep under this name, counts as theirs: .env comes before it.",
				set: spoken,
			},
		},
	},
}

// prefixes begin names that are meant for Pombo. The words of the second list
// are so common that other programs put names with them into the environment
// (a container that is linked to one called "db" finds a DB_PORT); there a name
// counts as ours only when it is close to one.
var (
	ownPrefixes    = []string{"KEYBLIP", "BLIP_", "TEMPLATE_", "LEDGER_", "RETENTION", "RECONCILE_", "UNCERTAIN", "RESENDS_", "QUIET_", "HOLIDAYS", "WEBHOOK_", "OPT_OUT", "EVENTS_", "DESK_", "AUDIT_", "DOCUMENTS_", "FALLBACK_"}
	commonPrefixes = []string{"DB_", "STATUS_", "API_", "JOB_", "LOG_"}
)

// systemNames stand in the environment for other programs.
var systemNames = []string{"ORACLE_SID", "HTTP_PROXY"}

// otherNames are names of ours in other people's words.
var otherNames = map[string]string{
	"HTTP_PROXY": "HTTPS_PROXY", "DB_USERNAME": "DB_USER", "DB_PASS": "DB_PASSWORD", "DB_PWD": "DB_PASSWORD", "DB_SERVICE": "DB_SERVICE_NAME",
	"ORACLE_DSN": "DB_DSN", "ORACLE_CONNECTION_STRING": "DB_DSN", "ORACLE_URL": "DB_URL", "ORACLE_USER": "DB_USER", "ORACLE_USERNAME": "DB_USER", "ORACLE_PASSWORD": "DB_PASSWORD",
	"ORACLE_HOST": "DB_HOST", "ORACLE_PORT": "DB_PORT", "ORACLE_SERVICE": "DB_SERVICE_NAME", "ORACLE_SERVICE_NAME": "DB_SERVICE_NAME", "ORACLE_SID": "DB_SID", "ORACLE_TABLE": "DB_TABLE",
}

// fileSuffix makes the name of a secret the name of a file that has it.
const fileSuffix = "_FILE"

// lookup returns the variable that a name or, for a secret, its NAME_FILE
// belongs to, who needs it, and its place in the table; -1 when there is none.
func lookup(name string) (v variable, need Need, position int) {
	for _, g := range groups {
		for _, v := range g.variables {
			if v.name == name || v.secret && v.name+fileSuffix == name {
				return v, g.need | v.also, position
			}
			position++
		}
	}
	return variable{}, 0, -1
}

// places lists the places of DB_COL_PARAMS with what each takes, for the
// reference.
var places = []struct {
	Place pombo.Slot
	Takes string
}{
	{pombo.Body, "the next `{{n}}` of the text; the same as nothing in front"},
	{pombo.HeaderText, "the variable of a header that is text"},
	{pombo.HeaderImage, "public `https` link to the picture of the header"},
	{pombo.HeaderVideo, "public `https` link to the video of the header"},
	{pombo.HeaderDocument, "public `https` link to the document of the header"},
	{pombo.HeaderImage + "-file", "path, below DOCUMENTS_DIR, of a JPEG or PNG that Pombo uploads just before it is sent; `header-video-file` (MP4, 3GP) and `header-document-file` (PDF, Office, text) likewise"},
	{pombo.HeaderDocument + "-blob", "nothing: the column itself has the bytes (BLOB, bytea), which are read and uploaded just before it is sent; `header-image-blob` and `header-video-blob` likewise"},
	{pombo.HeaderFilename, "the name that the person sees on that document; without it, what the link or the path ends in"},
	{"button0", "end of the address of the first button; `button1` to `button9` for the others"},
	{"button0-payload", "what a quick reply sends back when it is pressed; `button1-payload` to `button9-payload` likewise"},
	{"button0-code", "the code that a button copies; `button1-code` to `button9-code` likewise"},
}
