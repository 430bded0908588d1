package pombo

import (
	"cmp"
	"maps"
	"slices"
)

// Reason says why a notification is where it is. The list is closed: a reason
// is a metric label, a filter and a line in the help, so a new one is a constant
// and a line of the table below.
type Reason string

// The reasons, grouped by subject.
const (
	NoReason Reason = ""

	// The row.
	InvalidPhone     Reason = "invalid_phone"
	ParameterEmpty   Reason = "parameter_empty"
	ParameterCount   Reason = "parameter_count"
	ParameterFormat  Reason = "parameter_format"
	ParameterTooLong Reason = "parameter_too_long"
	ExpiredRow       Reason = "expired"
	Withdrawn        Reason = "withdrawn"
	DocumentMissing  Reason = "document_missing"   // not there, empty, or not written whole
	DocumentTooLarge Reason = "document_too_large" // larger than WhatsApp takes
	DocumentRefused  Reason = "document_refused"   // its path, its name or its type

	// The template.
	TemplateMissing     Reason = "template_missing"
	TemplateNotApproved Reason = "template_not_approved"
	TemplatePaused      Reason = "template_paused"
	TemplateDisabled    Reason = "template_disabled"
	TemplateRefused     Reason = "template_refused"
	TemplateMismatch    Reason = "template_mismatch"
	TemplateUnusable    Reason = "template_unusable"
	TemplateHeld        Reason = "template_held" // an operator holds it

	// The person.
	NotOnWhatsApp Reason = "not_on_whatsapp"
	Undeliverable Reason = "undeliverable"
	OptedOut      Reason = "opted_out"
	// OptedOutOfMarketing does not stop templates of other categories.
	OptedOutOfMarketing Reason = "opted_out_of_marketing"
	MarketingCap        Reason = "marketing_cap"
	WindowClosed        Reason = "window_closed"
	PairRate            Reason = "pair_rate"
	// The business has blocked the person, not the other way round.
	BlockedByBusiness Reason = "blocked_by_business"
	PhoneNeeded       Reason = "phone_needed"

	// The bot and its account.
	Unauthorized   Reason = "unauthorized"
	Forbidden      Reason = "forbidden"
	AccountBlocked Reason = "account_blocked"
	AccountLimited Reason = "account_limited"
	NumberNotReady Reason = "number_not_ready"
	RateLimited    Reason = "rate_limited"
	SpamLimited    Reason = "spam_limited"
	BadRequest     Reason = "bad_request"
	MediaRefused   Reason = "media_refused"
	UploadFailed   Reason = "upload_failed" // Blip did not store a document: nothing was sent

	// The way to Blip and beyond it.
	BlipUnreachable Reason = "blip_unreachable" // no connection: nothing was sent
	BlipUnavailable Reason = "blip_unavailable" // Blip answered that it cannot serve now
	NoAnswer        Reason = "no_answer"        // the request was sent, no answer came
	GatewayTimeout  Reason = "gateway_timeout"
	ChannelError    Reason = "channel_error"
	CommandFailed   Reason = "command_failed"
	Unexplained     Reason = "unexplained"

	// Pombo and its operators.
	Interrupted       Reason = "interrupted"       // the process died or was stopped during the attempt
	LeaseOver         Reason = "lease_over"        // the worker that had claimed it went silent
	TriesExhausted    Reason = "tries_exhausted"   // the schedule has no further try
	TraceFound        Reason = "trace_found"       // Blip knows the id
	NoTrace           Reason = "no_trace"          // Blip does not know the id
	AwaitingOperator  Reason = "awaiting_operator" // the policy is to ask an operator
	ResentByPolicy    Reason = "resent_by_policy"  // the policy is to resend: rather twice than never
	RetriedByOperator Reason = "retried_by_operator"
	CancelledByHand   Reason = "cancelled_by_operator"
	SetBackToPending  Reason = "set_back_to_pending" // a finished row was set to pending again
	QuietHours        Reason = "quiet_hours"         // the recipient must not be disturbed now
	SourceAway        Reason = "source_away"         // its row could not be checked again
	Recovered         Reason = "recovered"           // rebuilt from Blip's trace after the ledger was lost
	LedgerWentBack    Reason = "ledger_went_back"    // the ledger lost its record, so it may have been sent
	ResendGuard       Reason = "resend_guard"        // too many rows were set back to pending at once
	KeptLongEnough    Reason = "kept_long_enough"    // RETENTION: its message was erased
	ForgottenOnDemand Reason = "forgotten_on_demand" // the person's data was erased
	ResentByItself    Reason = "resent_by_itself"    // automatically after a failed receipt, as a new generation
	DocumentAway      Reason = "document_away"       // the folder or the column of documents cannot be read
	HandedOver        Reason = "handed_over"         // to another channel, by STATUS_FALLBACK
)

// Class says whose matter a reason is. Code that treats several reasons alike asks
// for their class and never lists them, so that a new reason is one line.
type Class uint8

// The classes. The zero Class is that of NoReason and of unknown words.
const (
	_             Class = iota
	ClassRow            // the row has to change, or was not wanted
	ClassTemplate       // the template cannot be sent now, whatever the row's values
	ClassPerson         // the recipient cannot or will not receive the message
	ClassBot            // Blip or WhatsApp refuses the key, the account or the number
	ClassRate           // a rate limit was exceeded
	ClassLink           // Blip cannot be reached or cannot keep up, whatever the message
	ClassRequest        // Blip, or the channel behind it, failed this request
	ClassPombo          // Pombo did it
	ClassOperator       // an operator did it, or has to decide
)

// reasons is the one table of the reasons: whose matter each is, what a queued
// notification with it waits for, what happened and what to do about it, in words
// for a person on the telephone.
var reasons = map[Reason]struct {
	class         Class
	wait          WaitReason
	message, hint string
}{
	InvalidPhone:     {ClassRow, WaitRetry, "the phone number cannot be called", "correct the phone in the row, then retry"},
	ParameterEmpty:   {ClassRow, WaitRetry, "a template value is empty", "fill in the column in the row, then retry"},
	ParameterCount:   {ClassRow, WaitRetry, "the row gives more or fewer values than the template has", "compare DB_COL_PARAMS with the template (pombo templates)"},
	ParameterFormat:  {ClassRow, WaitRetry, "a value has a line break, a tab or more than four spaces in a row, which WhatsApp rejects", "write the value on one line, then retry"},
	ParameterTooLong: {ClassRow, WaitRetry, "a value is longer than WhatsApp allows", "shorten the value in the row, then retry"},
	ExpiredRow:       {ClassRow, WaitRetry, "it expired before it could be sent", "set a later expiry in the row, then retry if it is still wanted"},
	Withdrawn:        {ClassRow, WaitRetry, "it was no longer wanted: the row was not pending any more, or the message that it reminds of was answered", "nothing; to send it after all, set the row back to pending"},
	DocumentMissing:  {ClassRow, WaitRetry, "the document of the header is not there, or is empty", "write the file below DOCUMENTS_DIR under the name that the row has, or fill the column, then retry"},
	DocumentTooLarge: {ClassRow, WaitRetry, "the document of the header is larger than WhatsApp takes", "make it smaller (100 MB for a document, 5 MB for a picture, 16 MB for a film), then retry"},
	DocumentRefused:  {ClassRow, WaitRetry, "the document of the header cannot be sent: its path, its name or what is in it", "see the detail; correct the path in the row or the file, then retry"},
	TemplateRefused:  {ClassRow, WaitTemplate, "the message does not fit the template", "compare the row's values with the template (pombo templates)"},
	TemplateMismatch: {ClassRow, WaitTemplate, "the header or a button of the template takes different values from those in the row", "compare DB_COL_PARAMS with the template (pombo templates)"},

	TemplateMissing:     {ClassTemplate, WaitTemplate, "Blip has no such template in this language", "check TEMPLATE_NAME, NAMESPACE and TEMPLATE_LANGUAGE against pombo templates"},
	TemplateNotApproved: {ClassTemplate, WaitTemplate, "the template is not approved", "wait for approval or use another template"},
	TemplatePaused:      {ClassTemplate, WaitTemplate, "WhatsApp has paused the template because of its quality", "wait three to six hours, or send with another template"},
	TemplateDisabled:    {ClassTemplate, WaitTemplate, "WhatsApp has disabled the template", "create a new template and get it approved"},
	TemplateUnusable:    {ClassTemplate, WaitTemplate, "WhatsApp does not let this number send the template as it is", "check the template in Meta's WhatsApp Manager: its category, its settings, whether marketing is switched off; or send with another template"},

	NotOnWhatsApp:       {ClassPerson, WaitRetry, "the number is not on WhatsApp", "reach the person another way"},
	Undeliverable:       {ClassPerson, WaitRetry, "WhatsApp could not deliver to this number", "check the number; reach the person another way"},
	OptedOut:            {ClassPerson, WaitRetry, "the person asked to receive no more messages", "respect it"},
	OptedOutOfMarketing: {ClassPerson, WaitRetry, "the person asked to receive no more marketing messages", "respect it; templates of other categories are still sent"},
	MarketingCap:        {ClassPerson, WaitRetry, "WhatsApp limits how many marketing messages this person receives", "try again in a few days, or send as a utility template"},
	WindowClosed:        {ClassPerson, WaitRetry, "more than 24 hours have passed since the person last wrote", "send a template"},
	BlockedByBusiness:   {ClassPerson, WaitRetry, "the company has blocked this person on WhatsApp", "unblock the person in the inbox that blocked them, then retry"},
	PhoneNeeded:         {ClassPerson, WaitRetry, "WhatsApp knows this person only by a user name, and the message needs a phone number", "reach the person another way"},

	Unauthorized:   {ClassBot, WaitBlip, "Blip refuses the key", "check KEYBLIP: it must be the key of the bot that owns the number"},
	Forbidden:      {ClassBot, WaitBlip, "the bot is not allowed to do this", "check in the Blip portal that this bot owns the WhatsApp number"},
	AccountBlocked: {ClassBot, WaitBlip, "the WhatsApp account is blocked, restricted or unpaid", "check the account in Meta's business manager"},
	AccountLimited: {ClassBot, WaitBlip, "WhatsApp limits the account for some hours, as it does when templates are in the wrong category", "review the categories of the templates (pombo templates); sending resumes automatically"},
	NumberNotReady: {ClassBot, WaitBlip, "the bot's WhatsApp number is not registered, has no approved display name or was deleted", "check the number in the Blip portal and in Meta's WhatsApp Manager; pombo resume sends again at once"},

	PairRate:    {ClassRate, WaitRate, "too many messages to this person in a short time", "nothing: it is retried automatically"},
	RateLimited: {ClassRate, WaitRate, "Blip's rate limit was exceeded", "nothing: sending pauses automatically; lower BLIP_MESSAGES_PER_SECOND if it happens again"},
	SpamLimited: {ClassRate, WaitRate, "WhatsApp limits the number because people reported it", "send less for some hours and check the quality of the number"},

	BlipUnreachable: {ClassLink, WaitBlip, "no connection to Blip; nothing was sent", "check network, proxy and BLIP_URL"},
	BlipUnavailable: {ClassLink, WaitBlip, "Blip is temporarily unavailable", "nothing: it is retried automatically"},
	NoAnswer:        {ClassLink, WaitBlip, "the message was sent and no answer came: it may or may not have arrived", "nothing with UNCERTAIN=check; otherwise decide with retry or cancel"},
	GatewayTimeout:  {ClassLink, WaitBlip, "the gateway to WhatsApp gave no answer in time: the message may or may not have arrived", "nothing with UNCERTAIN=check; otherwise decide with retry or cancel"},

	BadRequest:    {ClassRequest, WaitRetry, "Blip did not understand the request", "see the detail; report it with the id"},
	MediaRefused:  {ClassRequest, WaitRetry, "WhatsApp could not fetch the header's media", "check that the link is public, https and small enough"},
	UploadFailed:  {ClassRequest, WaitBlip, "Blip did not store the document of the header; nothing was sent", "nothing: it is retried automatically; see the detail"},
	ChannelError:  {ClassRequest, WaitBlip, "the gateway to WhatsApp reported an error", "see the detail"},
	CommandFailed: {ClassRequest, WaitBlip, "Blip answered a command with a failure", "see the detail"},
	Unexplained:   {ClassRequest, WaitRetry, "Blip gave a reason that Pombo does not know", "see the detail; report it with the id"},

	Interrupted:      {ClassPombo, WaitRetry, "the program stopped before it finished", "nothing: it continues automatically"},
	LeaseOver:        {ClassPombo, WaitRetry, "the process that was working on it went silent", "nothing: it continues automatically"},
	TriesExhausted:   {ClassPombo, WaitRetry, "every try that the schedule allows has failed", "fix the cause, then retry"},
	TraceFound:       {ClassPombo, WaitRetry, "Blip knows the message", "nothing"},
	NoTrace:          {ClassPombo, WaitRetry, "Blip has no trace of the message", "nothing: it is sent again automatically"},
	ResentByPolicy:   {ClassPombo, WaitRetry, "it is not known whether it arrived, and the policy is to resend", "nothing"},
	SetBackToPending: {ClassPombo, WaitRetry, "the row was set back to pending after it was finished", "nothing: it is sent again"},
	QuietHours:       {ClassPombo, WaitQuietHours, "it is night, a quiet day or a holiday where the person lives", "nothing: it is sent when that is over; QUIET_EXEMPT names templates that are sent anyway"},
	SourceAway:       {ClassPombo, WaitSource, "it had waited, and the table could not be read to check that it is still wanted", "nothing: it is retried automatically; check the database"},
	DocumentAway:     {ClassPombo, WaitDocuments, "the document of the header cannot be read now", "check that DOCUMENTS_DIR is mounted and may be read, or that the database answers; it is sent automatically then"},
	HandedOver:       {ClassPombo, WaitRetry, "the row was handed over to the company's other channel (STATUS_FALLBACK)", "nothing: Pombo does not send it again by itself"},
	Recovered:        {ClassPombo, WaitRetry, "the ledger was lost; the message was rebuilt from Blip's trace of it", "nothing: it is not sent again"},
	LedgerWentBack:   {ClassPombo, WaitRetry, "the ledger lost its record of the message, so it may have been sent", "nothing: the row and Blip are checked before it is sent"},
	KeptLongEnough:   {ClassPombo, WaitRetry, "its time in the ledger (RETENTION) was over: phone and message were erased", "nothing"},
	ResentByItself:   {ClassPombo, WaitRetry, "WhatsApp refused the previous message for now", "nothing: it is sent again automatically"},

	TemplateHeld:      {ClassOperator, WaitTemplate, "an operator holds the template", "nothing: it is sent when the hold is over; pombo templates release ends it now"},
	AwaitingOperator:  {ClassOperator, WaitRetry, "it is not known whether it arrived, and the policy is to ask an operator", "decide with retry or cancel"},
	RetriedByOperator: {ClassOperator, WaitRetry, "an operator retried it", "nothing"},
	CancelledByHand:   {ClassOperator, WaitRetry, "an operator cancelled it", "nothing"},
	ResendGuard:       {ClassOperator, WaitResends, "many rows were set back to pending within a minute, as when the table's database was restored", "pombo resume --resends to send them again, pombo cancel --resends to write their status again"},
	ForgottenOnDemand: {ClassOperator, WaitRetry, "phone and message were erased on demand (pombo forget)", "nothing"},
}

// Reasons lists every reason but NoReason, in alphabetical order.
func Reasons() []Reason { return slices.Sorted(maps.Keys(reasons)) }

// Message says what the reason means, lower case and without a full stop.
// It is empty for NoReason and for an unknown word.
func (r Reason) Message() string { return reasons[r].message }

// Hint says what a person can do about it, in the same form.
func (r Reason) Hint() string { return reasons[r].hint }

// FallsBack reports whether a failure with this reason can lead to another channel: it
// says that this message, or this bot, does not reach the person, and not that the row
// is wrong or unwanted, or that the person opted out.
func (r Reason) FallsBack() bool {
	switch r.Class() {
	case ClassPerson:
		return r != OptedOut && r != OptedOutOfMarketing
	case ClassTemplate, ClassBot, ClassRate, ClassLink, ClassRequest:
		return true
	}
	return r == TriesExhausted
}

// Class returns the class; zero for NoReason and for an unknown word.
func (r Reason) Class() Class { return reasons[r].class }

// WaitReason says what a queued notification waits for whose time has not come,
// from the reason for which it was put back; without one, the row itself named
// the time.
func (r Reason) WaitReason() WaitReason {
	if r == NoReason {
		return WaitScheduled
	}
	return cmp.Or(reasons[r].wait, WaitRetry)
}

// Valid reports whether r is one of the reasons, or NoReason.
func (r Reason) Valid() bool {
	_, ok := reasons[r]
	return ok || r == NoReason
}
