package ledgertest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
	"pombo/internal/audit"
)

// deskUsers: an account is made, changed by one of two, and each change has its line.
func deskUsers(f *fixture) {
	ctx, d := f.Context(), f.db.Desk
	line := audit.Entry{At: f.clock.Now(), Who: "root", Via: audit.ViaCLI, Act: audit.UserAdd, Target: "ana", Result: audit.Done}
	ana := pombo.User{Name: "ana", Role: pombo.RoleOperator, Grants: pombo.GrantUncover, Created: f.clock.Now()}
	f.must(d.AddUser(ctx, ana, line))
	if err := d.AddUser(ctx, ana, line); !errors.Is(err, pombo.ErrMove) {
		f.Errorf("the same name again: %v, want ErrMove", err)
	}
	if _, err := d.User(ctx, "bia"); !errors.Is(err, pombo.ErrNotFound) {
		f.Errorf("an account that is not there: %v, want ErrNotFound", err)
	}
	after := ana
	after.Hash, after.Language, after.KeysOff, after.Disabled, after.Role, after.Grants = "$x", "en", true, true, pombo.RoleViewer, 0
	line.Act = audit.UserChange
	f.must(d.ChangeUser(ctx, ana, after, line))
	if err := d.ChangeUser(ctx, ana, ana, line); !errors.Is(err, pombo.ErrLost) {
		f.Errorf("a change of what it no longer is: %v, want ErrLost", err)
	}
	after.Seen = f.clock.Now().Add(time.Minute)
	f.must(d.UserSeen(ctx, "ana", after.Seen))
	got, err := d.User(ctx, "ana")
	f.must(err)
	same := cmp.Comparer(func(a, b pombo.Private) bool { return a == b })
	if diff := cmp.Diff(after, got, same); diff != "" {
		f.Errorf("account (-want +got)\n%s", diff)
	}
	f.must(d.AddUser(ctx, pombo.User{Name: "Bia", Role: pombo.RoleAdmin, Created: f.clock.Now()}, line))
	all, err := d.Users(ctx)
	f.must(err)
	lines, err := f.db.Trail.Audit(ctx, audit.Filter{})
	f.must(err)
	if len(all) != 2 || len(lines) != 3 {
		f.Errorf("%d accounts and %d lines, want 2 and 3", len(all), len(lines))
	}
}

// deskSessions: a session is found until it is over, and a word is good once.
func deskSessions(f *fixture) {
	ctx, d := f.Context(), f.db.Desk
	s := pombo.DeskSession{Token: "t", Name: "ana", Data: []byte{0, 1, 255}, Expires: f.clock.Now().Add(time.Minute)}
	f.must(d.SaveSession(ctx, s))
	s.Data, s.Expires = []byte("more"), s.Expires.Add(time.Minute)
	f.must(d.SaveSession(ctx, s))
	got, err := d.Session(ctx, "t")
	f.must(err)
	if diff := cmp.Diff(s, got); diff != "" {
		f.Errorf("session (-want +got)\n%s", diff)
	}
	f.must(d.SaveSession(ctx, pombo.DeskSession{Token: "u", Name: "bia", Data: []byte("x"), Expires: f.clock.Now().Add(time.Hour)}))
	if all, err := d.Sessions(ctx); err != nil || len(all) != 2 {
		f.Errorf("%d sessions, %v, want 2", len(all), err)
	}
	for i, want := range []bool{true, false} {
		if first, err := d.Once(ctx, "word", f.clock.Now().Add(time.Hour)); err != nil || first != want {
			f.Errorf("use %d of a word: %v, %v, want %v", i+1, first, err, want)
		}
	}
	f.pass(2 * time.Minute)
	if _, err := d.Session(ctx, "t"); !errors.Is(err, pombo.ErrNotFound) {
		f.Errorf("a session that is over: %v, want ErrNotFound", err)
	}
	f.must(d.DeleteSession(ctx, "u"))
	f.must(d.DeleteSession(ctx, "u"))
	if all, err := d.Sessions(ctx); err != nil || len(all) != 0 {
		f.Errorf("%d sessions, %v, want none", len(all), err)
	}
	f.must(d.Sweep(ctx))
	if first, err := d.Once(ctx, "word", f.clock.Now().Add(time.Hour)); err != nil || first {
		f.Errorf("a word that was used is good again: %v, %v", first, err)
	}
	f.pass(2 * time.Hour)
	f.must(d.Sweep(ctx))
	if first, err := d.Once(ctx, "word", f.clock.Now().Add(time.Hour)); err != nil || !first {
		f.Errorf("a word that is forgotten: %v, %v, want it to be good", first, err)
	}
}

// auditTrail: lines come back as they were written, chosen by each filter, and leave by
// their age alone.
func auditTrail(f *fixture) {
	ctx, t := f.Context(), f.db.Trail
	begun := f.clock.Now()
	person := []byte{1, 2, 3}
	written := []audit.Entry{
		{Who: "ana", Role: "viewer", Via: audit.ViaDesk, Address: "10.0.0.7", Act: audit.Uncover, Target: "id", Detail: "complaint", Person: person, Result: audit.Done},
		{Who: "bia", Via: audit.ViaAPI, Act: audit.Retry, Target: "id", Result: audit.Failed},
		{At: begun.Add(time.Hour), Who: "ana", Via: audit.ViaCLI, Act: audit.Pause, Result: audit.Done},
	}
	for _, e := range written {
		f.must(t.WriteAudit(ctx, e))
	}
	all, err := t.Audit(ctx, audit.Filter{})
	f.must(err)
	if len(all) != 3 {
		f.Fatalf("%d lines, want 3", len(all))
	}
	written[0].At, written[0].Seq = begun, all[2].Seq
	if diff := cmp.Diff(written[0], all[2]); diff != "" {
		f.Errorf("line (-want +got)\n%s", diff)
	}
	for _, c := range []struct {
		name   string
		filter audit.Filter
		want   int
	}{
		{"who", audit.Filter{Who: "ana"}, 2},
		{"act", audit.Filter{Act: audit.Retry}, 1},
		{"person", audit.Filter{Person: person}, 1},
		{"another person", audit.Filter{Person: []byte{9}}, 0},
		{"person and act", audit.Filter{Person: person, Act: audit.Retry}, 0},
		{"since", audit.Filter{Since: begun.Add(time.Minute)}, 1},
		{"till", audit.Filter{Till: begun.Add(time.Hour)}, 2},
		{"before", audit.Filter{Before: all[0].Seq}, 2},
		{"limit", audit.Filter{Limit: 2}, 2},
	} {
		if got, err := t.Audit(ctx, c.filter); err != nil || len(got) != c.want {
			f.Errorf("by %s: %d lines, %v, want %d", c.name, len(got), err, c.want)
		}
	}
	f.pass(24*time.Hour + time.Minute)
	if removed, err := t.RetireAudit(ctx, 24*time.Hour); err != nil || removed != 2 {
		f.Errorf("%d lines left, %v, want 2", removed, err)
	}
	if got, err := t.Audit(ctx, audit.Filter{}); err != nil || len(got) != 1 || got[0].Act != audit.Pause {
		f.Errorf("%d lines stay, %v, want that of the pause", len(got), err)
	}
}
