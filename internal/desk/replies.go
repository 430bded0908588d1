package desk

import (
	"context"
	"net/http"
	"slices"
	"time"

	"pombo"
	"pombo/internal/desk/page"
)

// Replies is what people answered.
type Replies interface {
	Replies(ctx context.Context, q pombo.ReplyQuery) (pombo.ReplyPage, error)
	// AnswerCounts counts the answers that stand and came in at or after from and before
	// to, by the template that they answer and the status code that they give.
	AnswerCounts(ctx context.Context, from, to time.Time) ([]pombo.AnswerCount, error)
	// Reply returns one; pombo.ErrNotFound when there is none.
	Reply(ctx context.Context, number int64) (pombo.Reply, error)
}

const (
	shownReplies = 50 // on a page
	mostReplies  = 20 // of one message
)

// repliesView is page/replies.tmpl.
type repliesView struct {
	Kinds []page.Link // which replies; the one without an address is shown
	Note  string
	Table page.Table
	Empty *page.Empty
	Pager page.Pager
}

func (s *Server) getReplies(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := reading(r)
	defer cancel()
	c := s.clerk(r)
	unmatched := r.URL.Query().Get("show") == "unmatched"
	after := r.URL.Query().Get("after")
	list, err := s.o.Replies.Replies(ctx, pombo.ReplyQuery{Unmatched: unmatched, Limit: shownReplies, Cursor: after})
	if err != nil {
		return err
	}
	v := repliesView{
		Kinds: []page.Link{{Text: c.Text("replies.all")}, {Href: "/desk/replies?show=unmatched", Text: c.Text("replies.unmatched")}},
		Table: page.Table{Caption: c.Text("replies.caption")}, Pager: page.Pager{Label: c.Text("replies.pages")},
	}
	here := "/desk/replies"
	if unmatched {
		here, v.Note = v.Kinds[1].Href, c.Text("replies.unmatched_note")
		v.Kinds[0].Href, v.Kinds[1].Href = "/desk/replies", ""
	}
	for _, key := range replyColumns {
		v.Table.Columns = append(v.Table.Columns, page.Column{Word: c.Text(key)})
	}
	for i := range list.Replies {
		v.Table.Rows = append(v.Table.Rows, s.replyRow(r, c, &list.Replies[i]))
	}
	if len(list.Replies) == 0 {
		v.Empty = &page.Empty{Title: c.Text("replies.none"), Text: c.Text("replies.none_text")}
	}
	if after != "" {
		v.Pager.Newer = page.Link{Href: here, Text: c.Text("replies.newest")}
	}
	if list.Next != "" {
		next := []string{"after", list.Next}
		if unmatched {
			next = append(next, "show", "unmatched")
		}
		v.Pager.Older = page.Link{Href: s.link(r, "/desk/replies", next...), Text: c.Text("replies.older")}
	}
	return s.render(w, r, "replies", v)
}

// replyColumns are the words of what replyRow returns.
var replyColumns = []string{"replies.received", "replies.answer", "replies.row", "replies.phone", "replies.code", "replies.match"}

func (s *Server) replyRow(r *http.Request, c clerk, one *pombo.Reply) []page.Cell {
	row := page.Cell{Text: orDash(one.Key.RowKey)}
	if one.MessageID != "" {
		row.Href = messagePath(one.MessageID)
	}
	answer := page.Cell{Text: c.answered(one)}
	if one.Match == pombo.Unmatched {
		answer.Href = replyPath(one.Number) // no page of a message has it
	}
	return []page.Cell{
		{Time: c.at(one.Received)}, answer, row, s.phoneCell(r, replyPhone(one)), {Text: orDash(one.Code)}, {Text: c.ReplyMatch(one.Match)},
	}
}

// answered says in a word what was answered, without what somebody wrote.
func (c clerk) answered(r *pombo.Reply) string {
	if r.OptOut {
		return c.Text("reply.opt_out")
	}
	if word := pressedWord(r); word != "" {
		return word
	}
	return c.ReplyKind(r.Kind)
}

// answeredAt is when a reply was written, or when it came in if that is unknown.
func answeredAt(r *pombo.Reply) time.Time {
	if r.At.IsZero() {
		return r.Received
	}
	return r.At
}

// replyView is one answer on the page of a message.
type replyView struct {
	Text    string // what was answered
	Covered string // instead of it, where it may not be seen
	Facts   string
}

// repliesOf reads what was answered to a message, the oldest first.
func (s *Server) repliesOf(ctx context.Context, id pombo.MessageID) ([]pombo.Reply, error) {
	found, err := s.o.Replies.Replies(ctx, pombo.ReplyQuery{Notification: id, Limit: mostReplies})
	slices.Reverse(found.Replies)
	return found.Replies, err
}

// replyViews draws the answers to a message; open says that what was written is shown.
func (c clerk) replyViews(list []pombo.Reply, open bool) []replyView {
	var views []replyView
	for i := range list {
		r := &list[i]
		v := replyView{Text: pressedWord(r), Facts: c.Text("message.reply_at", c.Time(answeredAt(r).In(c.o.Zone), c.now), c.ReplyMatch(r.Match))}
		if open {
			v.Text = openAnswer(r)
		}
		if v.Text == "" {
			v.Covered = c.Text("message.reply_covered", c.ReplyKind(r.Kind))
		}
		if r.Counts {
			v.Facts += " " + c.Text("message.reply_counts")
		} else {
			v.Facts += " " + c.Text("message.reply_counts_no")
		}
		written := c.Time(r.Written.In(c.o.Zone), c.now)
		switch {
		case !r.Written.IsZero() && r.Code != "":
			v.Facts += " " + c.Text("message.reply_code", r.Code, written)
		case !r.Written.IsZero():
			v.Facts += " " + c.Text("message.reply_written", written)
		case r.Due:
			v.Facts += " " + c.Text("message.reply_due")
		}
		views = append(views, v)
	}
	return views
}

// replySteps are the answers as steps of the story.
func (c clerk) replySteps(list []pombo.Reply) (steps []page.Step, at []time.Time) {
	for i := range list {
		r := &list[i]
		step := page.Step{Time: c.stepTime(answeredAt(r)), Tone: "good", Title: c.Text("step.replied", c.answered(r))}
		if r.Kind == pombo.ReplyReaction {
			step.Tone, step.Title = "quiet", c.Text("step.reaction")
		}
		if r.Code != "" && !r.Written.IsZero() {
			step.Text = c.Text("message.reply_code", r.Code, c.Time(r.Written.In(c.o.Zone), c.now))
		}
		steps, at = append(steps, step), append(at, answeredAt(r))
	}
	return steps, at
}
