package blipsim

import (
	"net/url"
	"slices"
	"strconv"
	"time"
)

// threadItem is one message of a conversation.
type threadItem struct {
	at   time.Time
	body []byte
}

// getThread answers with the conversation of a person: what the bot sent, as far as it is
// kept, and what the person answered.
func (s *Server) getThread(sc *scratch, c *command, identity, query string) {
	s.counters.threadGets.Add(1)
	values, err := url.ParseQuery(query)
	if err != nil {
		c.fail(64, "The query is not valid")
		return
	}
	take := maxTake
	if given := values.Get("$take"); given != "" {
		if take, err = strconv.Atoi(given); err != nil || take < 1 {
			c.fail(64, "The $take parameter is not valid")
			return
		}
	}
	if take > maxTake {
		c.fail(64, "The take parameter cannot exceed 100")
		return
	}
	to, _, ok := s.recipient(identity)
	if !ok {
		c.fail(64, "The identity is not valid")
		return
	}
	list := s.conversation(to, identity)
	if values.Get("direction") != "asc" {
		slices.Reverse(list)
	}
	total := len(list)
	list = list[:min(take, total)]
	items := []byte{'['}
	for i, item := range list {
		if i > 0 {
			items = append(items, ',')
		}
		items = append(items, item.body...)
	}
	items = append(items, ']')
	sc.part = appendObject(sc.part[:0], s.roll(), number("total", int64(total)),
		text("itemType", "application/vnd.iris.thread-message+json"), raw("items", items))
	c.succeed("application/vnd.lime.collection+json", sc.part)
}

// conversation returns all messages to and from a person so far, the oldest first.
func (s *Server) conversation(to uint64, identity string) []threadItem {
	now := s.opts.Now()
	var list []threadItem
	for _, t := range s.recent.newest(-1) {
		if t.mark.to != to {
			continue
		}
		sent := s.sentItem(t, now)
		list = append(list, sent)
		if said, ok := s.answerTo(t); ok && !said.At.After(now) {
			said.From = identity
			kind, body := said.content(s.opts.OldPresses)
			list = append(list, s.threadItem(said.ID, "received", kind, "consumed", said.At, body, s.saidMetadata(&said)))
		}
	}
	slices.SortStableFunc(list, func(a, b threadItem) int { return a.at.Compare(b.at) })
	return list
}

func (s *Server) sentItem(t taken, now time.Time) threadItem {
	status := "accepted"
	for _, r := range s.receiptsOf(t.msg.ID, t.delivery, t.mark) {
		if !r.At.After(now) {
			status = string(r.Event)
		}
	}
	meta := appendObject(nil, 0, text("#uniqueId", randomUUID(s.fate(t.msg.ID, t.delivery, "unique"))))
	return s.threadItem(t.msg.ID, "sent", t.msg.Type, status, t.mark.at(), encode(t.msg.sent()), meta)
}

func (s *Server) threadItem(id, direction, kind, status string, at time.Time, content, meta []byte) threadItem {
	return threadItem{at, appendObject(nil, s.roll(), text("id", id), text("direction", direction), text("type", kind), raw("content", content),
		text("date", at.UTC().Format("2006-01-02T15:04:05.000Z")), text("status", status), raw("metadata", meta))}
}
