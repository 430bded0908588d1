package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

const sumsName = "SHA256SUMS"

// writeSums writes the checksums of all files, as sha256sum -c reads them.
func writeSums(folder string, log io.Writer) error {
	files, err := filepath.Glob(filepath.Join(folder, ours[0]))
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), filepath.Base(file))
		fmt.Fprintf(log, "%10d  %s\n", len(content), filepath.Base(file))
	}
	return os.WriteFile(filepath.Join(folder, sumsName), sums.Bytes(), 0o644)
}

// checkTwice makes everything twice, each from a clone of its own in folders whose names
// differ in length, the second with an empty build cache, and compares.
func (o options) checkTwice(ctx context.Context, log io.Writer) (err error) {
	work, err := os.MkdirTemp("", "pombo-dist-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	var sums [2][]byte
	for i, name := range []string{"a", "another folder"} {
		folder := filepath.Join(work, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		dist := exec.CommandContext(ctx, "go", "run", "./scripts/dist", "-only", o.only, "-out", filepath.Join(folder, "dist"))
		dist.Stdout, dist.Stderr = log, log
		dist.Env = append(os.Environ(), "TMPDIR="+folder)
		if i == 1 {
			dist.Env = append(dist.Env, "GOCACHE="+filepath.Join(work, "cache"))
		}
		if err := dist.Run(); err != nil {
			return err
		}
		if sums[i], err = os.ReadFile(filepath.Join(folder, "dist", sumsName)); err != nil {
			return err
		}
	}
	if !bytes.Equal(sums[0], sums[1]) {
		return fmt.Errorf("two builds of one commit are not the same bytes:\n%s\n%s", sums[0], sums[1])
	}
	fmt.Fprintln(log, "two builds of one commit, the same bytes")
	return nil
}
