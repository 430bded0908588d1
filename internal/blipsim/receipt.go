package blipsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// retention is how long Blip keeps receipts.
const retention = 3 * 24 * time.Hour

// Receipt is a receipt of a message.
type Receipt struct {
	Event       Event
	ID          string    // of the message
	UniqueID    string    // of the delivery: two deliveries of one id differ in it
	At          time.Time // when it comes
	Code        int       // of a failure
	Description string    // of a failure
	Recipient   string    // the identity
}

// Receipts returns the receipts so far of all deliveries of a message, in order of time,
// before Faults disturb them.
func (s *Server) Receipts(id string) []Receipt {
	now := s.opts.Now()
	var out []Receipt
	for i, m := range s.deliveriesOf(id) {
		for _, r := range s.receiptsOf(id, i, m) {
			if !r.At.After(now) && now.Sub(r.At) < retention {
				out = append(out, r)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Receipt) int { return a.At.Compare(b.At) })
	return out
}

// delays are the times of the receipts after the acceptance of the message.
type delays struct{ accepted, dispatched, received, consumed, failed, answer time.Duration }

func newDelays(opts Options) delays {
	or := func(d, usual time.Duration) time.Duration {
		if d == 0 {
			return usual
		}
		return max(d, 0)
	}
	return delays{
		or(opts.AcceptedAfter, 20*time.Millisecond), or(opts.DispatchedAfter, 200*time.Millisecond),
		or(opts.ReceivedAfter, time.Second), or(opts.ConsumedAfter, 3*time.Second), or(opts.FailedAfter, time.Second),
		or(opts.AnswerAfter, 2*time.Second),
	}
}

// outcome is what becomes of a message. The zero outcome is delivery.
type outcome struct {
	code       int           // of the failure; 0 = none
	after      time.Duration // when it fails; 0 = FailedAfter
	handedOver bool          // it reached WhatsApp before it failed
	stop       Event         // no receipt after this one; "" = all
}

// outcomes lists every possible outcome, so that a mark can contain one as a number. New
// fills it; afterwards it is only read.
type outcomes struct {
	list   []outcome
	number map[outcome]uint16
}

// index returns the number of an outcome, which it adds if it is new.
func (os *outcomes) index(o outcome) uint16 {
	if os.number == nil {
		os.number = map[outcome]uint16{}
		os.index(outcome{}) // number 0
		for _, code := range []int{
			42, codeMissingValue, codeBadValue, codeWindowClosed, 131056, codeCountMismatch,
			codeNoTemplate, codeTooLong, codeFormatMismatch, codePaused, codeDisabled,
		} {
			os.index(outcome{code: code})
		}
	}
	n, ok := os.number[o]
	if !ok {
		if len(os.list) == maxOutcomes {
			panic("blipsim: more than 16384 different behaviours")
		}
		n = uint16(len(os.list))
		os.list = append(os.list, o)
		os.number[o] = n
	}
	return n
}

// of returns the number of a failure that the simulator itself detects.
func (os *outcomes) of(code int) uint16 { return os.number[outcome{code: code}] }

// receiptsOf computes all receipts of one delivery, including future ones.
func (s *Server) receiptsOf(id string, delivery int, m mark) []Receipt {
	o := s.outcomes.list[m.outcome()]
	base := Receipt{ID: id, UniqueID: randomUUID(s.fate(id, delivery, "unique")), Recipient: s.identityOf(m.to)}
	out := make([]Receipt, 0, 4)
	add := func(e Event, after time.Duration) {
		if e.rank() > o.stop.rank() || e.rank() > s.opts.Faults.StopAfter.rank() {
			return
		}
		r := base
		r.Event, r.At = e, m.at().Add(after)
		if e == Failed {
			r.Code, r.Description = s.reason(o.code)
		}
		out = append(out, r)
	}
	add(Accepted, s.delays.accepted)
	if o.code == 0 || o.handedOver {
		add(Dispatched, s.delays.dispatched)
	}
	switch {
	case o.code != 0 && o.after != 0:
		add(Failed, o.after)
	case o.code != 0:
		add(Failed, s.delays.failed)
	default:
		add(Received, s.delays.received)
		if share(s.fate(id, delivery, "read")) < s.opts.ReadRate {
			add(Consumed, s.delays.consumed)
		}
	}
	return out
}

// rank orders the events for StopAfter. Failed is WhatsApp's answer, as received is. An
// unknown word stops nothing.
func (e Event) rank() int {
	switch e {
	case Nothing:
		return 0
	case Accepted:
		return 1
	case Dispatched:
		return 2
	case Received, Failed:
		return 3
	default:
		return 4
	}
}

// description returns the text of a code, as Blip and Meta give it.
func description(code int) string {
	switch code {
	case 42:
		return "Destination not found"
	case 86:
		return "The gateway switch operation timed out"
	case 130472:
		return "User's number is part of an experiment"
	case 131008:
		return "Required parameter is missing"
	case 131009:
		return "Parameter value is not valid"
	case 131026:
		return "Message undeliverable"
	case 131047:
		return "Re-engagement message"
	case 131049:
		return "This message was not delivered to maintain healthy ecosystem engagement."
	case 131050:
		return "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages"
	case 131056:
		return "(Business Account, Consumer Account) pair rate limit hit"
	case 132000:
		return "Number of parameters does not match the expected number of params"
	case 132001:
		return "Template name does not exist in the translation"
	case 132005:
		return "Translated text too long"
	case 132012:
		return "Parameter format does not match format in the created template"
	case 132015:
		return "Template is paused"
	case 132016:
		return "Template is disabled"
	default:
		return "Something went wrong"
	}
}

// reason returns the code and text with which a failure is reported: WhatsApp's code, or
// the gateway's with that code in the text.
func (s *Server) reason(code int) (int, string) {
	if code < 1000 || !s.opts.Faults.WrappedReasons {
		return code, description(code)
	}
	return 81, "Gateway error: (#" + strconv.Itoa(code) + ") " + description(code)
}

// disturb applies Faults to the receipts of one or more deliveries, to the same receipt
// always in the same way.
func (s *Server) disturb(list []Receipt) []Receipt {
	f := &s.opts.Faults
	if f.DuplicateEvents <= 0 && f.ForwardedIDs <= 0 && !f.Reorder {
		return list
	}
	out := make([]Receipt, 0, len(list)+1)
	for _, r := range list {
		id := r.UniqueID + string(r.Event)
		if share(s.fate(id, 0, "forward")) < f.ForwardedIDs {
			r.ID = "fwd:" + r.ID
		}
		out = append(out, r)
		if share(s.fate(id, 0, "duplicate")) < f.DuplicateEvents {
			out = append(out, r)
		}
	}
	if f.Reorder && len(out) > 0 {
		roll := s.fate(out[0].UniqueID, len(out), "order")
		for i := len(out) - 1; i > 0; i-- {
			roll = mix(roll)
			j := int(roll % uint64(i+1))
			out[i], out[j] = out[j], out[i]
		}
	}
	return out
}

// appendReceipt appends a receipt as Blip sends it to the bot.
func (s *Server) appendReceipt(dst []byte, sc *scratch, r Receipt, bot string) []byte {
	id := strings.TrimPrefix(r.ID, "fwd:")
	roll := s.fate(id, 0, "node")
	from := "postmaster@msging.net/#az-iris" + strconv.FormatUint(1+roll%5, 10)
	switch r.Event {
	case Received, Consumed:
		from = r.Recipient
	case Dispatched:
		from = "postmaster@" + whatsApp + "/#gw1"
	case Failed:
		if r.Code >= 1000 || r.Code == 81 {
			from = "postmaster@" + whatsApp + "/#gw1"
		}
	}
	meta := []field{
		text("traceparent", trace(roll)),
		text("#envelope.timestamp", strconv.FormatInt(r.At.UnixMilli(), 10)),
		text("#envelope.storageDate", r.At.UTC().Format("2006-01-02T15:04:05.000Z")),
		text("#message.uniqueId", r.UniqueID),
		text("#message.to", r.Recipient),
		text("#message.from", bot),
	}
	if r.Event == Received || r.Event == Consumed {
		meta = append(meta,
			text("#wa.timestamp", strconv.FormatInt(r.At.Unix(), 10)),
			text("#wa.conversation.id", strconv.FormatUint(roll>>32, 16)),
			text("#wa.conversation.origin.type", "utility"))
	}
	if s.opts.Faults.TunnelFrom {
		meta = append(meta,
			text("#tunnel.owner", bot), text("#tunnel.originator", bot),
			text("#tunnel.originalFrom", from), text("#tunnel.originalTo", bot))
		from = randomUUID(s.fate(r.Recipient, 0, "tunnel")) + "@tunnel.msging.net"
	}
	sc.meta = appendObject(sc.meta[:0], roll, meta...)
	fields := []field{text("event", string(r.Event)), text("id", r.ID), text("from", from), text("to", bot), raw("metadata", sc.meta)}
	if r.Event == Failed {
		fields = append(fields, raw("reason", s.appendReason(nil, r.Code, r.Description)))
	}
	return appendObject(dst, mix(roll), fields...)
}

// trace returns a W3C traceparent.
func trace(roll uint64) string {
	u := strings.ReplaceAll(randomUUID(roll)+randomUUID(roll+1), "-", "")
	return "00-" + u[:32] + "-" + u[32:48] + "-01"
}
