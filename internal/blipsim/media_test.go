package blipsim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// uploadAddress asks for an address, with the path and query alone.
func uploadAddress(t *testing.T, s *Server) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/commands", strings.NewReader(`{"id":"c1","to":"postmaster@media.msging.net","method":"get","uri":"/upload-media-uri?secure=true"}`))
	r.Header.Set("Authorization", "Key a2V5")
	s.ServeHTTP(w, r)
	var answer struct{ Status, Type, Resource string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Status != "success" || answer.Type != "text/plain" {
		t.Fatalf("answer = %s, %v", w.Body, err)
	}
	return strings.TrimPrefix(answer.Resource, "http://example.com")
}

func put(s *Server, address, body string) (status int, link string) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/pdf")
	s.ServeHTTP(w, r)
	var answer struct {
		MediaURI string `json:"mediaUri"`
	}
	b, _ := io.ReadAll(w.Body)
	_ = json.Unmarshal(b, &answer)
	return w.Code, answer.MediaURI
}

func TestMedia_StoredAndFetched(t *testing.T) {
	t.Parallel()
	s, c := newServer(t, Options{Templates: []Template{{Name: "laudo", Header: "DOCUMENT", Body: "Olá"}, {Name: "foto", Header: "IMAGE", Body: "Olá"}}})
	status, link := put(s, uploadAddress(t, s), "%PDF-1.7")
	if status != http.StatusCreated || !strings.HasPrefix(link, "http://example.com/media/") {
		t.Fatalf("upload = %d, %q", status, link)
	}
	if got := s.Uploads(); len(got) != 1 || got[0].Type != "application/pdf" || string(got[0].Bytes) != "%PDF-1.7" || got[0].Link != link {
		t.Errorf("uploads = %+v", got)
	}
	code := func(template, kind, link string) int {
		p := parameter{Type: kind}
		switch m := (&media{Link: link, Filename: "laudo.pdf"}); kind {
		case "image":
			p.Image = m
		default:
			p.Document = m
		}
		tm := &wireTemplate{Name: template, Components: []component{{Type: "header", Parameters: []parameter{p}}}}
		tm.Language.Code = "pt_BR"
		return s.check(&envelope{Type: "application/json", Content: &content{Type: "template", Template: tm}})
	}
	if got := code("laudo", "document", link); got != 0 {
		t.Errorf("a stored document = code %d", got)
	}
	if got := code("laudo", "document", "https://hospital.example/laudo.pdf"); got != 0 {
		t.Errorf("a link elsewhere = code %d", got)
	}
	if got := code("foto", "image", link); got != codeMedia {
		t.Errorf("a PDF as a picture = code %d, want %d", got, codeMedia)
	}
	if got := code("laudo", "document", link+"x"); got != codeMedia {
		t.Errorf("a link to nothing = code %d, want %d", got, codeMedia)
	}
	c.pass(30 * time.Minute)
	if got := code("laudo", "document", link); got != codeMedia {
		t.Errorf("after half an hour = code %d, want %d", got, codeMedia)
	}
}

func TestMedia_Refused(t *testing.T) {
	t.Parallel()
	s, c := newServer(t, Options{Faults: Faults{UploadsFail: 1}})
	address := uploadAddress(t, s)
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusCreated, http.StatusCreated} {
		if got, _ := put(s, address, "%PDF"); got != want {
			t.Errorf("upload = %d, want %d", got, want)
		}
	}
	if got, _ := put(s, address, ""); got != http.StatusBadRequest {
		t.Errorf("nothing = %d, want 400", got)
	}
	if got, _ := put(s, uploadPath+"?token=x", "%PDF"); got != http.StatusForbidden {
		t.Errorf("an address that was not given = %d, want 403", got)
	}
	c.pass(30 * time.Minute)
	if got, _ := put(s, address, "%PDF"); got != http.StatusForbidden {
		t.Errorf("an address of half an hour ago = %d, want 403", got)
	}
	s.Reset()
	if n := len(s.Uploads()); n != 0 {
		t.Errorf("%d uploads after a reset", n)
	}
}

func TestMedia_FilenameIsShown(t *testing.T) {
	t.Parallel()
	tm := &wireTemplate{Components: []component{{Type: "header", Parameters: []parameter{{Type: "document", Document: &media{Link: "https://x/y", Filename: "laudo.pdf"}}}}}}
	got := tm.params()
	if len(got) != 2 || got[1] != (Param{"header-filename", "laudo.pdf"}) {
		t.Errorf("params = %v, want the name of the document", got)
	}
}
