package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pombo"
)

// What is kept about templates: how each looked and when, because Blip knows only how it
// looks now, and which ones an operator holds. None of it is personal data.

const (
	// seenInterval is how old last_seen may get while Blip goes on listing a version.
	seenInterval = time.Hour
	// mostVersions is how many versions of a template are returned.
	mostVersions = 100
	// reachLimit bounds what TemplateReach reads, twice.
	reachLimit = 20_000
	// reachSpan is the time within which arrivals are counted.
	reachSpan = 24 * time.Hour
)

// Templates is what is known of templates.
type Templates struct{ *store }

// SaveTemplates records what is new in Blip's list of templates. It reads the newest
// version of each and writes only what has changed since, so it may be called for every
// list.
func (t *Templates) SaveTemplates(ctx context.Context, list []pombo.Template) error {
	type name struct{ name, language string }
	type version struct {
		hash        string
		first, last int64
	}
	latest := map[name]version{}
	err := t.all(ctx, sqlTemplateLatest, nil, func(rows *sql.Rows) error {
		var n name
		var v version
		err := rows.Scan(&n.name, &n.language, &v.hash, &v.first, &v.last)
		latest[n] = v
		return err
	})
	if err != nil {
		return fmt.Errorf("read template versions: %w", err)
	}
	now := t.now()
	looks, err := t.templateLooks(ctx)
	if err != nil {
		return fmt.Errorf("read how templates stood: %w", err)
	}
	var add, seen [][]any
	var changed []templateChange
	for _, one := range list {
		hash, body, err := templateHash(one)
		if err != nil {
			return fmt.Errorf("template %s: %w", one.Name, err)
		}
		if c, ok := looks.change(one, hash); ok {
			changed = append(changed, c)
		}
		switch v, known := latest[name{one.Name, one.Language}]; {
		case !known || v.hash != hash:
			add = append(add, []any{one.Name, one.Language, now, hash, body})
		case now-v.last >= seenInterval.Milliseconds():
			seen = append(seen, []any{now, one.Name, one.Language, v.first})
		}
	}
	if len(add)+len(seen)+len(changed) == 0 {
		return nil
	}
	err = t.do(ctx, func(tx *txn) error {
		for _, args := range add {
			if err := tx.exec(sqlTemplateNew, args...); err != nil {
				return err
			}
		}
		for _, args := range seen {
			if err := tx.exec(sqlTemplateSeen, args...); err != nil {
				return err
			}
		}
		for _, c := range changed {
			if err := t.writeTemplateChange(tx, c, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record template versions: %w", err)
	}
	return nil
}

// templateHash returns a hash of what makes a version, and the template as it is stored. A
// status comes and goes without changing a message, and so does the time of a change.
func templateHash(t pombo.Template) (hash, body string, err error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", "", err
	}
	t.Status, t.Updated = "", time.Time{}
	content, err := json.Marshal(t)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16]), string(text), nil
}

// TemplateAt returns the version of a template that was in force at a time; language "" =
// any. known is false when none had been seen by then.
func (t *Templates) TemplateAt(ctx context.Context, name, language string, at time.Time) (version pombo.Template, known bool, err error) {
	all, err := t.versions(ctx, sqlTemplateAt, name, language, t.toLedgerTime(at))
	if err != nil || len(all) == 0 {
		return pombo.Template{}, false, err
	}
	return all[0].Template, true, nil
}

// TemplateVersions returns the newest versions of a template, at most a hundred, the newest
// first; language "" = any.
func (t *Templates) TemplateVersions(ctx context.Context, name, language string) ([]pombo.TemplateVersion, error) {
	return t.versions(ctx, sqlTemplateVersions, name, language, mostVersions)
}

func (t *Templates) versions(ctx context.Context, by statement, args ...any) (list []pombo.TemplateVersion, err error) {
	err = t.all(ctx, by, args, func(rows *sql.Rows) error {
		var v pombo.TemplateVersion
		var body []byte
		var first, last int64
		if err := rows.Scan(&body, &first, &last); err != nil {
			return err
		}
		v.FirstSeen, v.LastSeen = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		list = append(list, v)
		return json.Unmarshal(body, &list[len(list)-1].Template)
	})
	if err != nil {
		return nil, fmt.Errorf("read template versions: %w", err)
	}
	return list, nil
}

// HoldTemplate holds a template, or replaces the hold there is: h.Template must not be
// empty. h.At is set by the ledger.
func (t *Templates) HoldTemplate(ctx context.Context, h pombo.TemplateHold) error {
	if h.Template == "" {
		return errors.New("hold a template: it has no name")
	}
	_, err := t.change(ctx, sqlHoldTemplate, h.Template, h.Who, h.Note, t.now(), t.toLedgerTime(h.Until))
	if err != nil {
		return fmt.Errorf("hold a template: %w", err)
	}
	return nil
}

// ReleaseTemplate ends the hold of a template and reports whether there was one.
func (t *Templates) ReleaseTemplate(ctx context.Context, name string) (released bool, err error) {
	n, err := t.change(ctx, sqlReleaseTemplate, name, t.now())
	if err != nil {
		return false, fmt.Errorf("release a template: %w", err)
	}
	return n > 0, nil
}

// HeldTemplates returns the templates that an operator holds, in the order of their names.
// A hold whose time is over does not count.
func (t *Templates) HeldTemplates(ctx context.Context) (list []pombo.TemplateHold, err error) {
	err = t.all(ctx, sqlHeldTemplates, []any{t.now()}, func(rows *sql.Rows) error {
		var h pombo.TemplateHold
		var at int64
		var until sql.NullInt64
		if err := rows.Scan(&h.Template, &h.Who, &h.Note, &at, &until); err != nil {
			return err
		}
		h.At, h.Until = t.time.toLocalTime(time.UnixMilli(at).UTC()), t.time.toLocalTime(moment(until))
		list = append(list, h)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read held templates: %w", err)
	}
	return list, nil
}

// TemplateReach counts what holding a template until a time affects; zero = without end,
// and then everything with an expiry expires. It reads at most 20,000 of what waits and
// 20,000 of what came last.
func (t *Templates) TemplateReach(ctx context.Context, template string, until time.Time) (reach pombo.TemplateReach, err error) {
	end := int64(endOfTime)
	if !until.IsZero() {
		end = t.time.toLedgerTime(until)
	}
	waiting := 0
	err = t.due(ctx, sqlReachWaiting, []any{reachLimit + 1}, func(rows *sql.Rows) error {
		var message sql.RawBytes
		var expires sql.NullInt64
		if err := rows.Scan(&message, &expires); err != nil {
			return err
		}
		if waiting++; waiting > reachLimit {
			reach.Partial = true
			return errEnough
		}
		if t.templateOf(message) != template {
			return nil
		}
		reach.Waiting++
		if expires.Valid && expires.Int64 < end {
			reach.Expiring++
		}
		return nil
	})
	if err != nil {
		return reach, fmt.Errorf("count what waits for a template: %w", err)
	}
	now := t.now()
	from, looked := now-reachSpan.Milliseconds(), 0
	reach.Within = reachSpan
	err = t.due(ctx, sqlReachArrived, []any{reachLimit}, func(rows *sql.Rows) error {
		var created int64
		var message sql.RawBytes
		if err := rows.Scan(&created, &message); err != nil {
			return err
		}
		if created < from {
			return errEnough
		}
		if looked++; looked == reachLimit {
			reach.Within = time.Duration(max(now-created, 1)) * time.Millisecond
		}
		if t.templateOf(message) == template {
			reach.Arrived++
		}
		return nil
	})
	if err != nil {
		return reach, fmt.Errorf("count what came of a template: %w", err)
	}
	return reach, nil
}

// templateOf returns the template that a stored message is sent with; "" when that cannot
// be read, or is erased.
func (db *store) templateOf(message []byte) string {
	rest, ok := strings.CutPrefix(string(message), "[")
	if !ok {
		return ""
	}
	if _, rest, ok = readString(rest); !ok {
		return ""
	}
	name, _, ok := readString(strings.TrimPrefix(rest, ","))
	if !ok {
		return ""
	}
	return db.resolve(name)
}

// resolve returns the template that a row which names this one is sent with.
func (db *store) resolve(template string) string {
	if template == "" {
		return db.opts.Template
	}
	return template
}
