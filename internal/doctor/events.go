package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"pombo/internal/config"
	"pombo/internal/setup"
)

// diagnoseEvents sends a signed event of the type pombo.test, which says nothing: only the
// receiver knows whether it has the secret.
func diagnoseEvents(ctx context.Context, c config.Config, _ running) []Finding {
	if c.Events.URL == "" {
		return nil
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
