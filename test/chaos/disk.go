//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// disk is a small file system of its own for the SQLite ledger, so that it can
// be full without harm to others. It lies in memory.
type disk struct {
	path string
	size int64 // bytes
}

// mountDisk fails where mounting needs root and we are not root.
func mountDisk(path string, size int64) (*disk, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	d := &disk{path, size}
	if err := d.mount("size=" + strconv.FormatInt(size, 10)); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *disk) mount(options string) error {
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "pombo-chaos", d.path).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// fill leaves room for no more than a few pages.
func (d *disk) fill() error {
	out, err := exec.Command("du", "-s", "-B1", d.path).Output()
	if err != nil {
		return fmt.Errorf("du: %w", err)
	}
	used, err := strconv.ParseInt(strings.Fields(string(out))[0], 10, 64)
	if err != nil {
		return err
	}
	// If more was written meanwhile the size is too small, and the remount is refused.
	for room := int64(64 << 10); ; room *= 2 {
		if err = d.mount("remount,size=" + strconv.FormatInt(used+room, 10)); err == nil || room > 256<<20 {
			return err
		}
	}
}

func (d *disk) free() error { return d.mount("remount,size=" + strconv.FormatInt(d.size, 10)) }

func (d *disk) unmount() error { return exec.Command("umount", d.path).Run() }
