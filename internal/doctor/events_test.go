package doctor

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/events"
	"pombo/internal/ledger"
)

func TestDiagnoseEvents(t *testing.T) {
	t.Parallel()
	const secret, other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		text, _ := io.ReadAll(r.Body)
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil || verifier.Verify(text, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !strings.Contains(string(text), `"type":"pombo.test"`) {
			t.Errorf("the test says %s", text)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	for _, tt := range []struct {
		name, url     string
		secrets       []pombo.Private
		want          Result
		message, hint string // a word of each
	}{
		{"the same secret", server.URL, []pombo.Private{secret}, OK, "pombo.test", ""},
		{"while it is changed", server.URL, []pombo.Private{other, secret}, OK, "pombo.test", ""},
		{"another secret", server.URL, []pombo.Private{other}, Fail, "401", "EVENTS_SECRET"},
		{"nobody there", "http://127.0.0.1:1/x", []pombo.Private{secret}, Fail, "no connection", "log"},
		{"no secret", server.URL, nil, Fail, "no secret", "EVENTS_SECRET"},
	} {
		found := diagnoseEvents(t.Context(), config.Config{Events: config.Events{URL: tt.url, Secrets: tt.secrets}}, running{})
		if len(found) != 1 || found[0].Result != tt.want || found[0].Part != "events" || !strings.Contains(found[0].Message, tt.message) || !strings.Contains(found[0].Hint, tt.hint) {
			t.Errorf("%s: %+v, want %s with %q and the hint %q", tt.name, found, tt.want, tt.message, tt.hint)
		}
		for _, f := range found {
			if strings.Contains(f.Message+f.Hint, "MfKQ9r8G") {
				t.Errorf("%s: the finding shows the secret: %+v", tt.name, f)
			}
		}
	}
	if calls != 3 {
		t.Errorf("%d calls, want one for each receiver that answers", calls)
	}
}

// Without EVENTS_URL doctor sees that another process on the ledger has one.
func TestDiagnoseEvents_Untold(t *testing.T) {
	t.Parallel()
	url := postgres.Database(t)
	if _, _, err := ledger.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	other, err := ledger.Open(t.Context(), ledger.Options{URL: url, Events: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	here := config.Config{Ledger: config.Ledger{URL: pombo.Private(url)}}
	says := func(what string, c config.Config, serve running, want int) {
		t.Helper()
		found := diagnoseEvents(t.Context(), c, serve)
		if len(found) != want || want > 0 && (found[0].Result != Warn || !strings.Contains(found[0].Message, "this one writes none") || found[0].Hint == "") {
			t.Errorf("%s: %+v, want %d warnings", what, found, want)
		}
	}
	says("nobody sends events", here, running{}, 0)
	if leads, err := other.Leases.AcquireLeadership(t.Context(), events.Job, "other", time.Hour); err != nil || !leads {
		t.Fatal(leads, err)
	}
	says("another process sends events", here, running{}, 1)
	says("a Pombo is running, and says so itself", here, running{pombo: true}, 0)
	says("a ledger of one process", config.Config{Ledger: config.Ledger{URL: "sqlite:none.db"}}, running{}, 0)
	says("a ledger that is away", config.Config{Ledger: config.Ledger{URL: "postgres://x:y@127.0.0.1:1/z"}}, running{}, 0)
}
