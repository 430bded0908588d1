package pombo

import "time"

// Inbound is what a person sent to the bot: a text, the press of a button, a picture.
type Inbound struct {
	// ID is Blip's id of it; "" when it has none. Two with the same id are one message.
	ID       string
	Identity Private // what Blip calls the person
	BSUID    Private // what WhatsApp calls the person towards this business; "" = unknown
	// Phone has the digits of the person's number where the envelope states it; "" =
	// unknown. It is never derived from the identity.
	Phone Private
	Kind  ReplyKind
	// Text is what was written, the label of the button that was pressed, or the emoji
	// of a reaction; "" when it is not text.
	Text Private
	// Payload is what the button sends; "" when there is none. Blip does not say
	// reliably which of the two is the label, so who compares one compares both.
	Payload Private
	// RepliesTo has the ids of the message that it quotes or answers, without "fwd:".
	RepliesTo []MessageID
	UniqueID  string    // Blip's other id of the message that it answers; "" = unknown
	Form      string    // which of the shapes that Blip uses it had, for the log
	At        time.Time // by WhatsApp's or Blip's clock; zero when neither said
	// OptOut says that it is a word for "no more messages". The inbox decides that; the
	// ledger keeps it, and does not count it as an answer.
	OptOut bool
}

// ReplyKind says what a person sent. The words are stored in the ledger.
type ReplyKind string

// The kinds.
const (
	ReplyText     ReplyKind = "text"
	ReplyButton   ReplyKind = "button"
	ReplyList     ReplyKind = "list"
	ReplyMedia    ReplyKind = "media"
	ReplyLocation ReplyKind = "location"
	ReplyContact  ReplyKind = "contact"
	ReplyReaction ReplyKind = "reaction"
)

// Pressed reports whether the person chose one of the company's own words, rather than
// writing or sending something of theirs.
func (k ReplyKind) Pressed() bool { return k == ReplyButton || k == ReplyList }

// ReplyKinds lists the kinds.
func ReplyKinds() []ReplyKind {
	return []ReplyKind{ReplyText, ReplyButton, ReplyList, ReplyMedia, ReplyLocation, ReplyContact, ReplyReaction}
}

// ReplyMatch says how it was found out which notification a reply answers. The words
// are stored in the ledger.
type ReplyMatch string

// The ways, the surest first.
const (
	MatchedByID        ReplyMatch = "by_id"        // it quotes our id of the message
	MatchedByPayload   ReplyMatch = "by_payload"   // the button sends what we gave it
	MatchedByReference ReplyMatch = "by_reference" // it has Blip's other id of the message
	MatchedByPerson    ReplyMatch = "by_person"    // only one message to the person was open to an answer
	Unmatched          ReplyMatch = "unmatched"    // none, or more than one: nobody guesses
)

// ReplyMatches lists the ways, the surest first.
func ReplyMatches() []ReplyMatch {
	return []ReplyMatch{MatchedByID, MatchedByPayload, MatchedByReference, MatchedByPerson, Unmatched}
}

// Reply is an Inbound as the ledger keeps it, with the notification that it answers.
type Reply struct {
	Number int64 // in the ledger, in the order of coming in
	Inbound
	// MessageID and Key are those of the notification that it answers; zero when
	// it is unmatched.
	MessageID MessageID
	Key       Key
	Match     ReplyMatch
	// Counts says that it is the answer that stands: the first or the last one of the
	// notification, by REPLY_KEEP.
	Counts   bool
	Code     string    // the status code that it gives the row; "" = none
	Due      bool      // it is still to be written to the row
	Written  time.Time // when the row got it; zero = not
	Received time.Time // when the ledger got it
}

// Answer returns in one text what was answered: the text, else what the button sends,
// else the kind.
func (r Inbound) Answer() Private {
	switch {
	case r.Text != "":
		return r.Text
	case r.Payload != "":
		return r.Payload
	}
	return Private(r.Kind)
}

// ReplyQuery selects replies for a list. The zero ReplyQuery selects all.
type ReplyQuery struct {
	Unmatched    bool      // only those that are unmatched
	Notification MessageID // only those to one notification; "" = any
	Since        time.Time // received at or after; zero = any
	Until        time.Time // received before; zero = any

	Limit  int    // 1 to 1000; 0 = 50
	Cursor string // from the list before; "" = from the newest
}

// ReplyPage is one page of a list.
type ReplyPage struct {
	Replies []Reply // the newest first
	Next    string  // the cursor of those that follow; "" = there are none
}

// AnswerCount says how many answers that stand to messages of one template give rows the same
// status code.
type AnswerCount struct {
	Template string // UnknownTemplate = nobody knows any more
	Code     string // "" = none
	N        int
}

// Unanswered is a person whose answer to a notification with buttons has not come, and
// whose messages are to be read.
type Unanswered struct {
	Seq      int64 // of the notification
	Identity Private
	Since    time.Time // when the notification left
	Polls    int       // how many times the person's messages were read for it
}
