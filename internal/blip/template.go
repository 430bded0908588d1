package blip

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
)

// Templates lists the templates of the bot's WhatsApp account by name and
// language, one for each pair, whatever their status. The key must be that of the
// bot that owns the number.
//
// Blip does not document paging for this list, so it is assumed to be whole.
func (c *Client) Templates(ctx context.Context) ([]pombo.Template, error) {
	var resource json.RawMessage
	err := c.command(ctx, command{
		kind: templatesKind, to: whatsapp, method: "get", uri: "/message-templates",
		limit: 32 << 20, // an account may have thousands
	}, &resource)
	if err != nil {
		return nil, err
	}
	templates, ok := parseTemplates(resource)
	if !ok {
		return nil, useless(phaseLacking, "Blip's answer has no list of templates")
	}
	return templates, nil
}

// listed is a template as Blip lists it, which is how Meta does.
type listed struct {
	Name             flexString `json:"name"`
	Language         flexString `json:"language"`
	Status           flexString `json:"status"`
	Category         flexString `json:"category"`
	PreviousCategory flexString `json:"previous_category"`
	Updated          flexString `json:"last_updated_time"`
	Validity         flexString `json:"message_send_ttl_seconds"` // -1 = the longest
	Components       []struct {
		Type    flexString `json:"type"`
		Format  flexString `json:"format"`
		Text    flexString `json:"text"`
		Buttons []struct {
			Type flexString `json:"type"`
			Text flexString `json:"text"`
			URL  flexString `json:"url"`
		} `json:"buttons"`
	} `json:"components"`
}

// parseTemplates reads the resource of the answer and skips items without a name. ok
// is false when it has no list.
func parseTemplates(resource []byte) (templates []pombo.Template, ok bool) {
	list, ok := collection(resource)
	if !ok {
		return nil, false
	}
	for _, item := range list {
		var l listed
		if decode(item, &l) && l.Name != "" {
			templates = append(templates, l.template())
		}
	}
	slices.SortStableFunc(templates, func(a, b pombo.Template) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Language, b.Language))
	})
	return templates, true
}

func (l listed) template() pombo.Template {
	t := pombo.Template{
		Name:             string(l.Name),
		Language:         string(l.Language),
		Status:           upper(l.Status),
		Category:         upper(l.Category),
		PreviousCategory: upper(l.PreviousCategory),
		Updated:          graphTime(string(l.Updated)),
	}
	if seconds, err := strconv.Atoi(string(l.Validity)); err == nil && 0 < seconds && seconds < 1<<31 {
		t.Validity = time.Duration(seconds) * time.Second
	}
	for _, c := range l.Components {
		switch upper(c.Type) {
		case "HEADER":
			t.Header, t.HeaderText = upper(c.Format), string(c.Text)
		case "BODY":
			t.Body = string(c.Text)
		case "FOOTER":
			t.Footer = string(c.Text)
		case "BUTTONS":
			for _, b := range c.Buttons {
				t.Buttons = append(t.Buttons, pombo.Button{Kind: upper(b.Type), Text: string(b.Text), URL: string(b.URL)})
			}
		}
	}
	return t
}

func upper(l flexString) string { return strings.ToUpper(string(l)) }

// graphTime parses a time as Blip writes it or as Meta does, without the colon in
// the zone; zero when it is neither.
func graphTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
