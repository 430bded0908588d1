package blipsim

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Message is an accepted message.
type Message struct {
	ID        string    `json:"id"` // "" when it had none
	To        string    `json:"to"`
	Type      string    `json:"type"`
	Template  string    `json:"template"` // the template's name; "" for other content
	Language  string    `json:"language"`
	Namespace string    `json:"namespace"`
	Params    []Param   `json:"params"`
	At        time.Time `json:"at"`       // of its acceptance
	Delivery  int       `json:"delivery"` // 1 for the first of its id
	Key       string    `json:"-"`        // the token it came with
}

// Param is a value and its slot in the template: "header", "body", "button0",
// "button0-payload" and so on; media have their kind in the slot ("header-image") and
// their link as value; the name of a document follows it ("header-filename").
type Param struct {
	Slot  string `json:"slot"`
	Value string `json:"value"`
}

// Taken returns the accepted messages in order: the newest KeepMessages of them.
func (s *Server) Taken() []Message { return s.newest(-1) }

func (s *Server) newest(n int) []Message {
	kept := s.recent.newest(n)
	out := make([]Message, len(kept))
	for i, t := range kept {
		out[i] = t.message()
	}
	return out
}

func (t taken) message() Message {
	m := Message{ID: t.msg.ID, To: t.msg.To, Type: t.msg.Type, At: t.mark.at(), Delivery: t.delivery + 1, Key: t.bot.token}
	if tm := t.msg.template(); tm != nil {
		m.Template, m.Language, m.Namespace, m.Params = tm.Name, tm.Language.Code, tm.Namespace, tm.params()
	}
	return m
}

// envelope is the part of a message that the simulator reads.
type envelope struct {
	ID      string   `json:"id"`
	To      string   `json:"to"`
	Type    string   `json:"type"`
	Content *content `json:"content"`
}

type content struct {
	Type     string        `json:"type"`
	Template *wireTemplate `json:"template"`
}

type wireTemplate struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Language  struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []component `json:"components"`
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type"`
	Index      index       `json:"index"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Payload  string `json:"payload"`
	Image    *media `json:"image"`
	Video    *media `json:"video"`
	Document *media `json:"document"`
}

type media struct {
	Link     string `json:"link"`
	Filename string `json:"filename"`
}

// index is the number of a button, which comes as a number or as text.
type index int

func (i *index) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err != nil {
		n = -1 // no such button: the check of the template reports it
	}
	*i = index(n)
	return nil
}

func (p parameter) media() (kind string, m *media) {
	switch p.Type {
	case "image":
		return p.Type, p.Image
	case "video":
		return p.Type, p.Video
	case "document":
		return p.Type, p.Document
	}
	return "", nil
}

// template returns the template of the message, nil when it has none.
func (e *envelope) template() *wireTemplate {
	if e.Type != "application/json" || e.Content == nil || e.Content.Type != "template" {
		return nil
	}
	return e.Content.Template
}

func (t *wireTemplate) params() []Param {
	var out []Param
	for _, c := range t.Components {
		slot := c.Type
		if c.Type == "button" {
			slot += strconv.Itoa(int(c.Index))
		}
		for _, p := range c.Parameters {
			kind, m := p.media()
			switch {
			case m != nil:
				out = append(out, Param{slot + "-" + kind, m.Link})
				if m.Filename != "" {
					out = append(out, Param{slot + "-filename", m.Filename})
				}
			case p.Type == "payload":
				out = append(out, Param{slot + "-payload", p.Payload})
			default:
				out = append(out, Param{slot, p.Text})
			}
		}
	}
	return out
}

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request, sc *scratch, b *bot, f fault, now time.Time) {
	var e envelope
	if problem := decodeMessage(sc, &e); problem != "" {
		s.wait(r, s.opts.Latency)
		s.refuse(w, sc, http.StatusBadRequest, problem)
		return
	}
	to, digits, onWhatsApp := s.recipient(e.To)
	script := s.scripts.of(digits)
	if f.kind == NoFault {
		f = s.attempts.fault(script, e.ID)
	}
	if f.processed() {
		s.take(&e, b, to, s.outcome(&e, to, onWhatsApp, script, now), now)
	}
	if !s.answer(w, r, sc, f) {
		w.WriteHeader(http.StatusAccepted)
	}
}

// decodeMessage returns what is wrong with the envelope, "" when nothing is. Content that
// is not a template is not wrong: Blip passes it on, and the channel refuses it later.
func decodeMessage(sc *scratch, e *envelope) string {
	var odd *json.UnmarshalTypeError
	switch err := sc.decode(e); {
	case err == nil:
	case errors.As(err, &odd) && strings.HasPrefix(odd.Field, "content"):
		if e.Content == nil {
			e.Content = &content{}
		}
	default:
		return "The envelope is not valid JSON"
	}
	switch {
	case e.To == "":
		return "The envelope has no 'to'"
	case e.Type == "":
		return "The envelope has no 'type'"
	case e.Content == nil:
		return "The envelope has no 'content'"
	}
	return ""
}

// outcome decides what becomes of the message.
func (s *Server) outcome(e *envelope, to uint64, onWhatsApp bool, sc script, now time.Time) uint16 {
	if !onWhatsApp {
		return s.outcomes.of(42)
	}
	if code := s.check(e); code != 0 {
		return s.outcomes.of(code)
	}
	if !s.pairs[to%shardCount].take(to, now) {
		return s.outcomes.of(131056)
	}
	return sc.outcome
}

// take accepts the message.
func (s *Server) take(e *envelope, b *bot, to uint64, outcome uint16, now time.Time) {
	m := newMark(to, now, outcome)
	delivery := 0
	if e.ID == "" {
		s.counters.withoutID.Add(1)
	} else {
		delivery = s.remember(e.ID, m)
	}
	t := taken{e, b, m, delivery}
	s.recent.add(t)
	s.counters.messages.Add(1)
	if s.webhook != nil && e.ID != "" {
		s.webhook.schedule(s, t)
	}
}
