package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// In the container Pombo is this user, who may write in its folder only.
const (
	containerUser   = 65532
	containerFolder = "var/lib/pombo/"
)

// makeImage makes the image that deploy/Dockerfile describes, without Docker and without
// being root: an archive of the Open Container Initiative that `podman load`, `docker load`
// and `skopeo copy oci-archive:…` read.
func makeImage(ctx context.Context, r *release, t target) (err error) {
	program, err := r.program(ctx, t)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	layer, err := r.layer(content)
	if err != nil {
		return err
	}
	packed, err := compressed(layer)
	if err != nil {
		return err
	}
	blobs := map[string][]byte{}
	config := addBlob(blobs, "application/vnd.oci.image.config.v1+json", asJSON(map[string]any{
		"architecture": t.arch,
		"os":           t.os,
		"created":      r.time.UTC(),
		"config": map[string]any{
			"User":         fmt.Sprintf("%d:%d", containerUser, containerUser),
			"WorkingDir":   "/" + filepath.Clean(containerFolder),
			"Entrypoint":   []string{"/usr/local/bin/pombo"},
			"Cmd":          []string{"start"},
			"ExposedPorts": map[string]any{"5000/tcp": struct{}{}},
			"Volumes":      map[string]any{"/" + filepath.Clean(containerFolder): struct{}{}},
			"StopSignal":   "SIGTERM",
			"Labels": map[string]string{
				"org.opencontainers.image.title":    "pombo",
				"org.opencontainers.image.version":  r.version,
				"org.opencontainers.image.licenses": "MIT",
			},
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}},
		"history": []map[string]any{{"created": r.time.UTC(), "created_by": "scripts/dist"}},
	}))
	packedLayer := addBlob(blobs, "application/vnd.oci.image.layer.v1.tar+gzip", packed)
	manifest := addBlob(blobs, "application/vnd.oci.image.manifest.v1+json", asJSON(map[string]any{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.oci.image.manifest.v1+json",
		"config":        config,
		"layers":        []any{packedLayer},
	}))
	manifest["annotations"] = map[string]string{"org.opencontainers.image.ref.name": r.version, "io.containerd.image.name": "localhost/pombo:" + r.version}
	manifest["platform"] = map[string]string{"os": t.os, "architecture": t.arch}

	out, err := os.Create(filepath.Join(r.out, r.name(t)+".oci.tar"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return r.writeImage(out, blobs, manifest, config, packedLayer)
}

// layer is the file system of the image: the program, the roots of trust, and the folder
// that it may write to.
func (r *release) layer(program []byte) ([]byte, error) {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	folder := func(name string, mode int64, owner int) error {
		return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uid: owner, Gid: owner, ModTime: r.time, Format: tar.FormatPAX})
	}
	err := errors.Join(
		folder("etc/", 0o755, 0), folder("etc/ssl/", 0o755, 0), folder("etc/ssl/certs/", 0o755, 0),
		addToTar(tw, "etc/ssl/certs/ca-certificates.crt", roots(), 0o644, r.time),
		folder("usr/", 0o755, 0), folder("usr/local/", 0o755, 0), folder("usr/local/bin/", 0o755, 0),
		addToTar(tw, "usr/local/bin/pombo", program, 0o755, r.time),
		folder("var/", 0o755, 0), folder("var/lib/", 0o755, 0), folder(containerFolder, 0o750, containerUser),
		tw.Close(),
	)
	return b.Bytes(), err
}

// roots are the certificates that Mozilla trusts, at the version in go.mod, so that the
// image does not depend on the machine that made it. Those that Mozilla trusts with a
// reservation, which a file of certificates cannot express, are left out.
func roots() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}

func (r *release) writeImage(out *os.File, blobs map[string][]byte, manifest, config, layer map[string]any) error {
	tw := tar.NewWriter(out)
	err := errors.Join(
		addToTar(tw, "oci-layout", asJSON(map[string]any{"imageLayoutVersion": "1.0.0"}), 0o644, r.time),
		addToTar(tw, "index.json", asJSON(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{manifest},
		}), 0o644, r.time),
		// What a docker from before version 25 reads.
		addToTar(tw, "manifest.json", asJSON([]map[string]any{{
			"Config": blobPath(config), "RepoTags": []string{"pombo:" + r.version}, "Layers": []string{blobPath(layer)},
		}}), 0o644, r.time),
	)
	for _, blob := range []map[string]any{config, layer, manifest} {
		path := blobPath(blob)
		err = errors.Join(err, addToTar(tw, path, blobs[path], 0o644, r.time))
	}
	return errors.Join(err, tw.Close())
}

// addBlob keeps a piece of an image under its digest, and returns how others name it.
func addBlob(blobs map[string][]byte, mediaType string, content []byte) map[string]any {
	name := map[string]any{"mediaType": mediaType, "digest": digest(content), "size": len(content)}
	blobs[blobPath(name)] = content
	return name
}

func blobPath(name map[string]any) string {
	return "blobs/sha256/" + name["digest"].(string)[len("sha256:"):]
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func asJSON(v any) []byte {
	content, _ := json.Marshal(v) // maps of texts and numbers
	return content
}

func compressed(content []byte) ([]byte, error) {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	_, err := gz.Write(content)
	err = errors.Join(err, gz.Close())
	return b.Bytes(), err
}
