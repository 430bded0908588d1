package desk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"

	"pombo"
)

// static are the embedded files, by name, each with the hash that stands in its
// address: a browser may keep it for ever, because another content has another address.
type static map[string]staticFile

type staticFile struct {
	hash    string
	content []byte
}

func newStatic() (static, error) {
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return nil, err
	}
	out := static{}
	for _, e := range entries {
		content, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		out[e.Name()] = staticFile{hash: hex.EncodeToString(sum[:8]), content: content}
	}
	return out, nil
}

// address is {{static "desk.css"}} of the templates.
func (s static) address(name string) (string, error) {
	f, ok := s[name]
	if !ok {
		return "", fs.ErrNotExist
	}
	return "/desk/static/" + f.hash + "/" + name, nil
}

func (s *Server) getStatic(w http.ResponseWriter, r *http.Request) error {
	f, ok := s.static[r.PathValue("name")]
	if !ok || f.hash != r.PathValue("hash") {
		return pombo.ErrNotFound
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return serveFile(w, r, r.PathValue("name"), f.content)
}

// getFavicon answers what every browser asks for by itself.
func (s *Server) getFavicon(w http.ResponseWriter, r *http.Request) error {
	f, ok := s.static["favicon.svg"]
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.Header().Set("Cache-Control", "public, max-age=86400")
	return serveFile(w, r, "favicon.svg", f.content)
}

// kinds are written down here, because package mime asks the machine, and a Windows whose
// registry says that .js is text shows pages without their script.
var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func serveFile(w http.ResponseWriter, r *http.Request, name string, content []byte) error {
	if kind := kinds[path.Ext(name)]; kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}
