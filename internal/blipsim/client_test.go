package blipsim

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clientFolder is where scripts/blip-client puts the client.
func clientFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("BLIP_CLIENT")
	if folder == "" {
		tools := os.Getenv("POMBO_TOOLS")
		if cache, err := os.UserCacheDir(); err == nil && tools == "" {
			tools = filepath.Join(cache, "pombo", "tools")
		}
		found, _ := filepath.Glob(filepath.Join(tools, "blip-tools@*"))
		if len(found) == 0 {
			t.Skip("the client of Blip for Node is not there: scripts/blip-client installs it")
		}
		folder = found[len(found)-1]
	}
	return folder
}

// A client written elsewhere works with the simulator, so that the simulator is
// not shaped after our own.
func TestServer_WorksWithAForeignClient(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	client := clientFolder(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("the client of Blip needs Node, which is not there")
	}
	s := New(Options{Key: "bXlib3Q6c2VjcmV0"})
	t.Cleanup(s.Close)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join("testdata", "client", "client.js"), client, server.URL, "bXlib3Q6c2VjcmV0")
	cmd.Env = append(os.Environ(), "HTTP_PROXY=", "http_proxy=")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("client.js: %v\n%s", err, complaint.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("client.js printed %q: %v", out, err)
	}
	want := map[string]any{
		"identity": maria,
		"template": []any{[]any{"pt_BR", "APPROVED", "Olá, {{1}}! {{2}}"}},
		"stranger": 67.,
		"contact": map[string]any{
			"identity": maria, "name": "Maria", "city": "Recife", "extras": map[string]any{"plano": "ouro", "leito": "7"},
		},
		"context": []any{"sub@msging.net", "s"},
		"bucket":  map[string]any{"a": 1.}, "noBucket": 67.,
		"unknownMessage": []any{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("client.js saw (-want +got):\n%s", diff)
	}
	taken := s.Taken()
	if len(taken) != 1 || taken[0].To != maria || taken[0].Template != "notificacao" ||
		cmp.Diff([]Param{{"body", "Maria"}, {"body", "Pronto."}}, taken[0].Params) != "" {
		t.Errorf("the simulator took %+v, want one message of the template to %s", taken, maria)
	}
}
