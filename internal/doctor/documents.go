package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"pombo/internal/config"
)

// diagnoseDocuments looks at the folder of the files that headers name, if there is one.
func diagnoseDocuments(ctx context.Context, c config.Config, _ running) []Finding {
	dir := c.Dispatch.DocumentsDir
	if dir == "" {
		return nil
	}
	return check(ctx, "documents", "DOCUMENTS_DIR", func(ctx context.Context) []Finding {
		found := make(chan []Finding, 1)
		go func() { found <- documentsDir(dir) }() // a share that is away can hang
		select {
		case f := <-found:
			return f
		case <-ctx.Done():
			return bad(dir+" does not answer", "see whether the share is mounted and its server up; rows with a document wait")
		}
	})
}

func documentsDir(dir string) []Finding {
	const waits = "rows with a document wait meanwhile; correct DOCUMENTS_DIR, mount the share or give the service's account the right to read it"
	f, err := os.Open(dir)
	if err != nil {
		return bad(err.Error(), waits)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return bad(err.Error(), waits)
	case !info.IsDir():
		return bad(dir+" is not a folder", waits)
	}
	switch _, err := f.ReadDir(1); {
	case errors.Is(err, io.EOF):
		return doubt(dir+" is empty, as the folder of a share is that is not mounted; rows with a document wait", "mount the share, or let the company's system write its files there")
	case err != nil:
		return bad(err.Error(), waits)
	}
	const othersMayWrite = 0o002
	if runtime.GOOS != "windows" && info.Mode().Perm()&othersMayWrite != 0 {
		return doubt(fmt.Sprintf("everybody on this machine may write to %s (%s), and what lies there can be sent", dir, info.Mode()), "chmod o-w "+dir)
	}
	return good(dir + " can be read")
}
