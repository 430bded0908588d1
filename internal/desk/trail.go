package desk

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/phone"
	"pombo/internal/words"
)

// entry completes a line of the trail with the visitor and the address.
func (s *Server) entry(r *http.Request, u pombo.User, e audit.Entry) audit.Entry {
	e.At, e.Who, e.Role, e.Via, e.Address = s.o.Now(), u.Name, string(u.Role), audit.ViaDesk, s.address(r)
	return e
}

// line is a line about what the visitor does, for changes that write it themselves.
func (s *Server) line(r *http.Request, e audit.Entry) audit.Entry {
	var u pombo.User
	if v := visitorOf(r); v != nil {
		u = v.User
	}
	return s.entry(r, u, e)
}

// write writes a line about what the visitor does. Nothing may be shown or done when it
// cannot be written.
func (s *Server) write(r *http.Request, e audit.Entry) error {
	return s.o.Trail.WriteAudit(r.Context(), s.line(r, e))
}

// note writes a line about what was refused or has been done already; a failure to
// write it is only logged.
func (s *Server) note(r *http.Request, e audit.Entry) {
	var u pombo.User
	if v := visitorOf(r); v != nil {
		u = v.User
	}
	s.noteAs(r, u, e)
}

func (s *Server) noteAs(r *http.Request, u pombo.User, e audit.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	if err := s.o.Trail.WriteAudit(ctx, s.entry(r, u, e)); err != nil {
		s.log.ErrorContext(ctx, "audit line not written", "act", string(e.Act), "error", err, "often", pombo.Often("audit"))
	}
}

// auditView is page/audit.tmpl.
type auditView struct {
	Who, Act, Day string
	Number        string // masked; "" = any person
	Acts          []choice
	Lines         []auditLine
	Older         string // the address of the older ones; "" = these are all
	CSV           string // the address of the same lines as a file
	Wrong         string // what is wrong with the filter
}

type choice struct {
	Value, Text string
	Chosen      bool
}

type auditLine struct {
	At           time.Time
	Sentence     string
	Via, Address string
	AboutPerson  bool
	Refused      bool
}

const auditPage = 100

// What the session keeps of the number that is searched for: its hash, and its masked
// form for the page. The number itself is in no address and not in the session.
const (
	inAuditPerson = "audit_person"
	inAuditNumber = "audit_number"
)

// auditFilter reads the filter in the address: who, act and day are in it, because they
// are not secret; a number never is.
func (s *Server) auditFilter(r *http.Request) (f audit.Filter, v auditView, err error) {
	q := r.URL.Query()
	say := wordsOf(r)
	v = auditView{Who: q.Get("who"), Act: q.Get("act"), Day: q.Get("day")}
	f = audit.Filter{Who: v.Who, Act: audit.Act(v.Act)}
	if v.Day != "" {
		day, err := time.ParseInLocation(time.DateOnly, v.Day, s.o.Zone)
		if err != nil {
			v.Wrong = say.Text("audit.day_wrong")
		} else {
			f.Since, f.Till = day, day.AddDate(0, 0, 1)
		}
	}
	if before := q.Get("before"); before != "" {
		seq, err := strconv.ParseInt(before, 10, 64)
		if err != nil || seq < 1 {
			return f, v, pombo.ErrCursor
		}
		f.Before = seq
	}
	if q.Has("number") {
		person, err := hex.DecodeString(s.sessions.GetString(r.Context(), inAuditPerson))
		if err == nil && len(person) > 0 {
			f.Person, v.Number = person, s.sessions.GetString(r.Context(), inAuditNumber)
		}
	}
	return f, v, nil
}

// getAudit shows the trail.
func (s *Server) getAudit(w http.ResponseWriter, r *http.Request) error {
	f, v, err := s.auditFilter(r)
	if err != nil {
		return err
	}
	q, say := r.URL.Query(), wordsOf(r)
	for _, act := range audit.Acts() {
		v.Acts = append(v.Acts, choice{Value: string(act), Text: say.Text("act." + string(act)), Chosen: v.Act == string(act)})
	}
	f.Limit = auditPage + 1
	lines, err := s.o.Trail.Audit(r.Context(), f)
	if err != nil {
		return err
	}
	q.Del("before")
	v.CSV = "/desk/audit.csv?" + q.Encode()
	if len(lines) > auditPage {
		lines = lines[:auditPage]
		q.Set("before", strconv.FormatInt(lines[auditPage-1].Seq, 10))
		v.Older = "/desk/audit?" + q.Encode()
	}
	for _, e := range lines {
		v.Lines = append(v.Lines, auditLine{
			At: e.At, Sentence: sentenceOf(say, e), Via: say.Text("via." + string(e.Via)), Address: e.Address,
			AboutPerson: len(e.Person) > 0, Refused: e.Result != audit.Done,
		})
	}
	return s.render(w, r, "audit", v)
}

// sentenceOf says a line of the trail in one sentence.
func sentenceOf(say *words.Words, e audit.Entry) string {
	who, role := e.Who, roleText(say.Text, e.Role)
	if who == "" {
		who = say.Text("trail.nobody")
	}
	if role != "" {
		role = say.Text("trail.role", role)
	}
	did := say.Text("act." + string(e.Act))
	if e.Target != "" {
		did = say.Text("did."+string(e.Act), say.Where(e.Target))
	}
	detail, result := "", ""
	if e.Detail != "" {
		detail = say.Text("trail.detail", detailText(say, e))
	}
	if e.Result != audit.Done {
		result = say.Text("trail.result", say.Text("result."+string(e.Result)))
	}
	return say.Text("trail.sentence", who, role, did, detail, result)
}

// detailText translates what is a word of ours; the rest is what somebody wrote.
func detailText(say *words.Words, e audit.Entry) string {
	code, note, noted := strings.Cut(e.Detail, ": ")
	if noted {
		note = ": " + note
	}
	switch e.Act {
	case audit.SignIn:
		return say.Text("kind." + e.Detail)
	case audit.Uncover, audit.UncoverReply:
		if slices.Contains(purposes, code) {
			return say.Text("purpose."+code) + note
		}
	case audit.Retry, audit.Cancel:
		state, reason, _ := strings.Cut(code, " ")
		if pombo.State(state).Valid() {
			out := say.State(pombo.State(state))
			if reason != "" {
				out += ", " + say.Reason(pombo.Reason(reason))
			}
			return out + note
		}
	}
	return e.Detail
}

func roleText(text func(string, ...any) string, role string) string {
	if role == "" {
		return ""
	}
	return text("role." + role)
}

// postAudit takes the filter of the form: the number goes into the session, the rest
// into the address.
func (s *Server) postAudit(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	q := url.Values{}
	for _, name := range []string{"who", "act", "day"} {
		if value := strings.TrimSpace(r.PostForm.Get(name)); value != "" {
			q.Set(name, value)
		}
	}
	if given := strings.TrimSpace(r.PostForm.Get("number")); given != "" {
		n, err := phone.Parse(given)
		if err != nil {
			s.say(r, Notice{Bad: true, Text: wordsOf(r).Text("audit.number_wrong")})
			return redirect(w, "/desk/audit?"+q.Encode())
		}
		person := s.o.Key.Person(n)
		if err := s.write(r, audit.Entry{Act: audit.Search, Target: "audit", Person: person, Result: audit.Done}); err != nil {
			return err
		}
		s.sessions.Put(r.Context(), inAuditPerson, hex.EncodeToString(person))
		s.sessions.Put(r.Context(), inAuditNumber, n.String())
		q.Set("number", "1")
	} else if r.PostForm.Get("keep_number") != "" {
		q.Set("number", "1")
	}
	return redirect(w, "/desk/audit?"+q.Encode())
}
