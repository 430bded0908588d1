package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"pombo/internal/config"
	"pombo/internal/events"
	"pombo/internal/ledger"
	"pombo/internal/setup"
	"pombo/internal/words"
)

// diagnoseEvents sends a signed event of the type pombo.test, which says nothing: only the
// receiver knows whether it has the secret.
//
// Without EVENTS_URL it looks whether another process on the ledger has one: this one would
// write no events then. A Pombo that runs says so itself.
func diagnoseEvents(ctx context.Context, c config.Config, serve running) []Finding {
	if c.Events.URL == "" {
		if strings.HasPrefix(c.Ledger.URL.Reveal(), "sqlite:") || serve.pombo {
			return nil
		}
		return check(ctx, "events", "EVENTS_URL", func(ctx context.Context) []Finding { return untold(ctx, c) })
	}
	return check(ctx, "events", "EVENTS_URL", func(ctx context.Context) []Finding {
		client, err := setup.Events(c)
		if err != nil {
			return bad(err.Error(), "correct EVENTS_URL or EVENTS_SECRET")
		}
		defer client.Close()
		if err := client.Test(ctx, "evt_"+strings.ReplaceAll(uuid.NewString(), "-", ""), time.Now()); err != nil {
			return bad(said(err), "see the receiver's log: 401 or 403 mostly means that it has another EVENTS_SECRET; it has to answer 2xx to types that it does not know, such as pombo.test")
		}
		return good("the receiver has taken a signed test (pombo.test)")
	})
}

// untold says whether another process sends events of which this one would write none. What
// keeps it from being seen, the checks of the ledger say.
func untold(ctx context.Context, c config.Config) []Finding {
	led, err := ledger.InspectLed(ctx, c.Ledger.URL.Reveal(), events.Job)
	if err != nil || !led {
		return nil
	}
	w := words.In(words.English)
	return doubt(w.Text("alert.events_untold"), w.Text("alert.events_untold.hint"))
}
