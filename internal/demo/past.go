package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pombo"
	"pombo/internal/audit"
	"pombo/internal/blipsim"
	"pombo/internal/config"
	"pombo/internal/ledger"
	"pombo/internal/setup"
)

// The demo's ledger has a month behind it, so that each page of the desk has something to
// show: figures, failures of several kinds, a message of which nobody knows whether it
// arrived, a person who opted out, a template that is held, a comparison. It is written
// before the server starts, through the same methods that every message goes through,
// under a clock that is set back; the rows are in the table as their company would see
// them. Nothing of it was sent.

// fate is what became of a message of the past.
type fate uint8

const (
	wasRead fate = iota
	wasDelivered
	wasAccepted // and nothing more is known
	hadNoWhatsApp
	wasUndeliverable
	hadLineBreak
	hadNoPhone
	wasLate
	hadOptedOut
	isUncertain
	isHeld     // its template is
	wasChanged // delivered; somebody else has changed the row's status since
)

const (
	pastDays = 31
	pastID   = 1_000_001 // of the first row; those of the sample are below
	// heldTemplate is one that an operator holds. What is uncertain of it waits for a
	// person.
	heldTemplate = "order_shipped"
	codeForeign  = 9 // somebody else's, of the row that diverged
	pastOwner    = "demo"
	pastUser     = "ana"
)

// pastRow is a row of the past.
type pastRow struct {
	sample
	fate  fate
	code  int // in the table now
	id    int
	reads int // which part of a wave it belongs to
}

// wave is what was taken in at one moment.
type wave struct {
	at   time.Time
	rows []*pastRow
}

// shares say how often each fate comes, of a thousand. What is there once is put in by hand.
var shares = []struct {
	fate fate
	of   int
}{
	{wasRead, 560}, {wasDelivered, 330}, {wasAccepted, 18}, {hadNoWhatsApp, 38}, {wasUndeliverable, 14}, {hadNoPhone, 20}, {wasLate, 12}, {hadOptedOut, 8},
}

// Planted is somebody whom the past has messages of. Neither her name nor her number may
// be seen on a page before somebody uncovers them.
var Planted = struct{ Name, Phone string }{"Zulmira Quaresma", "(31) 97654-3210"}

// pastOf makes up the month before a time; the same each time but for the hours.
func pastOf(now time.Time) []wave {
	random := rand.New(rand.NewPCG(5, 11)) //nolint:gosec // nothing is secret about it
	var waves []wave
	id := pastID
	for day := pastDays; day >= 0; day-- {
		at := time.Date(now.Year(), now.Month(), now.Day()-day, 9, 0, 0, 0, now.Location())
		hours := []int{0}
		if day < 3 {
			hours = []int{0, 2, 5}
		}
		many := 26
		if wd := at.Weekday(); wd == time.Saturday || wd == time.Sunday {
			many = 8
		}
		for _, hour := range hours {
			w := wave{at: at.Add(time.Duration(hour) * time.Hour)}
			if w.at.After(now.Add(-2 * time.Hour)) {
				continue
			}
			for i := range many/len(hours) + random.IntN(4) {
				r := pastSample(random, id)
				if i == 0 && w.at.After(now.Add(-23*time.Hour)) { // new since yesterday, at whatever hour it is now
					r.fate, r.template = hadLineBreak, "" // who sends it again must not wait for the held one
				}
				w.rows = append(w.rows, r)
				id++
			}
			waves = append(waves, w)
		}
	}
	once := []fate{isUncertain, isHeld, isHeld, isHeld, wasChanged, hadOptedOut, wasRead}
	last := &waves[len(waves)-1]
	for _, f := range once {
		r := pastSample(random, id)
		r.fate, r.template = f, heldTemplate
		if f == wasRead || f == hadOptedOut {
			r.phone, r.name, r.template = Planted.Phone, Planted.Name, ""
		}
		last.rows = append(last.rows, r)
		id++
	}
	for _, w := range waves {
		for _, r := range w.rows {
			r.finish()
		}
	}
	return waves
}

// pastSample makes up one row.
func pastSample(random *rand.Rand, id int) *pastRow {
	good := goodRow(random.IntN(400)) // some people get more than one
	if good.template == asks {
		good.template, good.behaviour = "", blipsim.Behaviour{} // nobody asked for answers then
	}
	r := &pastRow{sample: good, id: id, reads: random.IntN(3)}
	// Numbers of their own: what is sent now waits six seconds between two to one person.
	r.phone = fmt.Sprintf("(31) 97%03d-%04d", 100+random.IntN(200), 7000+random.IntN(3))
	if random.IntN(4) == 0 {
		r.template = heldTemplate
	}
	n := random.IntN(1000)
	for _, s := range shares {
		if r.fate = s.fate; n < s.of {
			break
		}
		n -= s.of
	}
	return r
}

// finish makes the row fit its fate.
func (r *pastRow) finish() {
	switch r.fate {
	case wasRead:
		r.code = codeRead
	case wasDelivered:
		r.code = codeDelivered
	case wasAccepted:
		r.code = codeSent
	case wasChanged:
		r.code = codeForeign
	case isUncertain, isHeld:
		r.code = codePending
	case hadNoPhone:
		r.phone, r.code = "ramal 12", codeFailed
	case hadLineBreak:
		r.text, r.code = "seu exame\nestá pronto", codeFailed
	case hadNoWhatsApp, wasUndeliverable, wasLate, hadOptedOut:
		r.code = codeFailed
	}
}

// fateOf returns the rows of some fates, with their place in the ledger.
func fateOf(rows []*pastRow, in map[int]pombo.Notification, fates ...fate) (list []pombo.Notification) {
	for _, r := range rows {
		for _, f := range fates {
			if r.fate == f {
				list = append(list, in[r.id])
			}
		}
	}
	return list
}

// past writes the month into the ledger.
type past struct {
	*ledger.DB
	source string
	clock  atomic.Int64 // milliseconds
}

// writePast makes the demo's ledger.
func writePast(ctx context.Context, c config.Config, waves []wave) (err error) {
	p := &past{source: c.Source.Name}
	p.set(waves[0].at.Add(-time.Hour))
	p.DB, err = ledger.Open(ctx, ledger.Options{
		URL: c.Ledger.URL.Reveal(), Exclusive: true, Source: c.Source.Name, Pending: c.Source.Pending, Codes: setup.Codes(c.Source), Replies: setup.Replies(c),
		FirstPoll: -1, // the pretend Blip knows nothing of it
		Lease:     time.Hour, Now: func() time.Time { return time.UnixMilli(p.clock.Load()) },
	})
	if err != nil {
		return fmt.Errorf("make the demo's ledger: %w", err)
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.prepare(ctx); err != nil {
		return fmt.Errorf("prepare the demo's ledger: %w", err)
	}
	for i, w := range waves {
		if err := p.live(ctx, w); err != nil {
			return fmt.Errorf("write the demo's past: %w", err)
		}
		if i == len(waves)/2 {
			// A mistake in a template was corrected half a month ago.
			if err := p.Templates.SaveTemplates(ctx, templatesThen("Olá {{1}}, seu pedido {{2}} saiu para entrega.")); err != nil {
				return err
			}
		}
	}
	if err := p.asked(ctx); err != nil {
		return fmt.Errorf("write the demo's past: %w", err)
	}
	return p.end(ctx, waves)
}

// asked has somebody write to the bot what answers no message of theirs.
func (p *past) asked(ctx context.Context) error {
	row := pombo.Row{Recipient: pombo.Private(Planted.Phone)}
	row.ParsePhone()
	digits := strings.TrimPrefix(row.Phone.E164(), "+")
	_, err := p.Replies.Take(ctx, []pombo.Inbound{{
		ID: "demo-1", Identity: pombo.Private(digits + "@wa.gw.msging.net"), Phone: pombo.Private(digits), Kind: pombo.ReplyText, Form: "text",
		Text: pombo.Private("Aqui é " + Planted.Name + ". Posso ir mais cedo?"), At: p.ago(0),
	}})
	return err
}

func (p *past) set(t time.Time)               { p.clock.Store(t.UnixMilli()) }
func (p *past) after(d time.Duration)         { p.clock.Add(d.Milliseconds()) }
func (p *past) ago(d time.Duration) time.Time { return time.UnixMilli(p.clock.Load()).Add(-d) }

// templatesThen are the templates of the past as Blip listed them.
func templatesThen(shipped string) []pombo.Template {
	return []pombo.Template{
		{Name: "notificacao", Language: "pt_BR", Status: "APPROVED", Category: "UTILITY", Body: "Olá, {{1}}! {{2}}", Footer: "Pombo"},
		{Name: heldTemplate, Language: "pt_BR", Status: "APPROVED", Category: "UTILITY", Body: shipped, Footer: "Loja Exemplo"},
	}
}

func (p *past) prepare(ctx context.Context) error {
	if err := p.Templates.SaveTemplates(ctx, templatesThen("Ola {{1}}, seu pedido {{2}} saiu pra entrega.")); err != nil {
		return err
	}
	row := pombo.Row{Recipient: pombo.Private(Planted.Phone)}
	row.ParsePhone()
	return p.OptOuts.OptOut(ctx, pombo.OptOut{Phone: row.Phone, By: "person"})
}

// live takes a wave through its life.
func (p *past) live(ctx context.Context, w wave) error {
	p.set(w.at)
	rows := make([]pombo.Row, 0, len(w.rows))
	for _, r := range w.rows {
		row := pombo.Row{
			RowKey: strconv.Itoa(r.id), Recipient: pombo.Private(r.phone), Template: r.template,
			Params: []pombo.Param{{Slot: pombo.Body, Value: pombo.Private(r.name)}, {Slot: pombo.Body, Value: pombo.Private(r.text)}},
		}
		if row.ParsePhone(); r.fate == isHeld {
			row.SendAfter = w.at.Add(time.Hour)
		}
		rows = append(rows, row)
	}
	if _, _, err := p.Intake.Enqueue(ctx, p.source, 0, rows); err != nil {
		return err
	}
	p.after(400 * time.Millisecond)
	claimed, err := p.Queue.Claim(ctx, pastOwner, len(rows))
	if err != nil {
		return err
	}
	in := make(map[int]pombo.Notification, len(claimed))
	for i := range claimed {
		id, err := strconv.Atoi(claimed[i].Key.RowKey)
		if err != nil {
			return err
		}
		in[id] = claimed[i]
	}
	if err := p.refuse(ctx, w, in); err != nil {
		return err
	}
	if err := p.send(ctx, w, in); err != nil {
		return err
	}
	return p.settle(ctx, w)
}

// refuse ends what was never sent.
func (p *past) refuse(ctx context.Context, w wave, in map[int]pombo.Notification) error {
	for _, end := range []struct {
		fate   fate
		to     pombo.State
		reason pombo.Reason
	}{
		{hadNoPhone, pombo.Failed, pombo.InvalidPhone},
		{hadLineBreak, pombo.Failed, pombo.ParameterFormat},
		{wasLate, pombo.Expired, pombo.ExpiredRow},
		{hadOptedOut, pombo.Suppressed, pombo.OptedOut},
	} {
		err := atOnce(fateOf(w.rows, in, end.fate), func(n pombo.Notification) error {
			return p.Queue.Finish(ctx, pombo.Outcome{Seq: n.Seq, From: pombo.Claimed, Owner: pastOwner, Attempt: n.Attempt, To: end.to, Reason: end.reason})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// send sends the others, and has their receipts come.
func (p *past) send(ctx context.Context, w wave, in map[int]pombo.Notification) error {
	sent := fateOf(w.rows, in, wasRead, wasDelivered, wasAccepted, hadNoWhatsApp, wasUndeliverable, isUncertain, wasChanged)
	uncertain := fateOf(w.rows, in, isUncertain)
	begin := func(n pombo.Notification) error {
		_, err := p.Queue.Begin(ctx, n, "")
		return err
	}
	finish := func(n pombo.Notification) error {
		o := pombo.Outcome{Seq: n.Seq, From: pombo.Sending, Owner: pastOwner, Attempt: n.Attempt + 1, To: pombo.Accepted}
		if len(uncertain) > 0 && n.Seq == uncertain[0].Seq {
			o.To, o.Reason = pombo.Uncertain, pombo.NoAnswer
		}
		return p.Queue.Finish(ctx, o)
	}
	if err := atOnce(sent, begin); err != nil {
		return err
	}
	p.after(90 * time.Millisecond)
	if err := atOnce(sent, finish); err != nil {
		return err
	}
	// A third comes at once, a third in half a minute, and a third took minutes.
	for part, wait := range []time.Duration{3 * time.Second, 30 * time.Second, 4 * time.Minute} {
		p.after(wait)
		var receipts []pombo.Receipt
		for _, r := range w.rows {
			if r.reads != part {
				continue
			}
			receipt := pombo.Receipt{MessageID: in[r.id].MessageID, At: p.ago(0)}
			switch r.fate {
			case wasRead, wasDelivered, wasChanged:
				receipt.State = pombo.Delivered
			case hadNoWhatsApp:
				receipt.State, receipt.Reason, receipt.Code = pombo.Failed, pombo.NotOnWhatsApp, 131026
			case wasUndeliverable:
				receipt.State, receipt.Reason, receipt.Code = pombo.Failed, pombo.Undeliverable, 130472
			default:
				continue
			}
			receipts = append(receipts, receipt)
		}
		if _, err := p.Receipts.Apply(ctx, receipts); err != nil {
			return err
		}
	}
	p.after(20 * time.Minute)
	var receipts []pombo.Receipt
	for _, n := range fateOf(w.rows, in, wasRead) {
		receipts = append(receipts, pombo.Receipt{MessageID: n.MessageID, At: p.ago(0), State: pombo.Read})
	}
	_, err := p.Receipts.Apply(ctx, receipts)
	return err
}

// settle notes that the results stand in the table, as they do.
func (p *past) settle(ctx context.Context, w wave) error {
	due, err := p.Settlements.Unsettled(ctx, 1000)
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, r := range w.rows {
		if r.fate == wasChanged {
			changed[strconv.Itoa(r.id)] = true
		}
	}
	done := make([]pombo.Settled, 0, len(due))
	for _, s := range due {
		result := pombo.Settled{Settlement: s, Result: pombo.SettleDone}
		if changed[s.RowKey] {
			result.Result, result.Detail = pombo.SettleDiverged, "its status is "+strconv.Itoa(codeForeign)
		}
		done = append(done, result)
	}
	return p.Settlements.Settled(ctx, done)
}

// end writes what stands today: the hold, the trail and the comparison of last night.
func (p *past) end(ctx context.Context, waves []wave) error {
	const note = "o texto está em revisão"
	if err := p.Templates.HoldTemplate(ctx, pombo.TemplateHold{Template: heldTemplate, Who: pastUser, Note: note, At: p.ago(0)}); err != nil {
		return err
	}
	for _, e := range []audit.Entry{
		{At: p.ago(26 * time.Hour), Act: audit.Pause, Detail: "manutenção no Blip"},
		{At: p.ago(25 * time.Hour), Act: audit.Resume},
		{At: p.ago(0), Act: audit.Hold, Target: heldTemplate, Detail: note},
	} {
		e.Who, e.Role, e.Via, e.Result = pastUser, string(pombo.RoleOperator), audit.ViaDesk, audit.Done
		if err := p.Trail.WriteAudit(ctx, e); err != nil {
			return err
		}
	}
	compared, found := 0, []pombo.Discrepancy(nil)
	for _, w := range waves {
		compared += len(w.rows)
		for _, r := range w.rows {
			if r.fate == wasChanged {
				key := pombo.Key{Source: p.source, RowKey: strconv.Itoa(r.id), Generation: 1}
				found = append(found, pombo.Discrepancy{Kind: pombo.RowDiverged, MessageID: key.MessageID(), Key: key})
			}
		}
	}
	return p.Reconciliation.SaveReconciliation(ctx, pombo.Reconciliation{
		Started: p.ago(time.Minute), Finished: p.ago(57 * time.Second), Compared: compared,
		Counts: map[pombo.DiscrepancyKind]int{pombo.RowDiverged: len(found)}, Discrepancies: found,
	})
}

// countPast counts the month for the report, which the server does by itself a minute after
// its start. It rests in between, so that it delays nobody.
func countPast(ctx context.Context, c config.Config) error {
	db, err := ledger.Open(ctx, ledger.Options{URL: c.Ledger.URL.Reveal(), Source: c.Source.Name, Pending: c.Source.Pending})
	if err != nil {
		return fmt.Errorf("count the demo's past: %w", err)
	}
	now := db.Tallies.Now().In(c.Source.Zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	_, err = db.Tallies.Recount(ctx, today.AddDate(0, 0, -pastDays), now)
	for day := today.AddDate(0, 0, -pastDays); err == nil && !day.After(today); day = day.AddDate(0, 0, 1) {
		err = db.Tallies.Fold(ctx, day, day, day.AddDate(0, 0, 1))
	}
	return errors.Join(err, db.Close())
}

// atOnce does something for each at the same time, so that one commit serves all.
func atOnce(list []pombo.Notification, do func(pombo.Notification) error) error {
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() { errs[i] = do(list[i]) })
	}
	all.Wait()
	return errors.Join(errs...)
}
