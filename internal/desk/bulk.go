package desk

import (
	"net/url"
	"time"

	"pombo"
)

// planPath is the page that plans what is done to many notifications.
func planPath(act pombo.BulkAct, f pombo.BulkFilter) string {
	q := url.Values{"act": {string(act)}}
	for _, state := range f.States {
		q.Add("state", string(state))
	}
	if f.Reason != pombo.NoReason {
		q.Set("reason", string(f.Reason))
	}
	if f.Template != "" {
		q.Set("template", f.Template)
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339))
	}
	return "/desk/bulk/new?" + q.Encode()
}
