package blip

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pombo"
	"pombo/internal/tracing"
)

// A document goes to Blip in two steps: a command returns an address, and the bytes are
// posted there. The answer has the link that goes into the message. Addresses and links
// are secrets for half an hour, and are never shown.
//
// Either step may be repeated, and a failure says nothing about the bot or a message:
// none was sent. So every error is worth another try and pauses nothing but what the
// command's own decision pauses; Blip's store may be in trouble alone.

// UploadAddress asks where a document may be put.
func (c *Client) UploadAddress(ctx context.Context) (string, error) {
	var address flexString
	err := c.command(ctx, command{kind: uploadAddressKind, to: mediaBox, method: "get", uri: "/upload-media-uri?secure=true"}, &address)
	if f, ok := err.(*pombo.Error); ok { //nolint:errorlint // command returns this very type
		if !f.Retry {
			f.Reason, f.Retry = pombo.UploadFailed, again
		}
		return "", f
	}
	if !c.reachable(string(address)) {
		return "", uploadFailed("Blip's answer has no address to upload to")
	}
	return string(address), nil
}

// slowest is the rate, in bytes a second, at which an upload may go at least.
const slowest = 128 << 10

// Upload puts a document at an address and returns the link to it, which is valid for
// about half an hour. The error's Delivery is NotSent.
func (c *Client) Upload(ctx context.Context, address, contentType string, b []byte) (link string, err error) {
	start := c.opts.Now()
	ctx, span := c.span(ctx, uploadKind, nil) // the address is a secret
	link, f := c.upload(ctx, address, contentType, b)
	if f != nil && f.Code == http.StatusUnsupportedMediaType {
		link, f = c.upload(ctx, address, "application/octet-stream", b)
	}
	ended(span, f)
	c.metrics.observe(uploadKind, c.opts.Now().Sub(start), f)
	if f != nil {
		return "", f
	}
	return link, nil
}

func (c *Client) upload(ctx context.Context, address, contentType string, b []byte) (string, *pombo.Error) {
	within, cancel := context.WithTimeout(ctx, c.opts.Timeout+time.Duration(len(b))*time.Second/slowest)
	defer cancel()
	// The key stays out of it: the address is the permit, and may lead to another host.
	r, err := http.NewRequestWithContext(within, http.MethodPost, address, bytes.NewReader(b))
	if err != nil {
		return "", uploadFailed("the address to upload to cannot be read")
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "pombo")
	resp, err := c.transport.RoundTrip(r) // which follows no redirect
	if err != nil {
		f := uploadFailed(what(phaseWrite, err))
		if ctx.Err() == context.Canceled {
			f.Reason = pombo.Interrupted
		}
		f.Err = safeCause(err)
		return "", f
	}
	defer resp.Body.Close()
	tracing.Current(ctx).SetInt(tracing.HTTPStatus, resp.StatusCode)
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		f := uploadFailed("Blip takes no document of this size")
		f.Reason, f.Retry, f.Code = pombo.DocumentTooLarge, never, resp.StatusCode
		return "", f
	case resp.StatusCode/100 != 2:
		f := uploadFailed("the upload was answered with HTTP status " + strconv.Itoa(resp.StatusCode))
		f.Code = resp.StatusCode
		return "", f
	case err != nil:
		return "", uploadFailed("the connection broke before the answer was complete")
	}
	var stored struct {
		MediaURI flexString `json:"mediaUri"`
	}
	if !decode(body, &stored) || !c.reachable(string(stored.MediaURI)) {
		return "", uploadFailed("the answer to the upload has no link")
	}
	return string(stored.MediaURI), nil
}

// reachable reports whether an address is one that bytes may go to, or that WhatsApp can
// fetch: over TLS, or at a simulator as Blip itself is.
func (c *Client) reachable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == c.base.Scheme && u.Host == c.base.Host
}

func uploadFailed(detail string) *pombo.Error {
	return &pombo.Error{Reason: pombo.UploadFailed, Retry: again, Delivery: notSent, Detail: detail}
}
