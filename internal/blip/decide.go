package blip

import (
	"time"

	"pombo"
)

// decision is what follows from a kind of failure.
type decision struct {
	reason   pombo.Reason
	retry    bool           // a later attempt makes sense
	delivery pombo.Delivery // of a message; a command is always not sent (see forCommand)
	pause    time.Duration  // of the whole bot; a Retry-After replaces it
}

// cause is one kind of failure: a number in one of six lists.
type cause struct {
	list list
	code int
}

type list uint8

const (
	status     list = iota + 1 // HTTP status; 2 to 5 stand for all others of the hundred
	lime                       // reason of an envelope, below 102
	channel                    // WhatsApp's code: Meta's Cloud API and the older on-premises one
	reasonText                 // reason of an envelope whose text says more than its number
	asked                      // reason of a look-up of an identity, where it means something else
	transport                  // phase in which a call without a usable answer ended
)

const (
	// rateWait is how long Blip keeps refusing after its rate limit was exceeded.
	rateWait = 2 * time.Minute
	// accountWait is the pause when the key, the account or the address is at fault,
	// not the row: long enough to waste no rows, short enough that sending resumes
	// soon after the fault was corrected.
	accountWait = 5 * time.Minute
	// connectWait is the pause when no connection could be made: no other row would
	// get through, and an outage of a day must not use up the tries of any row.
	connectWait = 10 * time.Second
	// spamWait is the pause when people reported the number. Sending more makes it worse.
	spamWait = time.Hour
	// limitWait is the pause when WhatsApp limits the account for hours and lifts the
	// limit itself.
	limitWait = 6 * time.Hour
)

// Short names, so that the table stays a table.
const (
	notSent   = pombo.NotSent
	maybeSent = pombo.MaybeSent
	again     = true
	never     = false
)

// decisions is the one table. A refusal is notSent: Blip has answered that it did not
// accept the message. maybeSent stands wherever something in between may have answered
// in Blip's place after Blip had it.
//
// The codes are those of the Blip documentation, of LIME's ReasonCodes and of
// Meta's list of error codes (2026-11).
var decisions = map[cause]decision{
	// No answer.
	{transport, int(phaseConnect)}: {pombo.BlipUnreachable, again, notSent, connectWait},
	{transport, int(phaseWrite)}:   {pombo.BlipUnreachable, again, notSent, 0},
	{transport, int(phaseAnswer)}:  {pombo.NoAnswer, again, maybeSent, 0},
	// No usable answer; of commands only, since a message has none but its status.
	{transport, int(phaseForeign)}: {pombo.BlipUnreachable, again, notSent, accountWait},
	{transport, int(phaseLacking)}: {pombo.Unexplained, again, notSent, 0},

	// Any success but 202. Blip answers 202 and nothing else; a 200 can be Blip after
	// a change, or a proxy's page.
	{status, 2}: {pombo.Unexplained, again, maybeSent, 0},
	// Redirects are not followed. 301, 307 and 308 say "not here, send it
	// there"; 302 and 303 are also what a server answers after it processed a form.
	{status, 3}:   {pombo.BlipUnreachable, again, maybeSent, accountWait},
	{status, 301}: {pombo.BlipUnreachable, again, notSent, accountWait},
	{status, 307}: {pombo.BlipUnreachable, again, notSent, accountWait},
	{status, 308}: {pombo.BlipUnreachable, again, notSent, accountWait},
	// Refusals.
	{status, 4}:   {pombo.BadRequest, never, notSent, 0},
	{status, 400}: {pombo.BadRequest, never, notSent, 0}, // the reason in the body, when there is one, says more
	{status, 401}: {pombo.Unauthorized, again, notSent, accountWait},
	{status, 402}: {pombo.AccountBlocked, again, notSent, accountWait},
	{status, 403}: {pombo.Forbidden, again, notSent, accountWait},
	{status, 404}: {pombo.BlipUnreachable, again, notSent, accountWait}, // the address is not Blip's
	{status, 405}: {pombo.BlipUnreachable, again, notSent, accountWait},
	{status, 407}: {pombo.BlipUnreachable, again, notSent, accountWait}, // the proxy wants a login
	// 408 should mean that the request did not arrive in time, yet some load balancers
	// send it when the server behind them was too slow.
	{status, 408}: {pombo.NoAnswer, again, maybeSent, 0},
	{status, 413}: {pombo.ParameterTooLong, never, notSent, 0},
	{status, 421}: {pombo.BlipUnreachable, again, notSent, 0}, // the wrong server behind the address
	{status, 425}: {pombo.BlipUnavailable, again, notSent, 0},
	{status, 429}: {pombo.RateLimited, again, notSent, rateWait},
	// 5xx proves nothing. 502 and 504 come from a gateway that may have passed the
	// message on. 500 can come after the work was done. 503 reads like a refusal, but
	// load balancers (Envoy, for one) also send it when the connection to the server
	// behind them broke after the request had gone there; a Retry-After does not
	// distinguish the two, so it only pauses the bot.
	{status, 5}:   {pombo.BlipUnavailable, again, maybeSent, 0},
	{status, 500}: {pombo.BlipUnavailable, again, maybeSent, 0},
	{status, 501}: {pombo.BlipUnreachable, again, notSent, accountWait}, // does not know POST
	{status, 502}: {pombo.GatewayTimeout, again, maybeSent, 0},
	{status, 503}: {pombo.BlipUnavailable, again, maybeSent, 0},
	{status, 504}: {pombo.GatewayTimeout, again, maybeSent, 0},

	// LIME.
	{lime, 1}:   {pombo.ChannelError, again, notSent, 0},
	{lime, 11}:  {pombo.BlipUnavailable, again, notSent, 0}, // 11 to 18: the session between Blip's own servers
	{lime, 12}:  {pombo.BlipUnavailable, again, notSent, 0},
	{lime, 13}:  {pombo.Unauthorized, again, notSent, accountWait},
	{lime, 14}:  {pombo.BlipUnavailable, again, notSent, 0},
	{lime, 15}:  {pombo.BlipUnavailable, again, notSent, 0},
	{lime, 16}:  {pombo.BlipUnavailable, again, notSent, 0},
	{lime, 17}:  {pombo.BlipUnavailable, again, notSent, 0},
	{lime, 18}:  {pombo.BlipUnavailable, again, notSent, 0},
	{lime, 21}:  {pombo.BadRequest, never, notSent, 0}, // 21 to 27: the envelope
	{lime, 22}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 23}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 24}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 25}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 26}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 27}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 31}:  {pombo.Forbidden, never, notSent, 0}, // 31, 32, 35 may concern this one destination: the bot does not pause
	{lime, 32}:  {pombo.Forbidden, never, notSent, 0},
	{lime, 33}:  {pombo.Undeliverable, never, notSent, 0},
	{lime, 34}:  {pombo.RateLimited, again, notSent, rateWait},
	{lime, 35}:  {pombo.Forbidden, never, notSent, 0},
	{lime, 41}:  {pombo.ChannelError, again, notSent, 0},
	{lime, 42}:  {pombo.Undeliverable, never, notSent, 0},
	{lime, 43}:  {pombo.ChannelError, never, notSent, 0},
	{lime, 44}:  {pombo.ChannelError, never, notSent, 0},
	{lime, 51}:  {pombo.ChannelError, again, notSent, 0},
	{lime, 60}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 61}:  {pombo.ChannelError, again, notSent, 0},
	{lime, 62}:  {pombo.CommandFailed, never, notSent, 0},
	{lime, 63}:  {pombo.CommandFailed, never, notSent, 0},
	{lime, 64}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 65}:  {pombo.CommandFailed, never, notSent, 0},
	{lime, 66}:  {pombo.Forbidden, never, notSent, 0},
	{lime, 67}:  {pombo.CommandFailed, never, notSent, 0},
	{lime, 71}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 81}:  {pombo.ChannelError, again, notSent, 0}, // often with the channel's code in its text: see explain
	{lime, 82}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 83}:  {pombo.NotOnWhatsApp, never, notSent, 0},
	{lime, 84}:  {pombo.BadRequest, never, notSent, 0},
	{lime, 85}:  {pombo.RateLimited, again, notSent, rateWait},
	{lime, 86}:  {pombo.GatewayTimeout, never, maybeSent, 0}, // it may have been delivered
	{lime, 87}:  {pombo.AccountBlocked, never, notSent, 0},
	{lime, 101}: {pombo.ChannelError, never, notSent, 0},

	// The key of a bot that does not own the number fails as a gateway error, like a
	// temporary failure; only the text distinguishes them.
	{reasonText, 81}: {pombo.Forbidden, again, notSent, accountWait},

	// The same for a look-up of an identity. Blip does not document its answer for a
	// number that is not on WhatsApp; "not found" is the likeliest.
	{asked, 33}: {pombo.NotOnWhatsApp, never, notSent, 0},
	{asked, 42}: {pombo.NotOnWhatsApp, never, notSent, 0},
	{asked, 67}: {pombo.NotOnWhatsApp, never, notSent, 0},

	// Meta's Cloud API: the account.
	{channel, 0}:      {pombo.AccountBlocked, again, notSent, accountWait}, // 0 and 190: the token between Blip and Meta
	{channel, 190}:    {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 3}:      {pombo.Forbidden, again, notSent, accountWait},
	{channel, 10}:     {pombo.Forbidden, again, notSent, accountWait},
	{channel, 200}:    {pombo.Forbidden, again, notSent, accountWait}, // stands for 200 to 299
	{channel, 131005}: {pombo.Forbidden, again, notSent, accountWait},
	{channel, 368}:    {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 131031}: {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 131042}: {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 131045}: {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 131064}: {pombo.AccountLimited, again, notSent, limitWait},   // misclassified templates
	{channel, 135000}: {pombo.AccountLimited, again, notSent, limitWait},   // pacing of the portfolio
	{channel, 33}:     {pombo.NumberNotReady, again, notSent, accountWait}, // the business number was deleted
	{channel, 131037}: {pombo.NumberNotReady, again, notSent, accountWait}, // no approved display name
	{channel, 133000}: {pombo.NumberNotReady, again, notSent, accountWait}, // 133000 to 133016: its registration
	{channel, 133005}: {pombo.NumberNotReady, again, notSent, accountWait},
	{channel, 133006}: {pombo.NumberNotReady, again, notSent, accountWait},
	{channel, 133008}: {pombo.NumberNotReady, again, notSent, accountWait},
	{channel, 133009}: {pombo.NumberNotReady, again, notSent, accountWait},
	{channel, 133010}: {pombo.NumberNotReady, again, notSent, accountWait},
	{channel, 133015}: {pombo.NumberNotReady, again, notSent, accountWait},
	{channel, 133016}: {pombo.NumberNotReady, again, notSent, accountWait},
	{channel, 130497}: {pombo.AccountBlocked, never, notSent, 0}, // only towards one country
	// Temporary failures.
	{channel, 1}:       {pombo.ChannelError, again, notSent, 0},
	{channel, 2}:       {pombo.ChannelError, again, notSent, 0},
	{channel, 131000}:  {pombo.ChannelError, again, notSent, 0},
	{channel, 131016}:  {pombo.ChannelError, again, notSent, 0},
	{channel, 133004}:  {pombo.ChannelError, again, notSent, 0},
	{channel, 131057}:  {pombo.ChannelError, again, notSent, rateWait}, // the number is being upgraded
	{channel, 132069}:  {pombo.ChannelError, again, notSent, 0},
	{channel, 134101}:  {pombo.ChannelError, again, notSent, 0},        // the template is still being synchronised
	{channel, 2494100}: {pombo.ChannelError, again, notSent, rateWait}, // the number is in maintenance for minutes
	// Rates.
	{channel, 4}:      {pombo.RateLimited, again, notSent, rateWait},
	{channel, 80007}:  {pombo.RateLimited, again, notSent, rateWait},
	{channel, 130429}: {pombo.RateLimited, again, notSent, rateWait},
	{channel, 131056}: {pombo.PairRate, again, notSent, 0},
	{channel, 131048}: {pombo.SpamLimited, again, notSent, spamWait},
	// The person.
	{channel, 131049}: {pombo.MarketingCap, never, notSent, 0}, // retrying soon prolongs it
	{channel, 130472}: {pombo.Undeliverable, never, notSent, 0},
	{channel, 131026}: {pombo.Undeliverable, never, notSent, 0},
	{channel, 130403}: {pombo.BlockedByBusiness, never, notSent, 0},
	{channel, 131062}: {pombo.PhoneNeeded, never, notSent, 0},
	{channel, 131030}: {pombo.Forbidden, never, notSent, 0}, // a test number may write only to listed people
	{channel, 131047}: {pombo.WindowClosed, never, notSent, 0},
	{channel, 131050}: {pombo.OptedOutOfMarketing, never, notSent, 0},
	{channel, 498}:    {pombo.OptedOutOfMarketing, never, notSent, 0}, // twin of 131050
	// The message.
	{channel, 100}:    {pombo.BadRequest, never, notSent, 0},
	{channel, 131008}: {pombo.BadRequest, never, notSent, 0},
	{channel, 131009}: {pombo.BadRequest, never, notSent, 0},
	{channel, 131021}: {pombo.BadRequest, never, notSent, 0},
	{channel, 131051}: {pombo.BadRequest, never, notSent, 0},
	{channel, 131055}: {pombo.BadRequest, never, notSent, 0},
	{channel, 131052}: {pombo.MediaRefused, never, notSent, 0},
	{channel, 131053}: {pombo.MediaRefused, never, notSent, 0},
	// The template.
	{channel, 132000}: {pombo.ParameterCount, never, notSent, 0},
	{channel, 132001}: {pombo.TemplateMissing, never, notSent, 0},
	{channel, 132005}: {pombo.ParameterTooLong, never, notSent, 0},
	{channel, 132007}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 132012}: {pombo.ParameterFormat, never, notSent, 0},
	{channel, 132015}: {pombo.TemplatePaused, never, notSent, 0},
	{channel, 132016}: {pombo.TemplateDisabled, never, notSent, 0},
	{channel, 132018}: {pombo.ParameterFormat, never, notSent, 0},
	{channel, 132068}: {pombo.TemplateDisabled, never, notSent, 0},
	{channel, 131058}: {pombo.TemplateUnusable, never, notSent, 0},
	{channel, 131063}: {pombo.TemplateUnusable, never, notSent, 0}, // marketing is switched off for the number
	{channel, 134011}: {pombo.TemplateUnusable, never, notSent, 0},
	{channel, 134100}: {pombo.TemplateUnusable, never, notSent, 0},
	{channel, 134102}: {pombo.TemplateUnusable, never, notSent, 0},
	{channel, 134103}: {pombo.TemplateUnusable, never, notSent, 0},

	// The older on-premises API, which old bots still pass on.
	{channel, 400}:  {pombo.BadRequest, never, notSent, 0},
	{channel, 402}:  {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 408}:  {pombo.BadRequest, never, notSent, 0},
	{channel, 410}:  {pombo.Undeliverable, never, notSent, 0}, // it waited too long for the handset
	{channel, 429}:  {pombo.RateLimited, again, notSent, rateWait},
	{channel, 430}:  {pombo.AccountBlocked, again, notSent, accountWait}, // 430, 432, 433: the certificate
	{channel, 432}:  {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 433}:  {pombo.AccountBlocked, again, notSent, accountWait},
	{channel, 470}:  {pombo.WindowClosed, never, notSent, 0},
	{channel, 471}:  {pombo.RateLimited, again, notSent, rateWait},
	{channel, 472}:  {pombo.Undeliverable, never, notSent, 0},
	{channel, 500}:  {pombo.ChannelError, again, notSent, 0},
	{channel, 1000}: {pombo.ChannelError, again, notSent, 0},
	{channel, 1001}: {pombo.ParameterTooLong, never, notSent, 0},
	{channel, 1002}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1004}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1005}: {pombo.Forbidden, again, notSent, accountWait},
	{channel, 1006}: {pombo.NotOnWhatsApp, never, notSent, 0},
	{channel, 1008}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1009}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1010}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1011}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1013}: {pombo.NotOnWhatsApp, never, notSent, 0},
	{channel, 1014}: {pombo.ChannelError, again, notSent, 0},
	{channel, 1015}: {pombo.RateLimited, again, notSent, rateWait},
	{channel, 1021}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1022}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1025}: {pombo.BadRequest, never, notSent, 0},
	{channel, 1026}: {pombo.Undeliverable, never, notSent, 0},
	{channel, 2000}: {pombo.ParameterCount, never, notSent, 0},
	{channel, 2001}: {pombo.TemplateMissing, never, notSent, 0},
	{channel, 2002}: {pombo.TemplateMissing, never, notSent, 0},
	{channel, 2003}: {pombo.TemplateRefused, never, notSent, 0}, // 2003 to 2012: the rest about templates
	{channel, 2004}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2005}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2006}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2007}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2008}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2009}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2010}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2011}: {pombo.TemplateRefused, never, notSent, 0},
	{channel, 2012}: {pombo.TemplateRefused, never, notSent, 0},
}

// decideStatus looks up an HTTP status: its own line, else that of its hundred.
func decideStatus(code int) decision {
	if d, ok := decisions[cause{status, code}]; ok {
		return d
	}
	if d, ok := decisions[cause{status, code / 100}]; ok {
		return d
	}
	return decision{pombo.Unexplained, again, maybeSent, 0}
}

// decideReason looks up a reason of Blip and returns the code that decided: the
// channel's when there is one, else LIME's. An unknown code is not retried.
func decideReason(r reason) (decision, int) {
	c := r.explain()
	if d, ok := decisions[c]; ok {
		return d, c.code
	}
	if c.list == channel && 200 <= c.code && c.code <= 299 {
		return decisions[cause{channel, 200}], c.code
	}
	return decision{pombo.Unexplained, never, notSent, 0}, c.code
}

// forCommand turns a decision about a message into one about a command. Commands
// query, or set a value to what it should be: they may be repeated, so there is no
// doubt, and a missing answer counts as a refusal for now.
func (d decision) forCommand() decision {
	if d.reason == pombo.NoAnswer || d.reason == pombo.GatewayTimeout {
		d.reason, d.retry = pombo.BlipUnavailable, again
	}
	d.delivery = notSent
	return d
}

// provesKey reports whether Blip has accepted the key. A failed command proves it as
// well as a success does.
func provesKey(err error) bool {
	f, ok := err.(*pombo.Error) //nolint:errorlint // command returns this very type
	return err == nil || ok && f.Reason == pombo.CommandFailed
}
