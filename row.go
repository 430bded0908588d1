package pombo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pombo/internal/phone"
)

// Row is one pending row as the source returned it, or a message that was added
// over HTTP.
type Row struct {
	RowKey    string  // the row's key as text
	Recipient Private // the phone as the row has it, not yet understood
	// Phone is what ParsePhone made of Recipient; the zero Number when Recipient is
	// not a phone number.
	Phone     phone.Number
	Params    []Param
	Template  string    // "" = the configured template
	Language  string    // of the template; "" = the configured one
	Priority  int       // 0 to 9, higher goes first
	SendAfter time.Time // zero = now
	Expires   time.Time // zero = never
	// Reminds is the key of the row that this one reminds of; "" = of none. Once that one
	// has an answer, this one is no longer sent.
	Reminds string
}

// ParsePhone sets Phone from Recipient. It is called once, where the row comes in: the
// number is then stored, searched for and called. A recipient that is not a phone
// number leaves Phone zero, and delivery ends the row with the reason.
func (r *Row) ParsePhone() {
	r.Phone, _ = phone.Parse(r.Recipient.Reveal()) // phone.Explain says what is wrong
}

// farAway is further ahead than any notification waits.
const farAway = 100 * 365 * 24 * time.Hour

// IsFar reports whether a time lies so far ahead that it means "never", such as the
// end of the year 9999, which many systems write.
func IsFar(t time.Time) bool { return time.Until(t) > farAway }

// RowProblem is a pending row that cannot be taken in. The row stays pending and
// every pass reports it. It is safe to log.
type RowProblem struct {
	RowKey  string // its key; "" when the key itself is the problem
	Column  string
	Message string // what is wrong and what to do
}

// MostRowProblems is how many problems a source keeps of one pass.
const MostRowProblems = 1000

// CountRowProblems says how many rows have a problem when n are known.
func CountRowProblems(n int) string {
	switch {
	case n >= MostRowProblems:
		return fmt.Sprintf("at least %d rows", n)
	case n == 1:
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// String returns the message with the row and the column before it.
func (p RowProblem) String() string {
	if p.RowKey == "" {
		return p.Column + ": " + p.Message
	}
	return "row " + p.RowKey + ", " + p.Column + ": " + p.Message
}

// Param is one value and the slot of the template that it fills.
type Param struct {
	Slot  Slot
	Value Private
}

// Slot names a part of the template that takes a value. The words are those that
// DB_COL_PARAMS puts before a column.
type Slot string

// Body is the next {{n}} of the body text. The others are built by ParseSlot:
// "header" (text), "header-image", "header-video", "header-document" (public
// https links), the same three with "-file" or "-blob" behind (see Upload),
// "header-filename" (the name that the recipient sees on the document),
// "button0" … "button9" (the variable end of a URL button),
// "button0-payload" … (what a quick reply sends back), "button0-code" … (the
// code that a button copies).
const Body Slot = "body"

// Header slots.
const (
	HeaderText     Slot = "header"
	HeaderImage    Slot = "header-image"
	HeaderVideo    Slot = "header-video"
	HeaderDocument Slot = "header-document"
	HeaderFilename Slot = "header-filename"
)

// ParseSlot reads a slot. The error lists all slots.
func ParseSlot(s string) (Slot, error) {
	p := Slot(strings.ToLower(strings.TrimSpace(s)))
	switch p {
	case Body, HeaderText, HeaderImage, HeaderVideo, HeaderDocument, HeaderFilename:
		return p, nil
	}
	if _, _, ok := p.Upload(); ok {
		return p, nil
	}
	if _, _, ok := p.Button(); ok {
		return p, nil
	}
	return "", fmt.Errorf("%q is not a slot of a template: use %s; header-image, header-video and header-document may have -file or -blob behind them", s, SlotForm)
}

// SlotForm lists the slots for a person who has to name one, without those of Upload.
const SlotForm = "body, header, header-image, header-video, header-document, header-filename, button0 to button9, button0-payload to button9-payload or button0-code to button9-code"

// Store says where the bytes of a header are that Pombo uploads to Blip itself.
type Store string

// The stores. The words are those that end a slot.
const (
	StoreFile Store = "file" // a file below DOCUMENTS_DIR, which the value names
	StoreBlob Store = "blob" // a binary column of the row: there is no value, the bytes are read when it is sent
)

// Upload returns the header that an uploaded file or BLOB fills with its link, and
// where its bytes are; ok is false when the slot takes its value as it is.
func (p Slot) Upload() (header Slot, store Store, ok bool) {
	for _, s := range []Store{StoreFile, StoreBlob} {
		if name, found := strings.CutSuffix(string(p), "-"+string(s)); found {
			header = Slot(name)
			return header, s, header == HeaderImage || header == HeaderVideo || header == HeaderDocument
		}
	}
	return "", "", false
}

// PayloadSlot returns the slot for what a button sends back. The buttons count from 0.
func PayloadSlot(button int) Slot { return Slot("button" + strconv.Itoa(button) + "-payload") }

// ButtonValue is what a value does in a button, in the words of WhatsApp's
// sub_type.
type ButtonValue string

// The values that buttons take.
const (
	ButtonURL     ButtonValue = "url"         // the variable end of its address
	ButtonPayload ButtonValue = "quick_reply" // what it sends back
	ButtonCode    ButtonValue = "copy_code"   // what it copies
)

// Button returns the index of the button and what the value does in it; ok is false
// when the slot is not a button's.
func (p Slot) Button() (index int, value ButtonValue, ok bool) {
	rest, found := strings.CutPrefix(string(p), "button")
	if !found {
		return 0, "", false
	}
	number, suffix, _ := strings.Cut(rest, "-")
	switch {
	case len(number) != 1 || number[0] < '0' || number[0] > '9':
		return 0, "", false
	case number == rest:
		value = ButtonURL
	case suffix == "payload":
		value = ButtonPayload
	case suffix == "code":
		value = ButtonCode
	default:
		return 0, "", false
	}
	return int(number[0] - '0'), value, true
}
