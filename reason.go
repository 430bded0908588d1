package pombo

// Reason says why a notification is where it is. The list is closed: a reason
// is a metric label, a filter and a line in the help, so a new one is added
// here or nowhere.
type Reason string

// The reasons. Those of one group stand together.
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

	// The template.
	TemplateMissing     Reason = "template_missing"
	TemplateNotApproved Reason = "template_not_approved"
	TemplatePaused      Reason = "template_paused"
	TemplateDisabled    Reason = "template_disabled"
	TemplateRefused     Reason = "template_refused"
	TemplateMismatch    Reason = "template_mismatch"
	TemplateUnusable    Reason = "template_unusable"

	// The person.
	NotOnWhatsApp Reason = "not_on_whatsapp"
	Undeliverable Reason = "undeliverable"
	OptedOut      Reason = "opted_out"
	// OptedOutOfMarketing leaves templates of other categories alone.
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

	// The way to Blip and beyond it.
	BlipUnreachable Reason = "blip_unreachable" // no connection: nothing left
	BlipUnavailable Reason = "blip_unavailable" // it answered that it cannot now
	NoAnswer        Reason = "no_answer"        // the request left, nothing came back
	GatewayTimeout  Reason = "gateway_timeout"
	ChannelError    Reason = "channel_error"
	CommandFailed   Reason = "command_failed"
	Unexplained     Reason = "unexplained"

	// Pombo and its operators.
	Interrupted       Reason = "interrupted"      // the process died or was stopped in between
	LeaseOver         Reason = "lease_over"       // the worker that had it went silent
	TriesExhausted    Reason = "tries_exhausted"  // the schedule has no further try
	TraceFound        Reason = "trace_found"      // Blip knows the id
	NoTrace           Reason = "no_trace"         // Blip was asked and does not know the id
	HeldForPerson     Reason = "held_for_person"  // policy hold: somebody decides
	ResentByPolicy    Reason = "resent_by_policy" // policy resend: rather twice than never
	RetriedByOperator Reason = "retried_by_operator"
	CancelledByHand   Reason = "cancelled_by_operator"
	SetBackToPending  Reason = "set_back_to_pending" // a finished row was set to pending again
	QuietHours        Reason = "quiet_hours"         // nobody is disturbed now
	SourceAway        Reason = "source_away"         // its row could not be read again
	Recovered         Reason = "recovered"           // the ledger was lost; Blip's trace has told of it
	LedgerWentBack    Reason = "ledger_went_back"    // it may have been sent by what the ledger lost
	ResendGuard       Reason = "resend_guard"        // too many rows were set back to pending at once
	KeptLongEnough    Reason = "kept_long_enough"    // RETENTION: its message was erased
	ForgottenOnDemand Reason = "forgotten_on_demand" // the person's data were erased
	ResentByItself    Reason = "resent_by_itself"    // after a failed receipt, as a new generation
)

// sentences has, for each reason, what happened and what to do, in words that a
// person on the telephone can be told.
var sentences = map[Reason]struct{ what, todo string }{
	InvalidPhone:        {"the phone number cannot be called", "correct the phone in the row, then retry"},
	ParameterEmpty:      {"a value of the template is empty", "fill the column in the row, then retry"},
	ParameterCount:      {"the row gives more or fewer values than the template has", "compare DB_COL_PARAMS with the template (pombo templates)"},
	ParameterFormat:     {"a value has a line break, a tab or more than four blanks in a row, which WhatsApp refuses", "write the value on one line, then retry"},
	ParameterTooLong:    {"a value is longer than WhatsApp allows", "shorten the value in the row, then retry"},
	ExpiredRow:          {"its time was over before it could be sent", "set a later time in the row, then retry if it is still wanted"},
	Withdrawn:           {"the row was no longer pending in the source", "nothing: its owner took it back; whoever wants it after all sets the row back to pending"},
	TemplateMissing:     {"Blip has no such template in this language", "check TEMPLATE_NAME, NAMESPACE and TEMPLATE_LANGUAGE against pombo templates"},
	TemplateNotApproved: {"the template is not approved", "wait for the approval or name another template"},
	TemplatePaused:      {"WhatsApp has paused the template because of its quality", "wait three to six hours, or send with another template"},
	TemplateDisabled:    {"WhatsApp has disabled the template", "make a new template and have it approved"},
	TemplateRefused:     {"the message does not fit the template", "compare the row's values with the template (pombo templates)"},
	TemplateMismatch:    {"the header or a button of the template takes other values than the row gives", "compare DB_COL_PARAMS with the template (pombo templates)"},
	TemplateUnusable:    {"WhatsApp does not let this number send the template as it is", "look at the template in Meta's WhatsApp Manager: its category, its settings, whether marketing is switched off; or send with another template"},
	NotOnWhatsApp:       {"the number has no WhatsApp", "reach the person another way"},
	Undeliverable:       {"WhatsApp could not deliver to this number", "check the number; reach the person another way"},
	OptedOut:            {"the person asked to get no more messages", "respect it"},
	OptedOutOfMarketing: {"the person asked to get no more marketing messages", "respect it; templates of other categories still go"},
	MarketingCap:        {"WhatsApp limits how many marketing messages this person gets", "try again in some days, or send as a utility template"},
	WindowClosed:        {"more than 24 hours since the person wrote", "send a template"},
	PairRate:            {"too many messages to this person in a short time", "nothing: it is tried again by itself"},
	BlockedByBusiness:   {"the company has blocked this person on WhatsApp", "unblock the person in the inbox that blocked them, then retry"},
	PhoneNeeded:         {"WhatsApp knows this person by a user name only, and the message needs a phone number", "reach the person another way"},
	Unauthorized:        {"Blip refuses the key", "check KEYBLIP: it must be the key of the bot that owns the number"},
	Forbidden:           {"the bot may not do this", "check in the Blip portal that this bot owns the WhatsApp number"},
	AccountBlocked:      {"the WhatsApp account is blocked, restricted or unpaid", "see the account in Meta's business manager"},
	AccountLimited:      {"WhatsApp limits the account for some hours, as it does when templates are in the wrong category", "review the categories of the templates (pombo templates); sending resumes by itself"},
	NumberNotReady:      {"the bot's WhatsApp number is not registered, has no approved display name or was deleted", "see the number in the Blip portal and in Meta's WhatsApp Manager; pombo resume sends again at once"},
	RateLimited:         {"Blip's rate was exceeded", "nothing: sending pauses by itself; lower BLIP_MESSAGES_PER_SECOND if it repeats"},
	SpamLimited:         {"WhatsApp limits the number because people reported it", "send less for some hours and look at the quality of the number"},
	BadRequest:          {"Blip did not understand the request", "see the detail; report it with the id"},
	MediaRefused:        {"WhatsApp could not fetch the header's media", "check that the link is public, https and small enough"},
	BlipUnreachable:     {"no connection to Blip; nothing was sent", "check network, proxy and BLIP_URL"},
	BlipUnavailable:     {"Blip said that it cannot answer now", "nothing: it is tried again by itself"},
	NoAnswer:            {"the message left and no answer came: it may or may not have arrived", "nothing with UNCERTAIN=check; else decide with retry or cancel"},
	GatewayTimeout:      {"the gateway to WhatsApp gave no answer in time: it may or may not have arrived", "nothing with UNCERTAIN=check; else decide with retry or cancel"},
	ChannelError:        {"the gateway to WhatsApp reported an error", "see the detail"},
	CommandFailed:       {"Blip answered a command with a failure", "see the detail"},
	Unexplained:         {"Blip gave a reason that Pombo does not know", "see the detail; report it with the id"},
	Interrupted:         {"the program stopped in between", "nothing: it goes on by itself"},
	LeaseOver:           {"the process that had it went silent", "nothing: it goes on by itself"},
	TriesExhausted:      {"it was tried as often as the schedule says", "mend the cause, then retry"},
	TraceFound:          {"Blip knows the message", "nothing"},
	NoTrace:             {"Blip was asked and knows nothing of the message", "nothing: it is sent again by itself"},
	HeldForPerson:       {"it is not known whether it arrived, and the policy is to hold", "decide with retry or cancel"},
	ResentByPolicy:      {"it is not known whether it arrived, and the policy is to resend", "nothing"},
	RetriedByOperator:   {"an operator had it sent again", "nothing"},
	CancelledByHand:     {"an operator cancelled it", "nothing"},
	SetBackToPending:    {"the row was set back to pending after it was finished", "nothing: it is sent again"},
	QuietHours:          {"it is night, a quiet day or a holiday where the person lives", "nothing: it goes when that is over; QUIET_EXEMPT names templates that go all the same"},
	SourceAway:          {"it had waited, and the table could not be asked whether it is still wanted", "nothing: it is tried again by itself; see to the database"},
	Recovered:           {"the ledger was lost; Blip's trace of the message has told of it", "nothing: it is not sent again"},
	LedgerWentBack:      {"the ledger had lost what it knew of it, so it may have been sent", "nothing: the row and Blip are asked before it is sent"},
	ResendGuard:         {"many rows were set back to pending within a minute, as when the table's database went back", "pombo resume --resends to send them again, pombo cancel --resends to write their status again"},
	KeptLongEnough:      {"its time in the ledger (RETENTION) was over: phone and message were erased", "nothing"},
	ForgottenOnDemand:   {"phone and message were erased on demand (pombo forget)", "nothing"},
	ResentByItself:      {"WhatsApp refused the message before this one for now", "nothing: it is sent again by itself"},
}

// Sentence says what the reason means, lower case and without a full stop.
// It is empty for NoReason and for a word that is no reason.
func (r Reason) Message() string { return sentences[r].what }

// Todo says what a person can do about it, in the same form.
func (r Reason) Hint() string { return sentences[r].todo }

// Valid reports whether r is one of the reasons, or none.
func (r Reason) Valid() bool {
	_, ok := sentences[r]
	return ok || r == NoReason
}
