package dispatch_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pombo"
	"pombo/internal/delivery"
	"pombo/internal/dispatch"
	"pombo/internal/intake"
	"pombo/internal/leader"
	"pombo/internal/settle"
	"pombo/internal/template"
	"pombo/internal/throttle"
	"pombo/test/nightly"
)

// ledger is one value that is the ledger of every room.
//
//nolint:interfacebloat // it only adds up those that the rooms declare
type ledger interface {
	throttle.Ledger
	leader.Ledger
	leader.LeaseLedger
	template.ParkingLedger
	throttle.HoldLedger
	dispatch.TemplateLedger
	intake.Ledger
	intake.RunLedger
	settle.Ledger
	delivery.Ledger
	delivery.UncertainLedger
	delivery.ExpiryLedger
	delivery.OptOutLedger
	dispatch.Reclaimer
	dispatch.OperatorLedger
	isShared() bool
}

func (f *fakeLedger) isShared() bool { return f.shared }

// options are dispatch.Options with what most tests leave out.
type options struct {
	Source dispatch.Source // nil = an empty table
	Ledger ledger
	Blip   dispatch.Blip
	// Documents opens what headers are made of; nil = there is nothing.
	Documents delivery.Documents
	Owner     string
	Record    func(context.Context, []pombo.Receipt) error // nil = the outcome of a check is recorded

	Template           string
	Language           string
	Slots              []pombo.Slot
	Workers            int // 0 = as many as a user has, by day fewer: each idle second costs more with each
	MessagesPerSecond  float64
	CommandsPerSecond  float64
	PollInterval       time.Duration
	Uncertain          delivery.Policy
	UncertainTemplates map[string]delivery.Policy
	UncertainWait      time.Duration
	Quiet              pombo.Quiet
	Zone               *time.Location
	Lease              time.Duration
	HighWater          int

	FailuresBeforePause int
	Payload             func(pombo.Button) bool

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// newEngine returns an engine that has not been started.
func newEngine(o options) (*dispatch.Engine, error) {
	if o.Source == nil {
		o.Source = newTable()
	}
	if o.Owner == "" {
		o.Owner = "test"
	}
	if o.Record == nil {
		o.Record = func(ctx context.Context, receipts []pombo.Receipt) error { return record(ctx, o.Ledger, receipts) }
	}
	if o.Workers == 0 {
		o.Workers = nightly.Or(0, 4)
	}
	l := o.Ledger
	controls, err := dispatch.NewControls(dispatch.Options{
		SourceName: "notificacao", Source: o.Source, Pending: "1", Blip: o.Blip, Documents: o.Documents, Owner: o.Owner,
		Ledger: dispatch.Ledger{
			Shared: l.isShared(), Throttle: l, Leadership: l, Lease: l, Reclaim: l, Parking: l, Holds: l, Templates: l, Intake: l, Runs: l, Settle: l,
			Delivery: l, Uncertain: l, Expiry: l, OptOuts: l, Operator: l,
		},
		Template: o.Template, Language: o.Language, Slots: o.Slots, Workers: o.Workers,
		MessagesPerSecond: o.MessagesPerSecond, CommandsPerSecond: o.CommandsPerSecond, PollInterval: o.PollInterval,
		Uncertain: delivery.Policies{Default: o.Uncertain, ByTemplate: o.UncertainTemplates}, UncertainWait: o.UncertainWait,
		Quiet: o.Quiet, Zone: o.Zone, Lease: o.Lease, HighWater: o.HighWater, FailuresBeforePause: o.FailuresBeforePause, Payload: o.Payload,
		Logger: o.Logger, Registerer: o.Registerer,
	})
	if err != nil {
		return nil, err
	}
	return dispatch.New(controls, o.Record), nil
}

// record records the outcome of a check, as package receipts does.
func record(ctx context.Context, l ledger, receipts []pombo.Receipt) error {
	for _, r := range receipts {
		n, _, err := l.Notification(ctx, r.MessageID)
		if err != nil {
			return err
		}
		o := pombo.Outcome{Seq: n.Seq, From: pombo.Uncertain, Owner: n.Owner, Attempt: n.Attempt, To: r.State, Reason: pombo.TraceFound}
		if r.State == pombo.Failed {
			o.Reason, o.Detail = r.Reason, r.Detail
		}
		if err := l.Finish(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// startEngine starts an engine and stops it when the test ends.
func startEngine(t *testing.T, o options) *dispatch.Engine {
	t.Helper()
	e, err := newEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}
