// Package config turns the environment and a .env file into one checked value.
//
// The people who set Pombo up edit a .env file in Notepad, or hand variables to
// a container. What goes wrong there goes wrong quietly: a name with a typo
// counts for nothing, a password with a $ arrives as another password, a wrong
// status code sends the same row for ever. So everything is read once, at the
// start, and checked before anything else happens:
//
//   - one table (table.go) says which variables there are, what each means, its
//     default and how its text is read; the reading, the print-out, the reference
//     in docs/configuration.md and .env.example all come from it;
//   - all problems come back together, as one [*Error], each with what to do;
//   - a name that looks like one of ours and is none comes back as a [Warning];
//   - a value in .env is what stands between its quotes, or it is refused: nothing
//     is expanded, cut or unescaped behind the reader's back (envfile.go);
//   - a secret is a [pombo.Private], which does not print itself, and no message here ever
//     quotes one.
//
// Nothing here connects to anything. Whether a table exists or a key is valid
// is for those to say who use them.
package config

import (
	"log/slog"
	"time"

	"pombo"
	"pombo/internal/words"
)

// DefaultFile is where the variables are looked for when nobody says otherwise.
// It is the only file that may be missing.
const DefaultFile = ".env"

// Need says which parts of the configuration a command uses, as a set of bits.
// What is not needed is neither demanded nor complained about, so that "pombo
// list" works on a machine that has no key.
type Need uint8

// The parts that a command can need.
const (
	NeedBlip Need = 1 << iota
	NeedSource
	NeedLedger
	NeedAPI // to serve it; the job needs NeedJob
	NeedJob
	NeedDispatch
	NeedLog
	NeedDesk

	NeedAll = NeedBlip | NeedSource | NeedLedger | NeedAPI | NeedJob | NeedDispatch | NeedLog | NeedDesk
)

// Config is the whole configuration. Only the parts that were asked of Load
// have been checked.
type Config struct {
	Blip     Blip
	Source   Source
	Ledger   Ledger
	API      API
	Events   Events
	Network  Network
	Desk     Desk
	Job      Job
	Dispatch Dispatch
	Replies  Replies
	Log      Log
	Traces   Traces
	Language words.Language // of what people read: that of the locale unless it is set

	// settings is what Print shows. The texts are already redacted: fmt cannot
	// ask the values of an unexported field to hide themselves.
	settings []setting
	// secretFiles are those that NAME_FILE names.
	secretFiles []string
	// systemFolder: relative paths lead into a folder of Windows.
	systemFolder bool
}

// Blip says how to reach Blip and what to send.
type Blip struct {
	Key               pombo.Private // without the leading "Key "
	URL               string        // scheme and host, without a path
	Template          string        // "" = every row names its own
	Namespace         string        // may be empty
	Language          string        // as "pt_BR"
	Timeout           time.Duration
	MessagesPerSecond float64 // 0 = no limit
	CommandsPerSecond float64 // 0 = no limit
	MasterState       string  // "" = leave it alone
	FlowID, StateID   string  // both or neither
}

// Source says where the rows are. Either URL is set, or DSN with User and
// Password, never both.
type Source struct {
	// Name is the name of the source in the ledger: the table's name without its
	// schema, in lower case. It is part of what every message id is derived
	// from: another name makes every row look new.
	Name string

	URL      pombo.Private // oracle://…, postgres://… or sqlite:path
	User     string
	Password pombo.Private
	DSN      string // host:1521/service, a descriptor or a TNS alias
	TNSAdmin string // folder of tnsnames.ora; "" = where Oracle's programs look

	Table                      string // perhaps with a schema; parts may be "quoted"
	ColID, ColPhone, ColStatus string
	Params                     []Column // the values of the template, in order
	ColTemplate, ColLanguage   string   // this and all below: "" = there is none
	ColPriority                string
	ColSendAfter, ColExpires   string
	ColMessageID, ColSentAt    string
	ColError                   string
	ColReminds                 string
	ColReply, ColReplyAt       string
	Where                      string         // a condition in SQL
	Zone                       *time.Location // of the table's dates
	Pending, Sent              string
	Failed, Delivered, Read    string
	Expired, Suppressed        string // "" = as Failed
	ReplyCodes                 []ReplyCode
	// Fallback is the code of rows that another channel of the company's takes; "" =
	// there is none. FallbackOn are the reasons of a failure that lead there,
	// FallbackAfter how long after it was sent a message that is not delivered does;
	// 0 = never.
	Fallback      string
	FallbackOn    []pombo.Reason
	FallbackAfter time.Duration
}

// Column is a column of the table and where in the template its value goes.
type Column struct {
	Place pombo.Slot
	Name  string
}

// Ledger says where Pombo keeps its queue and history.
type Ledger struct {
	URL       pombo.Private // sqlite:path or postgres://…
	Timeout   time.Duration // for an answer of PostgreSQL
	Retention time.Duration // of what is finished; 0 = for ever
	// ReconcileAt is when table, ledger and Blip are compared: the time since
	// midnight on the clocks of Source.Zone; Never = not by itself.
	ReconcileAt time.Duration
}

// Never stands for a time of the day that does not come.
const Never time.Duration = -1

// API says where the HTTP server listens.
type API struct {
	Addr          string        // host:port
	Token         pombo.Private // never empty when Addr is beyond loopback
	WebhookSecret pombo.Private // "" = Blip cannot post here
	OptOutWords   []string
}

// Events configures the events out.
type Events struct {
	URL     string          // "" = nobody
	Secrets []pombo.Private // as whsec_…; all of them sign
}

// Job says which server the job calls, and how often. It uses API.Token too.
type Job struct {
	URL      string // without a trailing slash
	Interval time.Duration
	Timeout  time.Duration // may be longer than Interval: calls never overlap
}

// Dispatch says how the messages are worked off.
type Dispatch struct {
	Workers       int           // 1 to 4096
	PollInterval  time.Duration // 0 = take rows in only when called
	Uncertain     string        // "check", "hold" or "resend"
	UncertainWait time.Duration // at least Blip.Timeout
	// ResendsBeforePause is how many rows may be set back to pending within a minute;
	// 0 = any number.
	ResendsBeforePause int
	// UncertainTemplates has the same for templates that differ, by their names.
	UncertainTemplates map[string]string
	Quiet              pombo.Quiet
	DocumentsDir       string // of the files that headers name; "" = there is none
	// FailuresBeforePause is after how many different people with the same failure in
	// a row the bot pauses; 0 = never.
	FailuresBeforePause int
}

// Log says what is logged and where to.
type Log struct {
	File   string // "" = the console only
	Format string // "text" or "json"
	Level  slog.Level
}

// Traces says where the spans of OpenTelemetry go.
type Traces struct {
	Endpoint string                   // without /v1/traces; "" = there are no spans
	Headers  map[string]pombo.Private // of each request
	Service  string                   // by which backends tell processes apart
	Share    float64                  // of the messages, from 0 to 1
}
