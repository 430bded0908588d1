package desk

import (
	"context"
	"net/http"
	"time"

	"pombo"
	"pombo/internal/desk/page"
	"pombo/internal/phone"
	"pombo/internal/words"
)

// Messages reads notifications and the templates that they were sent with.
type Messages interface {
	// ListStates returns a page of a list; without states it is one of all.
	ListStates(ctx context.Context, f pombo.Filter, states ...pombo.State) (pombo.Page, error)
	// Notification is pombo.ErrNotFound when there is none.
	Notification(ctx context.Context, id pombo.MessageID) (pombo.Notification, []pombo.Event, error)
	// TemplateAt returns a template as it was at a time; known is false when nobody had
	// looked at it by then.
	TemplateAt(ctx context.Context, name, language string, at time.Time) (t pombo.Template, known bool, err error)
}

// Recipients is what is known of a person.
type Recipients interface {
	OptedOut(n phone.Number, identity string) pombo.OptOutScope
	// Free returns when a message may go, and the zone that decides; zero = now.
	Free(n phone.Number, template string) (time.Time, *time.Location)
}

// Actions is what a person decides about one notification, by the same way as through
// the API. An action that comes too late is pombo.ErrMove.
type Actions interface {
	Retry(ctx context.Context, id pombo.MessageID) error
	Cancel(ctx context.Context, id pombo.MessageID) error
	// Ask asks Blip about an uncertain notification; traced says that it knew of it.
	Ask(ctx context.Context, id pombo.MessageID) (traced bool, err error)
}

// Rows reads one row of the company's table as it is now.
type Rows interface {
	// Row is pombo.ErrNotFound when there is none.
	Row(ctx context.Context, rowKey string) (pombo.Row, error)
	Statuses(ctx context.Context, rowKeys []string) (map[string]string, error)
}

// readTime is what reading for a page may take.
const readTime = 2 * time.Second

func reading(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), readTime)
}

// clerk says about messages what a clerk wants to know, in the visitor's words.
type clerk struct {
	*words.Words
	o   *Options
	now time.Time
}

func (s *Server) clerk(r *http.Request) clerk {
	return clerk{wordsOf(r), &s.o, s.o.Now().In(s.o.Zone)}
}

// at shows a moment; the zero time shows as none.
func (c clerk) at(t time.Time) page.Time {
	if t.IsZero() {
		return page.Time{}
	}
	t = t.In(c.o.Zone)
	return page.Time{At: t, Short: c.Time(t, c.now), Long: c.DateTime(t) + t.Format(" MST")}
}

// phone shows a number masked.
func (c clerk) phone(n phone.Number) page.Phone {
	if n.IsZero() {
		return page.Phone{}
	}
	masked := n.String()
	return page.Phone{Masked: masked, Spoken: c.Text("messages.phone_spoken", masked[len(masked)-2:])}
}

// template is the name of what a notification is sent with.
func (c clerk) template(n *pombo.Notification) string {
	if n.Template == "" {
		return c.o.Template
	}
	return n.Template
}

// badge says where a notification stands, and why.
func (c clerk) badge(n *pombo.Notification) page.Badge {
	return page.StateBadge(n.State, c.State(n.State), c.why(n))
}

// why says why a notification is where it is, where that is not plain from the state.
func (c clerk) why(n *pombo.Notification) string {
	switch n.State {
	case pombo.Queued:
		return c.waits(n)
	case pombo.Failed, pombo.Uncertain, pombo.Cancelled, pombo.Expired, pombo.Suppressed:
		if n.Reason == pombo.NoReason {
			return c.StateMeaning(n.State)
		}
		return c.Reason(n.Reason)
	}
	return ""
}

// waits says what a queued notification waits for, and until when.
func (c clerk) waits(n *pombo.Notification) string {
	if !n.NotBefore.After(c.now) {
		return c.Text("wait_one.turn")
	}
	why := c.Text("wait_one." + string(n.Reason.WaitReason()))
	if pombo.IsFar(n.NotBefore) {
		return why
	}
	return c.Text("messages.until", why, c.Time(n.NotBefore.In(c.o.Zone), c.now))
}

// erased reports whether phone and text of a notification are gone.
func erased(n *pombo.Notification) bool {
	return n.Recipient == "" && n.Phone.IsZero() && len(n.Params) == 0
}
