package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// identify finds out the time and the version of the commit, and goes into a clone of it.
// The version is the program's own word, so that packages say what it says itself.
func (r *release) identify(ctx context.Context) error {
	out, err := r.command(ctx, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return err
	}
	r.time = time.Unix(seconds, 0).UTC()
	if r.trial {
		return nil
	}
	clone := filepath.Join(r.work, "commit")
	if _, err := r.command(ctx, nil, "git", "clone", "--quiet", ".", clone); err != nil {
		return err
	}
	if err := os.Chdir(clone); err != nil {
		return err
	}
	path, err := r.program(ctx, linuxAMD64)
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	r.version = strings.TrimPrefix(info.Main.Version, "v")
	return nil
}

// program builds the program for a system, once, and returns its path.
func (r *release) program(ctx context.Context, t target) (string, error) {
	if path, ok := r.programs[t]; ok {
		return path, nil
	}
	path := filepath.Join(r.work, t.String(), "pombo")
	if t.os == "windows" {
		path += ".exe"
	}
	args := []string{"build", "-ldflags=-s -w", "-o", path}
	environ := []string{"CGO_ENABLED=0", "GOOS=" + t.os, "GOARCH=" + t.arch}
	if !r.trial {
		args = append(args, "-trimpath", "-buildvcs=true", "-pgo=deploy/pombo.pgo")
		environ = append(environ, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")
	}
	if t.os == "windows" {
		object, err := r.resource(ctx, t)
		if err != nil {
			return "", err
		}
		defer os.Remove(object) // a trial leaves nothing in the working copy if it can
	}
	fmt.Fprintf(r.log, "building for %s\n", t)
	if _, err := r.command(ctx, environ, "go", append(args, "./cmd/pombo")...); err != nil {
		return "", err
	}
	if t.os == "windows" {
		if err := r.sign(ctx, path); err != nil {
			return "", err
		}
	}
	if err := os.Chtimes(path, r.time, r.time); err != nil {
		return "", err
	}
	r.programs[t] = path
	return path, nil
}

// resource makes what Explorer and inventories read in pombo.exe (version, icon) and what
// Windows does (manifest). The Go command takes it because it lies beside main.go, where
// git ignores it.
func (r *release) resource(ctx context.Context, t target) (object string, err error) {
	about, err := os.ReadFile("deploy/windows/resource.json")
	if err != nil {
		return "", err
	}
	numbers, err := numericVersion(r.version)
	if err != nil {
		return "", err
	}
	text := strings.NewReplacer("${VERSION}", r.version, "${NUMBERS}", numbers+".0").Replace(string(about))
	if err := r.writeIn("resource/resource.json", []byte(text)); err != nil {
		return "", err
	}
	if err := r.copyIn("deploy/windows/pombo.png", "resource/pombo.png"); err != nil {
		return "", err
	}
	prefix := filepath.Join("cmd", "pombo", "resource")
	return fmt.Sprintf("%s_%s_%s.syso", prefix, t.os, t.arch),
		r.tool(ctx, nil, "go-winres", "make", "--in", filepath.Join(r.work, "resource", "resource.json"), "--arch", t.arch, "--out", prefix)
}

// authenticode is how to sign for Windows; empty = not at all.
func authenticode() []string { return strings.Fields(os.Getenv("AUTHENTICODE")) }

// sign signs a program or an installer for Windows, if there is a certificate.
func (r *release) sign(ctx context.Context, path string) error {
	how := authenticode()
	if len(how) == 0 {
		return nil
	}
	args := append([]string{"sign"}, how...)
	args = append(args, "-h", "sha256", "-n", "Pombo", "-in", path, "-out", path+".signed")
	if _, err := r.command(ctx, nil, "osslsigncode", args...); err != nil {
		return err
	}
	return os.Rename(path+".signed", path)
}

// makeSBOM lists the modules that a program is made of, as they stand in it.
func makeSBOM(ctx context.Context, r *release, t target) error {
	path, err := r.program(ctx, t)
	if err != nil {
		return err
	}
	return r.tool(ctx, nil, "cyclonedx-gomod", "bin", "-json", "-std", "-licenses", "-noserial", "-notimestamp",
		"-version", "v"+r.version, "-output", filepath.Join(r.out, r.name(t)+".cdx.json"), path)
}

// name is how files for a system begin.
func (r *release) name(t target) string { return fmt.Sprintf("pombo-%s-%s", r.version, t) }
