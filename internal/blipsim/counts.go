package blipsim

import "sync/atomic"

// Counts says what happened since New or Reset.
type Counts struct {
	Messages  int64 `json:"messages"`   // accepted
	IDs       int64 `json:"ids"`        // different ids among them
	Doubled   int64 `json:"doubled"`    // ids delivered more than once
	WithoutID int64 `json:"without_id"` // accepted, but there will never be receipts for them

	MessagePosts      int64 `json:"message_posts"` // requests, accepted or not
	CommandPosts      int64 `json:"command_posts"`
	NotificationPosts int64 `json:"notification_posts"`

	Accounts         int64 `json:"accounts"` // look-ups of identities
	TemplateLists    int64 `json:"template_lists"`
	NotificationGets int64 `json:"notification_gets"` // requests for the receipts of an id
	ThreadGets       int64 `json:"thread_gets"`       // requests for a conversation
	Stores           int64 `json:"stores"`            // commands for contexts, contacts and buckets
	OtherCommands    int64 `json:"other_commands"`
	FailedCommands   int64 `json:"failed_commands"` // of all of these, answered with status failure

	Uploads int64 `json:"uploads"` // documents stored

	Throttled    int64 `json:"throttled"`    // 429
	Unauthorized int64 `json:"unauthorized"` // 401
	Refused      int64 `json:"refused"`      // 400 and 413
	Errors       int64 `json:"errors"`       // 502, 503 and 504
	Cut          int64 `json:"cut"`          // closed without an answer
	Hung         int64 `json:"hung"`         // left without an answer

	Webhooks       int64 `json:"webhooks"`        // receipts posted and answered with a 2xx
	WebhooksFailed int64 `json:"webhooks_failed"` // receipts given up on
}

// counters are Counts while they are being counted.
type counters struct {
	rolls    atomic.Uint64
	requests [pathCount]atomic.Int64

	messages, ids, doubled, withoutID, drawn                                                     atomic.Int64
	uploads                                                                                      atomic.Int64
	accounts, templateLists, notificationGets, threadGets, stores, otherCommands, failedCommands atomic.Int64
	throttled, unauthorized, refused, errors, cut, hung, webhooksPosted, webhooksGivenUp         atomic.Int64
}

// clear resets everything but the number of the draw.
func (c *counters) clear() {
	for i := range c.requests {
		c.requests[i].Store(0)
	}
	for _, n := range []*atomic.Int64{
		&c.messages, &c.ids, &c.doubled, &c.withoutID, &c.drawn,
		&c.accounts, &c.templateLists, &c.notificationGets, &c.threadGets, &c.stores, &c.otherCommands, &c.failedCommands,
		&c.uploads, &c.throttled, &c.unauthorized, &c.refused, &c.errors, &c.cut, &c.hung, &c.webhooksPosted, &c.webhooksGivenUp,
	} {
		n.Store(0)
	}
}

// Counts returns what happened since New or Reset.
func (s *Server) Counts() Counts {
	c := &s.counters
	return Counts{
		Messages: c.messages.Load(), IDs: c.ids.Load(), Doubled: c.doubled.Load(), WithoutID: c.withoutID.Load(),
		MessagePosts: c.requests[messages].Load(), CommandPosts: c.requests[commands].Load(), NotificationPosts: c.requests[notifications].Load(),
		Accounts: c.accounts.Load(), TemplateLists: c.templateLists.Load(), NotificationGets: c.notificationGets.Load(), ThreadGets: c.threadGets.Load(),
		Stores: c.stores.Load(), OtherCommands: c.otherCommands.Load(), FailedCommands: c.failedCommands.Load(),
		Uploads: c.uploads.Load(), Throttled: c.throttled.Load(), Unauthorized: c.unauthorized.Load(), Refused: c.refused.Load(),
		Errors: c.errors.Load(), Cut: c.cut.Load(), Hung: c.hung.Load(),
		Webhooks: c.webhooksPosted.Load(), WebhooksFailed: c.webhooksGivenUp.Load(),
	}
}
