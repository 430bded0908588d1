package oracletest_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pombo/test/oracletest"
)

// clientFolder is where scripts/oracle-client puts Oracle's thin client.
func clientFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("ORACLE_CLIENT")
	if folder == "" {
		tools := os.Getenv("POMBO_TOOLS")
		if cache, err := os.UserCacheDir(); err == nil && tools == "" {
			tools = filepath.Join(cache, "pombo", "tools")
		}
		found, _ := filepath.Glob(filepath.Join(tools, "oracledb@*"))
		if len(found) == 0 {
			t.Skip("Oracle's client for Node is not there: scripts/oracle-client installs it")
		}
		folder = found[len(found)-1]
	}
	return filepath.Join(folder, "node_modules", "oracledb")
}

// Oracle's own client logs in to the double and works with it, so that the double
// is not shaped after one driver. It speaks to 12.1 and later, and knows no
// verifier of 10g. It verifies the server as the server verifies it.
func TestOracle_ClientWorksWithTheDouble(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short starts no other program")
	}
	client := clientFolder(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Oracle's client needs Node, which is not there")
	}
	for _, c := range []struct {
		name    string
		options oracletest.Options
	}{
		{"12.1, SHA-1", oracletest.Options{Version: oracletest.Oracle12}},
		{"12.1, PBKDF2", oracletest.Options{Version: oracletest.Oracle12, Verifier: oracletest.Verifier12c}},
		{"19c, SHA-1", oracletest.Options{Verifier: oracletest.Verifier11g}},
		{"19c, PBKDF2", oracletest.Options{}},
		{"19c, WE8MSWIN1252", oracletest.Options{Charset: oracletest.WE8MSWIN1252}},
		{"21c, PBKDF2", oracletest.Options{Version: oracletest.Oracle21, Charset: oracletest.WE8ISO8859P1}},
		{"19c, WE8ISO8859P15", oracletest.Options{Charset: oracletest.WE8ISO8859P15}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Password = "s3nha_çã"
			d := start(t, c.options)
			d.Resend(1)
			made := table(t, d, 5)
			alike(t, d)
			made.BeforeUpdate(func(before, _ oracletest.Row) error {
				if before["ID"] == "3" {
					return oracletest.Errorf(20001, "não")
				}
				return nil
			})
			if err := made.Update(2, oracletest.Row{"DT_ENVIADA": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "DS_MENSAGEM": nil}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, filepath.Join("testdata", "client.js"), client, d.Addr()+"/ERP", "pombo", c.options.Password)
			cmd.Env = append(os.Environ(), "TZ=UTC")
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
				"wrongPassword": 1017., "wrongService": "NJS-518",
				"page": []any{
					[]any{"1", "(31) 98888-0001", "Olá, João 1", nil},
					[]any{"2", "(31) 98888-0002", nil, "2026-01-02T03:04:05.000Z"},
					[]any{"3", "(31) 98888-0003", "Olá, João 3", nil},
				},
				"columns": []any{"ID NUMBER", "NR_TELEFONE VARCHAR2", "DS_MENSAGEM CLOB", "DT_ENVIADA DATE"},
				"ids":     []any{"1", "2", "3", "4", "5"}, "again": 5.,
				"alike": []any{"1 1 Olá", "2 1 Olá", "3 1 Olá", "4 1 Olá", "5 1 Olá", "6 1 tchau", "7 2 tchau", "8 2 tchau", "9 3 fim", "10 3 null", "11 3 null"}, "schema": "POMBO",
				"counts": []any{1., 1., 0.}, "countsAgain": []any{0., 0., 0.}, "affected": 0., "committed": 1., "changed": 1.,
				"unknownTable": 942., "unknownColumn": 904., "tooLong": 12899., "notOracle": 933., "trigger": 20001.,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("client.js saw (-want +got):\n%s", diff)
			}
			wantColumn(t, made, 1, "CD_STATUS", "2")
			wantColumn(t, made, 2, "DS_ERRO", "ação")
		})
	}
}
