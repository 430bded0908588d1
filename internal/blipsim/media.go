package blipsim

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The store of media: a command gives an address, the bytes are POSTed to it, and the
// answer has the link that a message may carry. Both end: an address after as long as a
// link. WhatsApp fetches what a header links to when the message is sent; a link to this
// store that is over, or to something that the header does not take, fails then, as a
// receipt. Links to other places are taken for good.

const (
	mediaPath   = "/media/"       // of links
	uploadPath  = "/media-upload" // of addresses
	mediaExpiry = 30 * time.Minute
	// maxMedia is more than any header takes; what is larger is cut off.
	maxMedia = 100 << 20
	// keptMedia is how many bytes of one upload are kept for a test to look at.
	keptMedia = 1 << 20
	// mostMedia is how many uploads are remembered.
	mostMedia = 10_000
)

// WhatsApp's code for a header whose media it cannot fetch or take.
const codeMedia = 131053

// Upload is what was stored.
type Upload struct {
	Link   string
	Type   string // the Content-Type that it came with
	Size   int64
	SHA256 [sha256.Size]byte
	Bytes  []byte // the first megabyte
	At     time.Time
}

type mediaStore struct {
	mu        sync.Mutex
	addresses map[string]time.Time // by their token; when each was given
	byPath    map[string]Upload
	order     []string // of byPath
	failures  int      // answered so far
}

func (m *mediaStore) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addresses, m.byPath, m.order, m.failures = map[string]time.Time{}, map[string]Upload{}, nil, 0
}

// Uploads returns what was stored, in order.
func (s *Server) Uploads() []Upload {
	s.media.mu.Lock()
	defer s.media.mu.Unlock()
	var list []Upload
	for _, path := range s.media.order {
		list = append(list, s.media.byPath[path])
	}
	return list
}

func (s *Server) mediaExpiry() time.Duration {
	if s.opts.MediaExpiry > 0 {
		return s.opts.MediaExpiry
	}
	return mediaExpiry
}

// getUploadAddress answers a command for an address.
func (s *Server) getUploadAddress(c *command, query string) {
	s.counters.otherCommands.Add(1)
	if !c.needs("get") {
		return
	}
	if values, err := url.ParseQuery(query); err != nil || values.Get("secure") != "true" {
		c.fail(64, "The simulator has secure uploads only")
		return
	}
	token := rand.Text()
	m := &s.media
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.addresses) < mostMedia {
		m.addresses[token] = s.opts.Now()
	}
	c.succeed("text/plain", appendQuoted(nil, c.base+uploadPath+"?token="+token))
}

// origin is the address under which a caller reaches the simulator.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// postMedia stores what is posted to an address.
func (s *Server) postMedia(w http.ResponseWriter, r *http.Request) {
	s.wait(r, s.opts.Latency)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	now := s.opts.Now()
	m := &s.media
	m.mu.Lock()
	given, known := m.addresses[r.URL.Query().Get("token")]
	fails := m.failures < s.opts.Faults.UploadsFail
	if fails {
		m.failures++
	}
	m.mu.Unlock()
	switch {
	case !known || now.Sub(given) >= s.mediaExpiry():
		s.counters.unauthorized.Add(1)
		w.WriteHeader(http.StatusForbidden)
		return
	case fails:
		s.counters.errors.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMedia))
	switch {
	case err != nil:
		s.counters.refused.Add(1)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case len(b) == 0:
		s.counters.refused.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	path := mediaPath + rand.Text()
	u := Upload{Link: origin(r) + path, Type: r.Header.Get("Content-Type"), Size: int64(len(b)), SHA256: sha256.Sum256(b), At: now}
	u.Bytes = append(u.Bytes, b[:min(len(b), keptMedia)]...)
	m.mu.Lock()
	if len(m.order) == mostMedia {
		delete(m.byPath, m.order[0])
		m.order = m.order[1:]
	}
	m.byPath[path], m.order = u, append(m.order, path)
	m.mu.Unlock()
	s.counters.uploads.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(appendObject(nil, s.roll(), text("mediaUri", u.Link)))
}

// takes are the types and the size, in megabytes, that each header takes.
var takes = map[string]struct {
	types     []string
	megabytes int64
}{
	"image":    {[]string{"image/jpeg", "image/png"}, 5},
	"video":    {[]string{"video/mp4", "video/3gpp"}, 16},
	"document": {[]string{"application/", "text/plain"}, 100},
}

// fetch reports whether WhatsApp could fetch what a header links to, and takes it.
func (s *Server) fetch(kind, link string) bool {
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(u.Path, mediaPath) {
		return true
	}
	s.media.mu.Lock()
	found, ok := s.media.byPath[u.Path]
	s.media.mu.Unlock()
	if !ok || found.Link != link || s.opts.Now().Sub(found.At) >= s.mediaExpiry() || found.Size > takes[kind].megabytes*1_000_000 {
		return false
	}
	for _, t := range takes[kind].types {
		if strings.HasPrefix(found.Type, t) {
			return true
		}
	}
	return false
}

// fetchAll returns WhatsApp's code for a message of which a header cannot be fetched.
func (s *Server) fetchAll(m *wireTemplate) int {
	for _, c := range m.Components {
		for _, p := range c.Parameters {
			if kind, linked := p.media(); linked != nil && !s.fetch(kind, linked.Link) {
				return codeMedia
			}
		}
	}
	return 0
}
