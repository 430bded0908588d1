// Dist makes what is handed out, in dist/: archives for Linux and Windows, packages for
// Debian and Red Hat, the installer for Windows, an image for containers, a list of parts
// (CycloneDX) for each program, and the checksums of it all. It runs on Linux and needs Go
// and, for the installer, the programs of two Debian packages, which it names if they are
// missing.
//
//	go run ./scripts/dist                  everything
//	go run ./scripts/dist -only msi        one kind: archive, deb, rpm, msi, image or sbom
//	go run ./scripts/dist -check           everything twice, in clones of the commit; the bytes must be the same
//
// It works in a clone of the commit, so that nothing else gets in, and every time in what
// is made is that of the commit. The version is what `pombo version` says: the commit's tag
// or, without one, the pseudo-version that Go makes of it.
//
// AUTHENTICODE has the arguments of osslsigncode that name a certificate, a key and a
// timestamp server (-certs cert.pem -key key.pem -ts http://…). With it pombo.exe and the
// installer are signed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.out, "out", "dist", "folder to write to; what an earlier run has made there is replaced")
	flag.StringVar(&o.only, "only", "", "kinds to make, with commas between: archive, deb, rpm, msi, image, sbom")
	flag.StringVar(&o.version, "version", "", "to try it out: make it of the working copy as it is, under this version, quickly and for amd64 only")
	check := flag.Bool("check", false, "make everything twice and compare the bytes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := o.run
	if *check {
		run = o.checkTwice
	}
	if err := run(ctx, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// options is what is asked for on the command line.
type options struct {
	out, only, version string
}

// kind is one of the things that are handed out.
type kind struct {
	name    string
	needs   []program // besides Go
	targets []target
	make    func(ctx context.Context, r *release, t target) error
}

// program is one that Go does not bring, and the Debian package that has it.
type program struct{ name, pkg string }

// target is a system to build for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "-" + t.arch }

var (
	linuxAMD64   = target{"linux", "amd64"}
	linuxARM64   = target{"linux", "arm64"}
	windowsAMD64 = target{"windows", "amd64"}
	linux        = []target{linuxAMD64, linuxARM64}
	all          = []target{linuxAMD64, linuxARM64, windowsAMD64}
)

var kinds = []kind{
	{name: "archive", targets: all, make: makeArchive},
	{name: "deb", targets: linux, make: makePackage("deb")},
	{name: "rpm", targets: linux, make: makePackage("rpm")},
	{name: "msi", targets: []target{windowsAMD64}, make: makeInstaller, needs: []program{{"wixl", "wixl"}, {"msibuild", "msitools"}}},
	{name: "image", targets: linux, make: makeImage},
	{name: "sbom", targets: all, make: makeSBOM},
}

// wanted lists the kinds that were asked for.
func (o options) wanted() ([]kind, error) {
	if o.only == "" {
		return kinds, nil
	}
	var wanted []kind
	for name := range strings.SplitSeq(o.only, ",") {
		at := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no kind %q", name)
		}
		wanted = append(wanted, kinds[at])
	}
	return wanted, nil
}

// missing lists the Debian packages whose programs are not there.
func missing(wanted []kind) []string {
	var needs []program
	for _, k := range wanted {
		needs = append(needs, k.needs...)
	}
	if len(authenticode()) > 0 {
		needs = append(needs, program{"osslsigncode", "osslsigncode"})
	}
	var pkgs []string
	for _, p := range needs {
		if _, err := exec.LookPath(p.name); err != nil {
			pkgs = append(pkgs, p.pkg)
		}
	}
	return pkgs
}

func (o options) run(ctx context.Context, log io.Writer) (err error) {
	wanted, err := o.wanted()
	if err != nil {
		return err
	}
	if pkgs := missing(wanted); len(pkgs) > 0 {
		return fmt.Errorf("programs are missing (Debian: apt-get install --no-install-recommends %s)", strings.Join(pkgs, " "))
	}
	out, err := filepath.Abs(o.out)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "pombo-dist-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	r := &release{work: work, out: out, log: log, version: o.version, trial: o.version != "", programs: map[target]string{}}
	if err := r.identify(ctx); err != nil {
		return err
	}
	if err := makeEmpty(r.out); err != nil {
		return err
	}
	fmt.Fprintf(log, "pombo %s of %s\n", r.version, r.time.Format(time.RFC3339))
	for _, k := range wanted {
		for _, t := range k.targets {
			if r.trial && t.arch != "amd64" {
				continue
			}
			if err := k.make(ctx, r, t); err != nil {
				return fmt.Errorf("%s for %s: %w", k.name, t, err)
			}
		}
	}
	return writeSums(r.out, log)
}

// ours are the files that dist makes.
var ours = []string{"pombo-*", sumsName + "*"}

// makeEmpty makes a folder, or takes what an earlier run has made out of it.
func makeEmpty(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, pattern := range ours {
		old, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// release is one commit, made into files.
type release struct {
	work, out string
	log       io.Writer
	trial     bool // of the working copy, without the profile

	version  string    // 1.2.3, 1.3.0-rc.1 or a pseudo-version
	time     time.Time // of the commit
	programs map[target]string
}

// command runs a program in the repository and shows what it says only when it fails.
func (r *release) command(ctx context.Context, environ []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Env = append(cmd.Env, "TZ=UTC", "LC_ALL=C.UTF-8", fmt.Sprint("SOURCE_DATE_EPOCH=", r.time.Unix()))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return out, nil
}

// tool runs one of the tools in tools.mod, at the version that stands there and with the
// hash in tools.sum.
func (r *release) tool(ctx context.Context, environ []string, name string, args ...string) error {
	environ = append([]string{"GOFLAGS=-trimpath", "GOOS=", "GOARCH="}, environ...)
	_, err := r.command(ctx, environ, "go", append([]string{"tool", "-modfile=scripts/dist/tools.mod", name}, args...)...)
	return err
}

// copyIn copies a file into the working folder, with the time of the commit.
func (r *release) copyIn(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return r.writeIn(to, content)
}

// writeIn writes a file in the working folder, with the time of the commit.
func (r *release) writeIn(to string, content []byte) error {
	path := filepath.Join(r.work, to)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, r.time, r.time)
}
