package desk

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/phone"
)

// fakeMessages is a ledger of notifications in memory, the oldest first, and a table of
// one row.
type fakeMessages struct {
	list     []pombo.Notification
	events   map[pombo.MessageID][]pombo.Event
	template pombo.Template
	since    time.Time // when the template was first seen
	row      pombo.Row
	status   string
	optedOut pombo.OptOutScope
	traced   bool
	done     []string // what was asked for
	fail     error    // of actions
}

func (f *fakeMessages) ListStates(_ context.Context, by pombo.Filter, states ...pombo.State) (page pombo.Page, err error) {
	before := len(f.list)
	if by.Cursor != "" {
		if before, err = strconv.Atoi(by.Cursor); err != nil {
			return page, pombo.ErrCursor
		}
	}
	for i := before - 1; i >= 0; i-- {
		n := f.list[i]
		switch {
		case len(states) > 0 && !slices.Contains(states, n.State),
			by.Phone != "" && n.Phone.E164() != by.Phone,
			by.Text != "" && !strings.HasPrefix(n.Key.RowKey, by.Text) && !strings.HasPrefix(string(n.MessageID), by.Text),
			by.Reason != "" && n.Reason != by.Reason,
			by.Run != 0 && n.Run != by.Run,
			by.HandedOver && n.Settled != fallbackCode,
			!by.Since.IsZero() && n.Created.Before(by.Since):
			continue
		}
		if page.Notifications = append(page.Notifications, n); len(page.Notifications) == by.Limit && i > 0 {
			page.Next, page.LookedTo = strconv.Itoa(i), n.Created
			break
		}
	}
	return page, nil
}

func (f *fakeMessages) Notification(_ context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error) {
	for _, n := range f.list {
		if n.MessageID == id {
			return n, f.events[id], nil
		}
	}
	return pombo.Notification{}, nil, pombo.ErrNotFound
}

func (f *fakeMessages) TemplateAt(_ context.Context, name, _ string, at time.Time) (pombo.Template, bool, error) {
	return f.template, name == f.template.Name && !at.Before(f.since), nil
}

func (f *fakeMessages) OptedOut(phone.Number, string) pombo.OptOutScope { return f.optedOut }

func (f *fakeMessages) Free(phone.Number, string) (time.Time, *time.Location) {
	return time.Time{}, nil
}

func (f *fakeMessages) do(what string, id pombo.MessageID) error {
	f.done = append(f.done, what+" "+string(id))
	return f.fail
}
func (f *fakeMessages) Retry(_ context.Context, id pombo.MessageID) error { return f.do("retry", id) }
func (f *fakeMessages) Cancel(_ context.Context, id pombo.MessageID) error {
	return f.do("cancel", id)
}
func (f *fakeMessages) Ask(_ context.Context, id pombo.MessageID) (bool, error) {
	return f.traced, f.do("ask", id)
}

func (f *fakeMessages) Row(_ context.Context, key string) (pombo.Row, error) {
	if f.row.RowKey != key {
		return pombo.Row{}, pombo.ErrNotFound
	}
	return f.row, nil
}

func (f *fakeMessages) Statuses(_ context.Context, keys []string) (map[string]string, error) {
	return map[string]string{keys[0]: f.status}, nil
}

// add takes a notification in, with a history of queued and its state.
func (f *fakeMessages) add(n pombo.Notification) pombo.MessageID {
	if n.Key.Generation == 0 {
		n.Key.Generation = 1
	}
	n.Key.Source = "notificacao"
	n.MessageID, n.Seq = n.Key.MessageID(), int64(len(f.list)+1)
	n.Phone, _ = phone.Parse(n.Recipient.Reveal())
	n.Updated = n.Created.Add(90 * time.Second)
	f.list = append(f.list, n)
	if f.events == nil {
		f.events = map[pombo.MessageID][]pombo.Event{}
	}
	f.events[n.MessageID] = []pombo.Event{
		{At: n.Created, State: pombo.Queued}, {At: n.Created.Add(time.Second), State: pombo.Sending, Attempt: 1},
		{At: n.Updated, State: n.State, Attempt: 1, Reason: n.Reason, Detail: n.Detail},
	}
	return n.MessageID
}

// fallbackCode is the STATUS_FALLBACK of the table.
const fallbackCode = "8"
