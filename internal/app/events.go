package app

import (
	"context"

	"pombo"
	"pombo/internal/dispatch"
	"pombo/internal/events"
	"pombo/internal/setup"
)

// newEvents makes the sender of events, if there is an EVENTS_URL.
func (a *App) newEvents(o Options, controls *dispatch.Controls, known healthReader) error {
	if o.Config.Events.URL == "" {
		return nil
	}
	client, err := setup.Events(o.Config)
	if err != nil {
		return err
	}
	a.onStop("events", func(context.Context) error { client.Close(); return nil })
	a.events, err = events.New(events.Options{
		Outbox: a.ledger.Outbox, Client: client, Leadership: controls.Leadership(events.Job), Alerts: known.active,
		Retention: o.Config.Ledger.Retention, Logger: a.log, Registerer: o.Registry,
	})
	return err
}

// active returns the alerts as the outbox compares them.
func (w healthReader) active(ctx context.Context) ([]pombo.ActiveAlert, error) {
	f, err := w.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var list []pombo.ActiveAlert
	for _, a := range f.Alerts() {
		list = append(list, pombo.ActiveAlert{Name: a.Name, Message: a.Message, Hint: a.Hint, Count: a.Count})
	}
	return list, nil
}
