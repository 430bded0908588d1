package ledger

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// How a notification is written into its columns, and read back.

// idNumber is the number under which an id is found: its first eight bytes.
func idNumber(id pombo.MessageID) int64 {
	var b [8]byte
	digits := string(id[:8]) + string(id[9:13]) + string(id[14:18])
	_, _ = hex.Decode(b[:], []byte(digits)) // an ID has the right form: ParseMessageID or Key.ID made it
	return int64(binary.BigEndian.Uint64(b[:]))
}

// digits stores a phone; NULL without a phone.
func digits(n phone.Number) any {
	if n.IsZero() {
		return nil
	}
	d, err := strconv.ParseInt(n.E164()[1:], 10, 64)
	if err != nil {
		return nil // fifteen digits always fit
	}
	return d
}

func number(digits sql.NullInt64) phone.Number {
	if !digits.Valid {
		return phone.Number{}
	}
	n, err := phone.FromE164("+" + strconv.FormatInt(digits.Int64, 10))
	if err != nil {
		return phone.Number{}
	}
	return n
}

// placeLanguage stands among the slots of a message and has the template's language.
const placeLanguage = "language"

// remindsSlot stands in a message in the place of a slot, before the row that it reminds of.
const remindsSlot = "reminds"

// message packs the parts that are only read as a whole.
func message(r *pombo.Row) (string, error) {
	list := make([]string, 0, 5+2*len(r.Params))
	after := ""
	if !r.SendAfter.IsZero() {
		after = strconv.FormatInt(r.SendAfter.UnixMilli(), 10)
	}
	list = append(list, r.Recipient.Reveal(), r.Template, after)
	if r.Language != "" {
		list = append(list, placeLanguage, r.Language)
	}
	for _, p := range r.Params {
		list = append(list, string(p.Slot), p.Value.Reveal())
	}
	if r.Reminds != "" {
		list = append(list, remindsSlot, r.Reminds)
	}
	b, err := json.Marshal(list)
	return string(b), err
}

var errMessage = errors.New("its message cannot be read")

func unpack(text []byte, n *pombo.Notification) error {
	if len(text) == 0 {
		return nil // erased
	}
	rest, ok := strings.CutPrefix(string(text), "[")
	if !ok {
		return errMessage // the cause could quote the text
	}
	var head [3]string // recipient, template, send after
	for i := range head {
		if head[i], rest, ok = readString(rest); !ok {
			return errMessage
		}
		rest = strings.TrimPrefix(rest, ",")
	}
	n.Recipient, n.Template = pombo.Private(head[0]), head[1]
	if head[2] != "" {
		ms, err := strconv.ParseInt(head[2], 10, 64)
		if err != nil {
			return errMessage
		}
		n.SendAfter = time.UnixMilli(ms).UTC()
	}
	for rest != "]" {
		var place, value string
		if place, rest, ok = readString(rest); !ok {
			return errMessage
		}
		if value, rest, ok = readString(strings.TrimPrefix(rest, ",")); !ok {
			return errMessage
		}
		rest = strings.TrimPrefix(rest, ",")
		switch place {
		case placeLanguage:
			n.Language = value
			continue
		case remindsSlot:
			n.Reminds = value
			continue
		}
		n.Params = append(n.Params, pombo.Param{Slot: pombo.Slot(place), Value: pombo.Private(value)})
	}
	return nil
}

// encodeEvent is one entry of a history as it is stored.
func encodeEvent(at int64, s pombo.State, attempt int, reason pombo.Reason, detail string) string {
	return "[" + strconv.FormatInt(at, 10) + encodeChange(s, attempt, reason, detail)
}

// encodeChange is an event without its time.
func encodeChange(s pombo.State, attempt int, reason pombo.Reason, detail string) string {
	b := make([]byte, 0, 96)
	b = append(b, `,"`...)
	b = append(b, s...)
	b = append(b, `",`...)
	b = strconv.AppendInt(b, int64(attempt), 10)
	if reason != "" || detail != "" {
		b = append(b, `,"`...)
		b = append(b, reason...)
		b = append(b, '"')
	}
	if detail != "" {
		d, err := json.Marshal(detail)
		if err == nil {
			b = append(append(b, ','), d...)
		}
	}
	return string(append(b, ']'))
}

// encodeNote is an event about the row in the source, or about the erasure of the message; the
// state stays as it is.
func encodeNote(at int64, s pombo.State, attempt int, reason pombo.Reason, detail string) string {
	b := encodeEvent(at, s, attempt, reason, detail)
	return b[:len(b)-1] + ",true]"
}

// summary is what a history comes to.
type summary struct {
	// The last change of state, and the last word on why it is as it is.
	updated, begun time.Time
	reason         pombo.Reason
	detail         string
	accepted       bool // Blip had it once
	// retired is when its message was erased because the time was over for which
	// it is kept.
	retired time.Time
}

var errHistory = errors.New("its history cannot be read")

// summarize reads a history. Only encodeEvent and encodeNote have written it, and it is
// read for every settlement, so it is taken apart by hand: encoding/json takes
// several times as long. The same goes for unpack and every claim.
func summarize(history []byte) (summary, error) {
	var st summary
	last := pombo.State("")
	for h := string(history); h != ""; {
		e, isNote, rest, ok := readEvent(h)
		if !ok {
			return summary{}, errHistory
		}
		h = rest
		if isNote {
			if e.Reason == pombo.KeptLongEnough {
				st.retired = e.At
			}
			continue
		}
		st.reason, st.detail = e.Reason, e.Detail
		if e.State != last {
			st.updated, last = e.At, e.State
		}
		if e.State == pombo.Sending {
			st.begun = e.At
		}
		st.accepted = st.accepted || e.State.Sent()
	}
	return st, nil
}

// decodeHistory returns the events of a history.
func decodeHistory(history []byte) ([]pombo.Event, error) {
	var events []pombo.Event
	for h := string(history); h != ""; {
		e, _, rest, ok := readEvent(h)
		if !ok {
			return nil, errHistory
		}
		events, h = append(events, e), rest
	}
	return events, nil
}

// readEvent reads [time,"state",attempt], which ,"reason" and ,"detail" and then
// ,true may follow.
func readEvent(h string) (e pombo.Event, isNote bool, rest string, ok bool) {
	at, h, ok := strings.Cut(h, `,"`)
	if !ok || at == "" || at[0] != '[' {
		return e, false, "", false
	}
	ms, err := strconv.ParseInt(at[1:], 10, 64)
	if err != nil {
		return e, false, "", false
	}
	e.At = time.UnixMilli(ms).UTC()
	state, h, ok := strings.Cut(h, `",`)
	if !ok {
		return e, false, "", false
	}
	e.State = pombo.State(state)
	end := strings.IndexAny(h, ",]")
	if end < 0 {
		return e, false, "", false
	}
	if e.Attempt, err = strconv.Atoi(h[:end]); err != nil {
		return e, false, "", false
	}
	h = h[end:]
	if strings.HasPrefix(h, `,"`) {
		reason, after, found := strings.Cut(h[2:], `"`)
		if !found {
			return e, false, "", false
		}
		e.Reason, h = pombo.Reason(reason), after
	}
	if strings.HasPrefix(h, `,"`) {
		if e.Detail, h, ok = readString(h[1:]); !ok {
			return e, false, "", false
		}
	}
	h, isNote = strings.CutPrefix(h, ",true")
	rest, ok = strings.CutPrefix(h, "]")
	return e, isNote, rest, ok
}

// readString reads a JSON string at the start of h.
func readString(h string) (s, rest string, ok bool) {
	if h == "" || h[0] != '"' {
		return "", "", false
	}
	escaped := false
	for i := 1; i < len(h); i++ {
		switch h[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if !escaped {
				return h[1:i], h[i+1:], true
			}
			err := json.Unmarshal([]byte(h[:i+1]), &s)
			return s, h[i+1:], err == nil
		}
	}
	return "", "", false
}

// scan reads a notification without its identity. The columns are in the order in which the
// statements name them: see sqlNotification.
func scan(rows *sql.Rows) (pombo.Notification, error) {
	n, _, err := scanHistory(rows)
	return n, err
}

// scanHistory reads a notification and its history, which is valid until the
// next row.
func scanHistory(rows *sql.Rows) (pombo.Notification, []byte, error) {
	var (
		n                              pombo.Notification
		notBefore, expires, run, digit sql.NullInt64
		owner, settled                 sql.NullString
		created                        int64
		text, history                  sql.RawBytes
	)
	if err := rows.Scan(&n.Seq, &n.State, &n.Attempt, &n.Tries, &n.Priority, &notBefore, &expires, &owner, &settled, &run,
		&created, &n.Key.Generation, &digit, &n.Key.Source, &n.Key.RowKey, &text, &history); err != nil {
		return n, nil, err
	}
	if n.State == pombo.Queued || n.State == pombo.Uncertain {
		n.NotBefore = moment(notBefore)
	}
	n.Expires, n.Owner, n.Settled, n.Run = moment(expires), owner.String, settled.String, run.Int64
	n.Created, n.Phone, n.MessageID = time.UnixMilli(created).UTC(), number(digit), n.Key.MessageID()
	if err := unpack(text, &n); err != nil {
		return n, nil, fmt.Errorf("notification %s: %w", n.MessageID, err)
	}
	st, err := summarize(history)
	if err != nil {
		return n, nil, fmt.Errorf("notification %s: %w", n.MessageID, err)
	}
	n.Reason, n.Detail, n.Begun, n.Updated = st.reason, st.detail, st.begun, st.updated
	return n, history, nil
}
