package api

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo"
)

// TestOptOuts goes through the client, so that both sides are held to the same.
func TestOptOuts(t *testing.T) {
	w := newFixture(t)
	server := httptest.NewServer(w.server)
	defer server.Close()
	client := NewClient(server.URL, token, nil)

	change, err := client.OptOut(t.Context(), "(31) 98888-0042", pombo.OptOutMarketing)
	if want := (OptOutChange{Phone: "+55 31 *****-**42", OptedOut: true}); err != nil || change != want {
		t.Fatalf("opt out: %+v, %v; want %+v", change, err, want)
	}
	if o := w.ledger.out; len(o) != 1 || o[0].Phone.E164() != plantedPhone || o[0].By != "operator" || !o[0].At.Equal(today) {
		t.Fatalf("the ledger got %+v", o)
	}
	w.ledger.out = append(w.ledger.out, pombo.OptOut{Identity: "5531988880042@wa.gw.msging.net", Scope: pombo.OptOutAll, By: "person", At: today.Add(time.Hour)})
	list, err := client.OptOuts(t.Context(), "", 0)
	want := OptOutList{NextCursor: "c2", OptOuts: []OptOut{
		{Phone: "+55 31 *****-**42", Scope: "marketing", At: today, By: "operator"}, {Scope: "all", At: today.Add(time.Hour), By: "person"},
	}}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	w.ask("GET", "/api/v1/optouts?limit=1", "")
	w.ask("POST", "/api/v1/optouts", `{"phone":"31 98888-0042"}`)
	w.ask("POST", "/api/v1/optouts", `{"phone":"31 98888-0042","scope":"all"}`)
	w.ask("POST", "/api/v1/optouts", `{"phone":"31 98888-0042","scope":"some"}`)
	w.ask("POST", "/api/v1/optouts/remove", `{"phone":"31 98888-0042"}`)
	if list, err = client.OptOuts(t.Context(), "c2", 10); err != nil || len(list.OptOuts) != 0 {
		t.Errorf("second page: %+v, %v", list, err)
	}

	w.ledger.out = w.ledger.out[:0]
	if _, err := client.OptIn(t.Context(), "31988880042"); !errors.Is(err, pombo.ErrNotFound) {
		t.Errorf("opt in of somebody who is not on the list: %v, want not found", err)
	}
	if _, err := client.OptOut(t.Context(), "31988880042", pombo.OptOutAll); err != nil {
		t.Fatal(err)
	}
	change, err = client.OptIn(t.Context(), "31988880042")
	if err != nil || change.OptedOut || len(w.ledger.out) != 0 {
		t.Errorf("opt in: %+v, %v, %d left on the list", change, err, len(w.ledger.out))
	}
}
