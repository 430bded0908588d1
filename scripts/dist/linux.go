package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// unit is the unit of deploy/, as a package installs it: with the program where packages
// put programs, and without a start before there are settings.
func unit(text string) (string, error) {
	start := strings.Index(text, "[Unit]\n")
	if start < 0 {
		return "", errors.New("deploy/pombo.service has no [Unit]")
	}
	text = text[start:] // what stands before it tells how to install by hand
	const byHand, packaged = "/usr/local/bin/pombo ", "/usr/bin/pombo "
	if strings.Count(text, byHand) != 1 {
		return "", fmt.Errorf("deploy/pombo.service does not start %sonce", byHand)
	}
	text = strings.Replace(text, byHand, packaged, 1)
	return strings.Replace(text, "[Unit]\n", "[Unit]\nConditionPathExists=/etc/pombo/pombo.env\n", 1), nil
}

// makePackage makes a package for Debian (deb) or Red Hat (rpm).
func makePackage(packager string) func(context.Context, *release, target) error {
	return func(ctx context.Context, r *release, t target) error {
		program, err := r.program(ctx, t)
		if err != nil {
			return err
		}
		byHand, err := os.ReadFile("deploy/pombo.service")
		if err != nil {
			return err
		}
		text, err := unit(string(byHand))
		if err != nil {
			return err
		}
		if err := r.writeIn("pombo.service", []byte(text)); err != nil {
			return err
		}
		environ := []string{"VERSION=" + r.version, "ARCH=" + t.arch, "PROGRAM=" + program, "UNIT=" + filepath.Join(r.work, "pombo.service")}
		return r.tool(ctx, environ, "nfpm", "package", "-f", "deploy/packages/nfpm.yaml", "-p", packager,
			"-t", filepath.Join(r.out, r.name(t)+"."+packager))
	}
}
