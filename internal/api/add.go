package api

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pombo"
)

// maxKey is the longest Idempotency-Key.
const maxKey = 255

// postNotification takes in one message without the table.
func (s *Server) postNotification(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	row := s.readRow(body)
	row.RowKey = r.Header.Get("Idempotency-Key")
	if row.RowKey == "" {
		row.RowKey = rand.Text()
	} else if !validKey(row.RowKey) {
		body.refuse("Idempotency-Key", fmt.Sprintf("must be at most %d printable characters of ASCII", maxKey))
	}
	if err := body.err(); err != nil {
		return err
	}
	n, added, err := s.o.Add(r.Context(), row)
	if err != nil {
		return fmt.Errorf("add notification: %w", err)
	}
	if !added && !sameMessage(n, row) {
		return refuse(http.StatusUnprocessableEntity, "the Idempotency-Key belongs to another message, "+string(n.MessageID), "use a new key for each message")
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
		w.Header().Set("Location", "/api/v1/notifications/"+string(n.MessageID))
	}
	return writeJSON(w, status, notificationOf(n))
}

// readRow reads the members of the body into a row. What is wrong with them is
// collected in the body.
func (s *Server) readRow(body *object) pombo.Row {
	var row pombo.Row
	row.Recipient, row.Phone = readPhone(body)
	var params []json.RawMessage
	body.read("params", &params, "must be a list")
	for i, raw := range params {
		p, problem := readParam(raw)
		if problem != "" {
			body.refuse(fmt.Sprintf("params[%d]", i), problem)
		}
		row.Params = append(row.Params, p)
	}

	body.read("template", &row.Template, "must be the name of a template")
	if row.Template != "" && !pombo.ValidTemplateName(row.Template) {
		body.refuse("template", "must be a name that WhatsApp allows: lower-case letters without accents, digits and _, at most 512")
	}
	var language string
	body.read("language", &language, languageForm)
	if language != "" {
		var ok bool
		if row.Language, ok = pombo.ParseLanguage(language); !ok || row.Language != language {
			body.refuse("language", languageForm)
		}
	}
	const priorities = "must be a whole number from 0 to 9"
	var priority float64 // 3.0 is a whole number too
	body.read("priority", &priority, priorities)
	if row.Priority = int(priority); priority < 0 || priority > 9 || priority != math.Trunc(priority) {
		body.refuse("priority", priorities)
	}
	body.readTime("send_after", &row.SendAfter)
	body.readTime("expires", &row.Expires)
	switch {
	case row.Expires.IsZero():
	case !row.Expires.After(s.o.Now()):
		body.refuse("expires", "is over already")
	case row.Expires.Before(row.SendAfter):
		body.refuse("expires", "is before send_after")
	}
	body.end("phone", "params", "template", "language", "priority", "send_after", "expires")
	return row
}

const languageForm = "must be the language of a template, such as pt_BR, en_US or es"

// readParam reads one value of the template: text, or an object that also says
// where it goes.
func readParam(raw json.RawMessage) (p pombo.Param, problem string) {
	const form = `must be text or {"slot": …, "value": …}`
	p.Slot = pombo.Body
	var text *string
	if json.Unmarshal(raw, &text) == nil && text != nil {
		return withValue(p, *text)
	}
	var placed struct{ Slot, Value *string }
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(&placed) != nil || placed.Value == nil {
		return p, form
	}
	if placed.Slot != nil {
		slot, err := pombo.ParseSlot(*placed.Slot)
		_, _, uploaded := slot.Upload()                             // what DOCUMENTS_DIR has is for rows of the table
		if err != nil || uploaded || string(slot) != *placed.Slot { // the error repeats what was sent
			return p, "slot must be " + pombo.SlotForm
		}
		p.Slot = slot
	}
	return withValue(p, *placed.Value)
}

func withValue(p pombo.Param, text string) (pombo.Param, string) {
	if strings.ContainsRune(text, 0) { // no database keeps it
		return p, "must not have the character NUL"
	}
	p.Value = pombo.Private(text)
	return p, ""
}

func validKey(key string) bool {
	return len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
}

// sameMessage reports whether the notification that a key belongs to is the one that is
// requested again. The texts are compared while the ledger has them.
func sameMessage(n pombo.Notification, row pombo.Row) bool {
	return n.Phone == row.Phone && n.Template == row.Template && n.Language == row.Language && (n.Params == nil || slices.Equal(n.Params, row.Params)) &&
		n.Priority == row.Priority && sameTime(n.SendAfter, row.SendAfter) && sameTime(n.Expires, row.Expires)
}

// sameTime compares as the ledger keeps times.
func sameTime(a, b time.Time) bool {
	return a.IsZero() == b.IsZero() && a.UnixMilli() == b.UnixMilli()
}

// object is a JSON object whose members are read one by one, so that all its faults can
// be reported at once, and without repeating what was sent, as the errors of
// encoding/json do.
type object struct {
	members map[string]json.RawMessage
	wrong   []FieldError
}

// readObject reads the body, which must be one JSON object in UTF-8.
func readObject(r *http.Request) (*object, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "the body must be JSON", "send the header Content-Type: application/json")
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badBody(err)
	}
	if !utf8.Valid(b) {
		// encoding/json would put a replacement for each accent, and people would get it.
		return nil, refuse(http.StatusBadRequest, "the body is not UTF-8", "encode it in UTF-8; Latin-1 (Windows-1252) is what Windows programs often send")
	}
	o := &object{}
	if err := json.Unmarshal(b, &o.members); err != nil || o.members == nil {
		return nil, refuse(http.StatusBadRequest, "the body is not a JSON object", "GET /openapi.yaml has an example")
	}
	return o, nil
}

func badBody(err error) error {
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
		return err
	}
	return refuse(http.StatusBadRequest, "the body did not arrive whole", "send it again")
}

// read reads a member; absent and null leave into as it is.
func (o *object) read(name string, into any, otherwise string) {
	raw, ok := o.members[name]
	delete(o.members, name)
	if ok && json.Unmarshal(raw, into) != nil {
		o.refuse(name, otherwise)
	}
}

// readTime reads a time that is near enough to be meant.
func (o *object) readTime(name string, into *time.Time) {
	var text *string
	o.read(name, &text, timeForm)
	if text == nil {
		return
	}
	t, ok := parseTime(*text)
	switch {
	case !ok:
		o.refuse(name, timeForm)
	case pombo.IsFar(t):
		o.refuse(name, "is more than 100 years away; leave it out")
	default:
		*into = t
	}
}

func (o *object) refuse(name, detail string) {
	if !o.wrongIn(name) {
		o.wrong = append(o.wrong, FieldError{Field: name, Detail: detail})
	}
}

func (o *object) wrongIn(name string) bool {
	return slices.ContainsFunc(o.wrong, func(f FieldError) bool { return f.Field == name })
}

// plainName is what the name of a member may look like to be repeated.
var plainName = regexp.MustCompile(`^[a-z][a-z_]{0,30}$`)

// end refuses the members that were not read.
func (o *object) end(known ...string) {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !plainName.MatchString(name) {
			name = "body"
		}
		o.refuse(name, "is not a member of it; there are "+strings.Join(known, ", "))
	}
}

func (o *object) err() error { return invalid(o.wrong) }
