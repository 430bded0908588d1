//go:build unix

package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pombo/internal/config"
)

// A share whose server is away keeps doctor no longer than any other check.
func TestDiagnoseDocuments_Hangs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "share")
	if err := syscall.Mkfifo(dir, 0o600); err != nil { // whoever opens it for reading waits
		t.Skip("no pipe can be made here: ", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	found := diagnoseDocuments(ctx, config.Config{Dispatch: config.Dispatch{DocumentsDir: dir}}, running{})
	if len(found) != 1 || found[0].Result != Fail || !strings.Contains(found[0].Message, "does not answer") {
		t.Errorf("a share that hangs: %+v, want that it does not answer", found)
	}
	end, err := os.OpenFile(dir, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = end.Close()
}
