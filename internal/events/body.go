package events

import (
	"encoding/json"
	"fmt"
	"time"

	"pombo"
)

// body is the JSON of an event, as docs/events.md describes it.
type body struct {
	Type      pombo.EventType `json:"type"`
	Timestamp time.Time       `json:"timestamp"` // when it happened, not when it is sent
	Data      json.RawMessage `json:"data"`
}

// data is what an event says about a notification.
type data struct {
	ID         pombo.MessageID `json:"id"`
	Source     string          `json:"source"`
	Row        string          `json:"row"`
	Generation int             `json:"generation"`
	Template   string          `json:"template"`
	State      pombo.State     `json:"state"`
	Reason     pombo.Reason    `json:"reason,omitempty"`
	Attempt    int             `json:"attempt"`
}

// Body returns the JSON that is sent for an event. It is the same every time.
func Body(e pombo.OutboxEvent) ([]byte, error) {
	b := body{Type: e.Type, Timestamp: e.At.UTC(), Data: e.Extra}
	switch {
	case e.Key != (pombo.Key{}):
		of, err := json.Marshal(data{e.Key.MessageID(), e.Key.Source, e.Key.RowKey, e.Key.Generation, e.Template, e.State, e.Reason, e.Attempt})
		if err != nil {
			return nil, err
		}
		b.Data = join(of, e.Extra)
	case e.Template != "":
		b.Data = join(fmt.Appendf(nil, `{"template":%q}`, e.Template), e.Extra)
	case len(e.Extra) == 0:
		b.Data = json.RawMessage("{}")
	}
	return json.Marshal(b)
}

// join makes one object of two, of which the first has a member.
func join(a, b json.RawMessage) json.RawMessage {
	if len(b) <= len("{}") {
		return a
	}
	return append(append(a[:len(a)-1:len(a)-1], ','), b[1:]...)
}
