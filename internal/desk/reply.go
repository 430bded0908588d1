package desk

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/desk/page"
)

// replyPage is page/reply.tmpl: one reply by itself. A reply that answers a message is shown
// on that message's page too; one that answers none only here.
type replyPage struct {
	Number     string
	Note       string // what to do about one that answers no message
	Facts      []page.Fact
	Uncovered  *uncoveredReply
	MayUncover bool
	Purposes   []choice
	Problem    string // what was wrong with the purpose
}

func replyPath(number int64) string { return "/desk/replies/" + strconv.FormatInt(number, 10) }

// pathReply reads the reply of the address.
func (s *Server) pathReply(r *http.Request) (pombo.Reply, error) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil || number < 1 {
		return pombo.Reply{}, pombo.ErrNotFound
	}
	ctx, cancel := reading(r)
	defer cancel()
	return s.o.Replies.Reply(ctx, number)
}

func (s *Server) getReply(w http.ResponseWriter, r *http.Request) error {
	one, err := s.pathReply(r)
	if err != nil {
		return err
	}
	return s.showReply(w, r, http.StatusOK, &one, nil, "")
}

// postUncoverReply shows who answered and what they wrote, for this answer only. The line of the
// trail comes first.
func (s *Server) postUncoverReply(w http.ResponseWriter, r *http.Request) error {
	one, err := s.pathReply(r)
	if err != nil {
		return err
	}
	purpose, problem := readPurpose(r)
	if problem != "" {
		return s.showReply(w, r, http.StatusUnprocessableEntity, &one, nil, wordsOf(r).Text(problem))
	}
	line := audit.Entry{Act: audit.UncoverReply, Target: strconv.FormatInt(one.Number, 10), Detail: purpose, Result: audit.Done}
	if n := replyPhone(&one); !n.IsZero() {
		line.Person = s.o.Key.Person(n)
	}
	if err := s.write(r, line); err != nil {
		return err
	}
	return s.showReply(w, r, http.StatusOK, &one, uncoverReply(&one), "")
}

func (s *Server) showReply(w http.ResponseWriter, r *http.Request, status int, one *pombo.Reply, open *uncoveredReply, problem string) error {
	c := s.clerk(r)
	v := replyPage{Number: strconv.FormatInt(one.Number, 10), Uncovered: open, Problem: problem}
	for i, cell := range s.replyRow(r, c, one) {
		if cell.Href == replyPath(one.Number) {
			cell.Href = "" // that is here
		}
		v.Facts = append(v.Facts, page.Fact{Word: c.Text(replyColumns[i]), Text: cell.Text, Href: cell.Href, Phone: cell.Phone, Time: cell.Time})
	}
	if one.Match == pombo.Unmatched {
		v.Note = c.Text("replies.unmatched_note")
	}
	v.MayUncover = may(visitorOf(r).User, uncover) && open == nil && *uncoverReply(one) != uncoveredReply{}
	v.Purposes = c.purposes(r)
	return s.renderStatus(w, r, status, "reply", v)
}

// purposes are what somebody may uncover personal data for; the last one needs a note.
var purposes = []string{"call", "registry", "complaint", "audit", "other"}

// purposes are the choices of the form, with what was chosen.
func (c clerk) purposes(r *http.Request) (list []choice) {
	for _, p := range purposes {
		list = append(list, choice{Value: p, Text: c.Text("purpose." + p), Chosen: r.PostForm.Get("purpose") == p})
	}
	return list
}

// readPurpose reads the purpose of uncovering, as the trail records it; problem is the key of
// what is wrong with it.
func readPurpose(r *http.Request) (purpose, problem string) {
	purpose, note := r.PostForm.Get("purpose"), strings.TrimSpace(r.PostForm.Get("note"))
	switch {
	case !slices.Contains(purposes, purpose):
		return "", "message.purpose_missing"
	case purpose == "other" && note == "":
		return "", "message.purpose_note"
	case hasNumber(note):
		return "", "message.note_number"
	case note != "":
		purpose += ": " + cut(note, 200)
	}
	return purpose, ""
}
