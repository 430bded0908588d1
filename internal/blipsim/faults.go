package blipsim

import (
	"net/http"
	"strconv"
	"time"
)

// Fault is one way in which a request goes wrong.
type Fault string

// The faults of a request. In the ambiguous ones the client cannot know whether the
// message was accepted; Taken of a script or TakenAnyway decides.
const (
	NoFault        Fault = ""
	CutBeforeRead  Fault = "cut-before-read"  // the connection is closed, the message is not accepted
	CutAfterAccept Fault = "cut-after-accept" // the message is accepted, the connection closed without an answer
	Hang           Fault = "hang"             // no answer until the client disconnects; ambiguous
	Error502       Fault = "502"              // ambiguous
	Error503       Fault = "503"              // never accepted
	Error504       Fault = "504"              // ambiguous
	Throttle       Fault = "429"              // never accepted
	Refuse         Fault = "400"              // never accepted
	Slow           Fault = "slow"             // accepted, answered late
)

// Event is what a receipt reports.
type Event string

// The events, in their usual order. Nothing is not an event: as StopAfter it means that
// no receipt comes at all.
const (
	Nothing    Event = "nothing"
	Accepted   Event = "accepted"
	Dispatched Event = "dispatched"
	Received   Event = "received"
	Consumed   Event = "consumed"
	Failed     Event = "failed"
)

// Faults are what goes wrong. The zero value is a Blip without faults. A rate is between
// 0 and 1, and the rates of the faults add up: a request meets at most one of them.
type Faults struct {
	CutBeforeRead  float64 // rate: the connection is closed before the request is read
	CutAfterAccept float64 // rate: processed, then the connection is closed without an answer
	Hang           float64 // rate: no answer until the client gives up
	Error502       float64 // rate: 502
	Error503       float64 // rate: 503; what it answers is never accepted
	Error504       float64 // rate: 504
	Throttle       float64 // rate: 429 once, without a lock-out
	Slow           float64 // rate: processed, answered after SlowFor

	// TakenAnyway is the share of hanging requests, 502 and 504 that are processed
	// nevertheless.
	TakenAnyway float64
	// SlowFor is how long a slow answer takes; 0 = 3 s.
	SlowFor time.Duration
	// Error504After is how long a 504 takes; 0 = at once. Blip's comes after 60 s.
	Error504After time.Duration
	// Most ends the faults above after so many; 0 = they continue.
	Most int
	// Commands makes the faults above hit /commands too; SpareMessages exempts
	// /messages.
	Commands      bool
	SpareMessages bool

	UploadsFail       int  // so many uploads of documents are answered with 503 first
	EmptyBody400      bool // a refusal has no body
	UnauthorizedAfter int  // the key is disabled after so many accepted messages; 0 = never
	LegacyAccounts    bool // /accounts fails for numbers whose script says NoAccount, as before 2023
	IdentitiesAsGUID  bool // identities are {guid}@wa.gw.msging.net
	WrappedReasons    bool // WhatsApp's codes come as code 81 with the code in the description

	NotificationsNotFound bool    // asking for an unknown id fails with 67; else an empty collection
	DuplicateEvents       float64 // rate: a receipt comes twice
	Reorder               bool    // the receipts of a message come in any order
	ForwardedIDs          float64 // rate: a receipt's id is prefixed with "fwd:"
	TunnelFrom            bool    // receipts come from a tunnel's address
	StopAfter             Event   // no receipt comes after this one; "" = all come
}

// odds is the rate of one fault.
type odds struct {
	fault Fault
	rate  float64
}

func (f Faults) odds() (list []odds) {
	for _, o := range []odds{
		{CutBeforeRead, f.CutBeforeRead}, {CutAfterAccept, f.CutAfterAccept}, {Hang, f.Hang},
		{Error502, f.Error502}, {Error503, f.Error503}, {Error504, f.Error504}, {Throttle, f.Throttle}, {Slow, f.Slow},
	} {
		if o.rate > 0 {
			list = append(list, o)
		}
	}
	return list
}

// fault is the fault of one request.
type fault struct {
	kind  Fault
	taken bool          // an ambiguous request was processed
	wait  time.Duration // before the answer
}

// processed reports whether the envelope takes effect.
func (f fault) processed() bool {
	switch f.kind {
	case NoFault, CutAfterAccept, Slow:
		return true
	case Hang, Error502, Error504:
		return f.taken
	default:
		return false
	}
}

// draw decides the fault of the next request.
func (s *Server) draw(p path) fault {
	f := &s.opts.Faults
	if len(s.odds) == 0 || p == notifications || p == commands && !f.Commands || p == messages && f.SpareMessages {
		return fault{}
	}
	u := share(s.roll())
	for _, o := range s.odds {
		if u -= o.rate; u >= 0 {
			continue
		}
		if n := s.counters.drawn.Add(1); f.Most > 0 && n > int64(f.Most) {
			return fault{}
		}
		drawn := fault{kind: o.fault, taken: share(s.roll()) < f.TakenAnyway}
		switch o.fault {
		case Slow:
			drawn.wait = f.SlowFor
			if drawn.wait == 0 {
				drawn.wait = 3 * time.Second
			}
		case Error504:
			drawn.wait = f.Error504After
		}
		return drawn
	}
	return fault{}
}

// answer applies the fault to the answer, after the envelope was processed or not. It
// reports whether it has answered; else the caller answers as usual.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, sc *scratch, f fault) (done bool) {
	s.wait(r, s.opts.Latency+f.wait)
	switch f.kind {
	case NoFault, Slow:
		return false
	case CutBeforeRead, CutAfterAccept:
		s.abort()
	case Hang:
		s.counters.hung.Add(1)
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		panic(http.ErrAbortHandler)
	case Throttle:
		s.throttle(w, s.opts.RatePenalty)
	case Refuse:
		s.refuse(w, sc, http.StatusBadRequest, "The envelope is not valid")
	default:
		s.counters.errors.Add(1)
		status, _ := strconv.Atoi(string(f.kind))
		w.WriteHeader(status)
	}
	return true
}

// abort closes the connection without an answer: net/http does that for this panic value,
// and logs nothing.
func (s *Server) abort() {
	s.counters.cut.Add(1)
	panic(http.ErrAbortHandler)
}
