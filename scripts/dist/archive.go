package main

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// file is one that goes into an archive.
type file struct {
	name string // in the archive
	from string
	mode int64
}

// contentsOf lists what an archive for a system has, in the folder that it unpacks to.
func contentsOf(t target, program string) ([]file, error) {
	files := []file{{name: filepath.Base(program), from: program, mode: 0o755}}
	texts := []string{".env.example", "CHANGELOG.md", "LICENSE", "README.md", "README.pt-BR.md", "SECURITY.md", "deploy/prometheus-alerts.yml"}
	if t.os == "windows" {
		texts = append(texts, "deploy/start.bat", "deploy/pombo-start.bat")
	} else {
		files = append(files, file{name: "start.sh", from: "deploy/start.sh", mode: 0o755})
		texts = append(texts, "deploy/pombo.service")
	}
	for _, from := range texts {
		files = append(files, file{name: path.Base(from), from: from, mode: 0o644})
	}
	for _, pattern := range []string{"docs/*.md", "deploy/sql/*.sql", "deploy/grafana/*.json", "deploy/elk/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, from := range found {
			files = append(files, file{name: path.Join(path.Base(path.Dir(from)), path.Base(from)), from: from, mode: 0o644})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	return files, nil
}

// makeArchive packs the program with what belongs to it, to be unpacked anywhere: a zip
// for Windows, else a tar.
func makeArchive(ctx context.Context, r *release, t target) (err error) {
	program, err := r.program(ctx, t)
	if err != nil {
		return err
	}
	files, err := contentsOf(t, program)
	if err != nil {
		return err
	}
	suffix, write := ".tar.gz", writeTar
	if t.os == "windows" {
		suffix, write = ".zip", writeZip
	}
	out, err := os.Create(filepath.Join(r.out, r.name(t)+suffix))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return write(out, r.name(t), files, r.time)
}

func writeTar(w io.Writer, folder string, files []file, at time.Time) error {
	gz := gzip.NewWriter(w)
	tw := tar.NewWriter(gz)
	for _, f := range files {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return err
		}
		if err := addToTar(tw, path.Join(folder, f.name), content, f.mode, at); err != nil {
			return err
		}
	}
	return errors.Join(tw.Close(), gz.Close())
}

func addToTar(tw *tar.Writer, name string, content []byte, mode int64, at time.Time) error {
	header := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: mode, ModTime: at, Format: tar.FormatPAX}
	if err := tw.WriteHeader(&header); err != nil {
		return err
	}
	_, err := tw.Write(content)
	return err
}

func writeZip(w io.Writer, folder string, files []file, at time.Time) error {
	zw := zip.NewWriter(w)
	for _, f := range files {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return err
		}
		header := zip.FileHeader{Name: path.Join(folder, f.name), Method: zip.Deflate, Modified: at.UTC()}
		header.SetMode(os.FileMode(f.mode))
		entry, err := zw.CreateHeader(&header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(content); err != nil {
			return err
		}
	}
	return zw.Close()
}
