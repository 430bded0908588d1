package desk

import (
	"slices"
	"strings"
	"time"

	"pombo"
	"pombo/internal/desk/page"
)

// story tells what happened to the messages of a row as one way, the waits between with
// their reasons, and at its end what is planned.
func (c clerk) story(list []generation) []page.Step {
	var steps []page.Step
	for i := range list {
		steps = append(steps, c.chapter(&list[i], i > 0)...)
	}
	return append(steps, c.planned(&list[len(list)-1].Notification)...)
}

// chapter is the story of one generation; again says that it follows another one.
func (c clerk) chapter(g *generation, again bool) []page.Step {
	var steps []page.Step
	var times []time.Time // of each step
	var before pombo.Event
	for i, e := range g.events {
		if i > 0 && resentNote(e, before) {
			continue // the next generation tells it
		}
		if len(steps) > 0 {
			steps[len(steps)-1].Wait = c.between(before, e)
		}
		step := page.Step{Time: c.stepTime(e.At), Tone: tones[e.State], Title: c.stepTitle(e, before, i == 0, again)}
		if isHandOver(e, before) {
			step.Tone = "quiet"
		}
		step.Text = c.stepText(g, e, before, i == 0)
		steps, times = append(steps, step), append(times, e.At)
		before = e
	}
	replies, at := c.replySteps(g.replies)
	for i := range replies {
		// What came at the same moment came after what it answers.
		place, _ := slices.BinarySearchFunc(times, at[i], func(a, b time.Time) int {
			if a.After(b) {
				return 1
			}
			return -1
		})
		steps, times = slices.Insert(steps, place, replies[i]), slices.Insert(times, place, at[i])
	}
	return steps
}

// stepTime is the time of a step: of today without the day.
func (c clerk) stepTime(t time.Time) page.Time {
	out := c.at(t)
	out.Short = t.In(c.o.Zone).Format("15:04:05")
	if day := c.Date(t.In(c.o.Zone)); day != c.Date(c.now) {
		out.Short = day + " " + out.Short
	}
	return out
}

// tones are the colours of the steps.
var tones = map[pombo.State]string{
	pombo.Queued: "quiet", pombo.Claimed: "quiet", pombo.Sending: "quiet", pombo.Accepted: "quiet", pombo.Dispatched: "quiet",
	pombo.Delivered: "good", pombo.Read: "read", pombo.Failed: "bad", pombo.Uncertain: "warn",
	pombo.Cancelled: "quiet", pombo.Expired: "quiet", pombo.Suppressed: "quiet",
}

// resentNote reports whether an event only says that a message was sent again as another.
func resentNote(e, before pombo.Event) bool {
	return e.State == before.State && e.Attempt == before.Attempt && e.Reason == pombo.NoReason
}

// isErasure reports whether an event says that phone and text were erased.
func isErasure(e pombo.Event) bool {
	return e.Reason == pombo.KeptLongEnough || e.Reason == pombo.ForgottenOnDemand
}

// isHandOver reports whether an event says that another channel has the row from then on.
func isHandOver(e, before pombo.Event) bool {
	return e.Reason == pombo.HandedOver && e.State == before.State
}

func (c clerk) stepTitle(e, before pombo.Event, first, again bool) string {
	switch {
	case isErasure(e) && e.State == before.State:
		return c.Text("step.erased")
	case isHandOver(e, before):
		return c.Text("step.handed_over")
	case first && again:
		return c.Text("step.again")
	case !first && e.State == pombo.Queued:
		return c.Text("step.back")
	}
	return c.Text("step." + string(e.State))
}

func (c clerk) stepText(g *generation, e, before pombo.Event, first bool) string {
	var parts []string
	switch {
	case isHandOver(e, before):
		return "" // the title has said it
	case first && e.Reason == pombo.NoReason:
		parts = append(parts, c.Text("step.row", g.Key.RowKey, g.Key.Source))
	case e.State == pombo.Sending:
		parts = append(parts, c.Text("step.attempt", e.Attempt))
	case e.State == pombo.Accepted && before.State == pombo.Sending:
		if took := e.At.Sub(before.At); took >= 0 && took < time.Minute {
			parts = append(parts, c.Text("step.took", c.Number(int(took.Milliseconds()))))
		}
	}
	if e.Reason != pombo.NoReason && e.Reason != pombo.TraceFound {
		parts = append(parts, asSentence(c.Reason(e.Reason)))
	}
	return strings.Join(parts, " ")
}

// between says how long the next step took to come, and what it waited for.
func (c clerk) between(before, e pombo.Event) string {
	took := e.At.Sub(before.At)
	if took < time.Second {
		return ""
	}
	if before.State == pombo.Queued && before.Reason != pombo.NoReason && before.Reason.WaitReason() != pombo.WaitRetry {
		return c.Text("step.waited_for", took, c.Text("wait_one."+string(before.Reason.WaitReason())))
	}
	if before.State == pombo.Queued {
		return c.Text("step.waited", took)
	}
	return c.Span(took)
}

// planned says what comes next by itself.
func (c clerk) planned(n *pombo.Notification) []page.Step {
	next := page.Step{Planned: true, Tone: "quiet"}
	later := n.NotBefore.After(c.now) && !pombo.IsFar(n.NotBefore)
	if later {
		next.Time = c.at(n.NotBefore)
	}
	switch n.State {
	case pombo.Queued:
		next.Title = c.Text("step.next_send")
		if !later {
			next.Title = c.Text("step.next_turn")
		}
		next.Text = asSentence(c.waits(n))
	case pombo.Uncertain:
		if n.Reason == pombo.AwaitingOperator {
			next.Time, next.Title = page.Time{}, c.Text("step.next_person")
			break
		}
		next.Title = c.Text("step.next_ask")
	case pombo.Accepted, pombo.Dispatched:
		next.Time, next.Title = page.Time{}, c.Text("step.next_receipt")
	case pombo.Failed, pombo.Cancelled, pombo.Expired, pombo.Suppressed:
		next.Time, next.Title = page.Time{}, c.Text("step.next_nothing")
	default:
		return nil
	}
	return []page.Step{next}
}
