package ledger

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"pombo"
)

// ListStates is List for several states at once; none means every state. A person's word
// such as "sent" stands for several.
func (h *History) ListStates(ctx context.Context, f pombo.Filter, states ...pombo.State) (pombo.Page, error) {
	if len(states) < 2 {
		if len(states) == 1 {
			f.State = states[0]
		}
		return h.List(ctx, f)
	}
	limit, _, err := pageOf(f.Limit, f.Cursor)
	if err != nil {
		return pombo.Page{}, err
	}
	var page pombo.Page
	floor := int64(0) // what lies below, some list has not looked at yet
	for _, f.State = range states {
		one, err := h.List(ctx, f)
		if err != nil {
			return pombo.Page{}, err
		}
		page.Notifications = append(page.Notifications, one.Notifications...)
		page.Unreadable += one.Unreadable
		if one.Next == "" {
			continue
		}
		last, err := strconv.ParseInt(one.Next, 36, 64)
		if err != nil {
			return pombo.Page{}, err
		}
		if last > floor {
			floor, page.LookedTo = last, one.LookedTo
		}
	}
	list := page.Notifications
	slices.SortFunc(list, func(a, b pombo.Notification) int { return cmp.Compare(b.Seq, a.Seq) })
	list = slices.DeleteFunc(list, func(n pombo.Notification) bool { return n.Seq < floor })
	if len(list) > limit {
		list = list[:limit]
		floor, page.LookedTo = list[limit-1].Seq, list[limit-1].Created
	}
	page.Notifications = list
	if floor > 0 {
		page.Next = strconv.FormatInt(floor, 36)
	}
	return page, nil
}
