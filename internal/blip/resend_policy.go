package blip

import "pombo"

// resendPolicies says what follows from a failed receipt. It is a second table beside
// decisions because the question differs: there a POST was refused and nothing was
// sent; here Blip had the message, maybe for hours, and a second try is a second
// message. So only what is known to be temporary is sent again, and what may have been
// delivered never is.
//
// A test checks that each code of decisions is in exactly one line here. The waits of
// each policy are in pombo.ResendPolicy; package receipts pauses and suspends, the
// ledger queues the next generation.
var resendPolicies = []struct {
	policy  pombo.ResendPolicy
	failure string // for docs/receipts.md
	list    list
	codes   []int
}{
	{pombo.ResendBackoff, "Blip's servers or the gateway were unavailable", lime, []int{1, 11, 12, 14, 15, 16, 17, 18, 41, 51, 61, 81}},
	{pombo.ResendBackoff, "Blip's rate limit was exceeded", lime, []int{34, 85}},
	{pombo.ResendBackoff, "WhatsApp was unavailable; the number is being upgraded or in maintenance; the template is being synchronised", channel, []int{1, 2, 131000, 131016, 131057, 132069, 133004, 134101, 2494100, 500, 1000, 1014}},
	{pombo.ResendBackoff, "WhatsApp's rate limit was exceeded, of the number or towards the person", channel, []int{4, 80007, 130429, 131056, 429, 471, 1015}},
	{pombo.ResendBackoff, "the header's media could not be fetched", channel, []int{131052, 131053}},

	{pombo.ResendDays, "the person receives too many marketing messages", channel, []int{131049}},

	{pombo.ResendTemplate, "the template is missing, not yet approved or paused", channel, []int{132001, 132015, 2001, 2002}},
	{pombo.ResendTemplate, "the number may not send the template as it is", channel, []int{131058, 131063, 134011, 134100, 134102, 134103}},
	{pombo.ResendSuspend, "the template is disabled", channel, []int{132016, 132068}},

	{pombo.ResendBot, "the bot's session is not authenticated", lime, []int{13}},
	{pombo.ResendBot, "the key is of a bot that does not own the number", reasonText, []int{81}},
	{pombo.ResendBot, "token, rights, payment or registration of the account; 200 stands for 200 to 299", channel, []int{0, 3, 10, 190, 200, 368, 131005, 131031, 131042, 131045, 402, 430, 432, 433, 1005}},
	{pombo.ResendBot, "the number is not registered, has no approved display name or was deleted", channel, []int{33, 131037, 133000, 133005, 133006, 133008, 133009, 133010, 133015, 133016}},
	{pombo.ResendBot, "people reported the number", channel, []int{131048}},

	{pombo.ResendAccount, "the account is limited for some hours", channel, []int{131064, 135000}},

	{pombo.ResendNever, "it may have been delivered", lime, []int{86}},
	{pombo.ResendNever, "the envelope, the destination, the rights towards it", lime, []int{21, 22, 23, 24, 25, 26, 27, 31, 32, 33, 35, 42, 43, 44, 60, 62, 63, 64, 65, 66, 67, 71, 82, 83, 84, 87, 101}},
	{pombo.ResendNever, "the person has switched marketing messages off", channel, []int{498, 131050}},
	{pombo.ResendNever, "the person cannot be reached this way", channel, []int{130403, 130472, 130497, 131026, 131030, 131047, 131062, 410, 470, 472, 1006, 1013, 1026}},
	{pombo.ResendNever, "the message does not fit the template or the rules", channel, []int{
		100, 131008, 131009, 131021, 131051, 131055, 132000, 132005, 132007, 132012, 132018,
		400, 408, 1001, 1002, 1004, 1008, 1009, 1010, 1011, 1021, 1022, 1025, 2000, 2003, 2004, 2005, 2006, 2007, 2008, 2009, 2010, 2011, 2012,
	}},
}

// policyFor is the table by cause.
var policyFor = func() map[cause]pombo.ResendPolicy {
	m := map[cause]pombo.ResendPolicy{}
	for _, line := range resendPolicies {
		for _, code := range line.codes {
			m[cause{line.list, code}] = line.policy
		}
	}
	return m
}()

// policy looks up a reason. An unknown code is not sent again.
func (r reason) policy() pombo.ResendPolicy {
	c := r.explain()
	if c.list == channel && 200 <= c.code && c.code <= 299 {
		c.code = 200
	}
	return policyFor[c]
}
