package blip

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pombo"
)

// store is a Blip with a store of media, whose answers a test scripts.
func store(t *testing.T, address func(base string) string, upload http.HandlerFunc) *Client {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/commands" {
			upload(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"to":"postmaster@media.msging.net","method":"get","uri":"/upload-media-uri?secure=true"`) {
			t.Errorf("command = %s", body)
		}
		_, _ = io.WriteString(w, address(s.URL))
	}))
	t.Cleanup(s.Close)
	c, err := New(Options{Key: "a2V5", URL: s.URL, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func given(base string) string {
	return `{"status":"success","type":"text/plain","resource":"` + base + `/put?token=planted"}`
}

func TestUpload(t *testing.T) {
	t.Parallel()
	var got []string
	c := store(t, given, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("Authorization")+" "+string(body))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"mediaUri":"https://media.example/1?sig=planted"}`)
	})
	address, err := c.UploadAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	link, err := c.Upload(t.Context(), address, "application/pdf", []byte("%PDF"))
	if err != nil || link != "https://media.example/1?sig=planted" {
		t.Errorf("link = %q, %v", link, err)
	}
	// Without the key: the address may lead elsewhere.
	if want := "POST /put?token=planted application/pdf  %PDF"; len(got) != 1 || got[0] != want {
		t.Errorf("uploads = %q, want %q", got, want)
	}
}

// A store that knows no types but its own.
func TestUpload_PlainBytes(t *testing.T) {
	t.Parallel()
	c := store(t, given, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") != "application/octet-stream" {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		_, _ = io.WriteString(w, `{"MediaUri":"https://media.example/1"}`)
	})
	address, _ := c.UploadAddress(t.Context())
	if link, err := c.Upload(t.Context(), address, "application/pdf", []byte("%PDF")); err != nil || link == "" {
		t.Errorf("link = %q, %v", link, err)
	}
}

// Whatever fails, nothing was sent, the bot goes on, and no address is shown.
func TestUpload_Fails(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		address func(string) string
		upload  http.HandlerFunc
		reason  pombo.Reason
		retry   bool
	}{
		"no address":      {func(string) string { return `{"status":"success","resource":{}}` }, nil, pombo.UploadFailed, true},
		"a plain address": {func(string) string { return `{"status":"success","resource":"http://planted.example/put"}` }, nil, pombo.UploadFailed, true},
		"not supported":   {func(string) string { return `{"status":"failure","reason":{"code":62,"description":"planted"}}` }, nil, pombo.UploadFailed, true},
		"forbidden":       {given, answer(http.StatusForbidden, "planted"), pombo.UploadFailed, true},
		"away":            {given, answer(http.StatusServiceUnavailable, "planted"), pombo.UploadFailed, true},
		"moved":           {given, answer(http.StatusFound, ""), pombo.UploadFailed, true},
		"no link":         {given, answer(http.StatusOK, `{}`), pombo.UploadFailed, true},
		"a plain link":    {given, answer(http.StatusOK, `{"mediaUri":"http://planted.example/1"}`), pombo.UploadFailed, true},
		"no JSON":         {given, answer(http.StatusOK, `<html>planted`), pombo.UploadFailed, true},
		"too large":       {given, answer(http.StatusRequestEntityTooLarge, ""), pombo.DocumentTooLarge, false},
		"cut":             {given, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, pombo.UploadFailed, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := store(t, test.address, test.upload)
			address, err := c.UploadAddress(t.Context())
			if err == nil {
				_, err = c.Upload(t.Context(), address, "application/pdf", []byte("%PDF"))
			}
			f, ok := errors.AsType[*pombo.Error](err)
			if !ok || f.Reason != test.reason || f.Retry != test.retry || f.Delivery != pombo.NotSent || f.Pause != 0 {
				t.Errorf("error = %#v, want %s, retry %t, not sent, without a pause", err, test.reason, test.retry)
			}
			if err != nil && strings.Contains(err.Error(), "planted") {
				t.Errorf("the error tells an address: %v", err)
			}
		})
	}
}

func TestUpload_Stopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := store(t, given, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	address, _ := c.UploadAddress(t.Context())
	_, err := c.Upload(ctx, address, "application/pdf", []byte("%PDF"))
	if f, ok := errors.AsType[*pombo.Error](err); !ok || f.Reason != pombo.Interrupted || f.Delivery != pombo.NotSent {
		t.Errorf("error = %#v, want that it was interrupted and not sent", err)
	}
}
