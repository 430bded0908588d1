package desk

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"pombo"
	"pombo/internal/audit"
)

// fakeLedger keeps accounts, sessions and the trail in memory.
type fakeLedger struct {
	mu       sync.Mutex
	now      func() time.Time
	users    map[string]pombo.User
	sessions map[string]pombo.DeskSession
	words    map[string]bool
	lines    []audit.Entry
	saves    int
	fail     error // of every call
}

func newFakeLedger(now func() time.Time) *fakeLedger {
	return &fakeLedger{now: now, users: map[string]pombo.User{}, sessions: map[string]pombo.DeskSession{}, words: map[string]bool{}}
}

func (l *fakeLedger) lock() func() {
	l.mu.Lock()
	return l.mu.Unlock
}

func (l *fakeLedger) User(_ context.Context, name string) (pombo.User, error) {
	defer l.lock()()
	u, ok := l.users[name]
	if !ok && l.fail == nil {
		return u, pombo.ErrNotFound
	}
	return u, l.fail
}

func (l *fakeLedger) Users(context.Context) ([]pombo.User, error) {
	defer l.lock()()
	var out []pombo.User
	for _, u := range l.users {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b pombo.User) int { return cmp.Compare(a.Name, b.Name) })
	return out, l.fail
}

func (l *fakeLedger) AddUser(_ context.Context, u pombo.User, line audit.Entry) error {
	defer l.lock()()
	if _, taken := l.users[u.Name]; taken {
		return pombo.ErrMove
	}
	l.users[u.Name] = u
	l.lines = append(l.lines, line)
	return l.fail
}

func (l *fakeLedger) ChangeUser(_ context.Context, before, after pombo.User, line audit.Entry) error {
	defer l.lock()()
	if now := l.users[before.Name]; now.Hash != before.Hash || now.Role != before.Role || now.Grants != before.Grants || now.Disabled != before.Disabled {
		return pombo.ErrLost
	}
	l.users[before.Name] = after
	l.lines = append(l.lines, line)
	return l.fail
}

func (l *fakeLedger) UserSeen(_ context.Context, name string, at time.Time) error {
	defer l.lock()()
	u := l.users[name]
	u.Seen = at
	l.users[name] = u
	return l.fail
}

func (l *fakeLedger) Session(_ context.Context, token string) (pombo.DeskSession, error) {
	defer l.lock()()
	s, ok := l.sessions[token]
	if l.fail != nil {
		return s, l.fail
	}
	if !ok || !l.now().Before(s.Expires) {
		return s, pombo.ErrNotFound
	}
	return s, nil
}

func (l *fakeLedger) SaveSession(_ context.Context, s pombo.DeskSession) error {
	defer l.lock()()
	l.sessions[s.Token] = s
	l.saves++
	return l.fail
}

func (l *fakeLedger) DeleteSession(_ context.Context, token string) error {
	defer l.lock()()
	delete(l.sessions, token)
	return l.fail
}

func (l *fakeLedger) Sessions(context.Context) ([]pombo.DeskSession, error) {
	defer l.lock()()
	var out []pombo.DeskSession
	for _, s := range l.sessions {
		out = append(out, s)
	}
	return out, l.fail
}

func (l *fakeLedger) Once(_ context.Context, word string, _ time.Time) (bool, error) {
	defer l.lock()()
	used := l.words[word]
	l.words[word] = true
	return !used, l.fail
}

func (l *fakeLedger) WriteAudit(_ context.Context, e audit.Entry) error {
	defer l.lock()()
	e.Seq = int64(len(l.lines) + 1)
	l.lines = append(l.lines, e)
	return l.fail
}

func (l *fakeLedger) Audit(_ context.Context, f audit.Filter) ([]audit.Entry, error) {
	defer l.lock()()
	var out []audit.Entry
	for _, e := range slices.Backward(l.lines) {
		if (f.Who == "" || f.Who == e.Who) && (f.Act == "" || f.Act == e.Act) && (f.Person == nil || bytes.Equal(f.Person, e.Person)) {
			out = append(out, e)
		}
	}
	return out, l.fail
}

// trail is the trail as text, one line an act.
func (l *fakeLedger) trail() string {
	defer l.lock()()
	var out []string
	for _, e := range l.lines {
		out = append(out, strings.TrimSpace(e.Who+" "+string(e.Act)+" "+string(e.Result)+" "+e.Target))
	}
	return strings.Join(out, "\n")
}
