package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"pombo"
	"pombo/internal/blip"
	"pombo/internal/config"
	"pombo/internal/setup"
	"pombo/internal/words"
)

func diagnoseBlip(ctx context.Context, c config.Config, _ running) []Finding {
	proxy := setup.Proxy(c.Network)
	found := blipWay(ctx, c.Blip.URL, proxy)

	o := setup.Blip(c, nil)
	o.Timeout = checkTime
	client, err := blip.New(o)
	if err != nil {
		return append(found, check(ctx, "blip", "key", func(context.Context) []Finding { return bad(err.Error(), "correct KEYBLIP or BLIP_URL") })...)
	}
	defer client.Close()
	key := check(ctx, "blip", "key", func(ctx context.Context) []Finding {
		if err := client.Check(ctx); err != nil {
			return blipTrouble(err, words.In(c.Language))
		}
		return good("Blip takes the key")
	})
	found = append(found, key...)

	var list []pombo.Template
	template := check(ctx, "blip", "template", func(ctx context.Context) []Finding {
		switch {
		case failed(key):
			return skip("Blip has to take the key first")
		case c.Blip.Template == "":
			return skip("each row names its template (" + c.Source.ColTemplate + ")")
		}
		var err error
		if list, err = client.Templates(ctx); err != nil {
			return blipTrouble(err, words.In(c.Language))
		}
		return templateStatus(list, c.Blip.Template, c.Blip.Language)
	})
	found = append(found, template...)
	t, missing := pombo.FindTemplate(list, c.Blip.Template, c.Blip.Language)
	found = append(found, check(ctx, "blip", "values", func(context.Context) []Finding {
		if missing.Reason != pombo.NoReason {
			return skip("there is no template to compare DB_COL_PARAMS with")
		}
		return templateValues(t, setup.Slots(c.Source))
	})...)
	return append(found, check(ctx, "blip", "answers", func(context.Context) []Finding {
		if missing.Reason != pombo.NoReason {
			return skip("there is no template to compare REPLY_CODES with")
		}
		return templateAnswers(t, c.Source)
	})...)
}

func blipTrouble(err error, w *words.Words) []Finding {
	known, ok := errors.AsType[*pombo.Error](err)
	if !ok {
		return bad(said(err), "see the detail")
	}
	what := w.Reason(known.Reason)
	if known.Detail != "" {
		what += " (" + known.Detail + ")"
	}
	todo := w.ReasonHint(known.Reason)
	if known.Reason == pombo.BlipUnavailable {
		todo = w.ReasonHint(pombo.BlipUnreachable) // a doctor does not try again by itself
	}
	return bad(what, todo)
}

// blipWay follows the way to Blip: the name, the connection with its
// certificate, and the clock at its end. No key travels.
func blipWay(ctx context.Context, address string, proxy chooseProxy) []Finding {
	base, err := url.Parse(address)
	if err != nil { // config has parsed it
		return check(ctx, "blip", "network", func(context.Context) []Finding {
			return bad("BLIP_URL is not an address", "write it as https://http.msging.net")
		})
	}
	request := &http.Request{Method: http.MethodHead, URL: base.JoinPath("/"), Host: base.Host, Header: http.Header{"User-Agent": {"pombo"}}}
	host, setting := base.Hostname(), "BLIP_URL"
	if u, err := proxy(request); err == nil && u != nil {
		host, setting = u.Hostname(), "the proxy (HTTPS_PROXY)" // it does the rest
	}
	name := check(ctx, "blip", "name", func(ctx context.Context) []Finding { return lookUp(ctx, host, setting) })

	var a answered
	network := check(ctx, "blip", "network", func(ctx context.Context) []Finding {
		if failed(name) {
			return skip("the name has to be found first")
		}
		var err error
		if a, err = call(ctx, request, proxy); err != nil {
			return bad(said(err), "see whether a firewall or a proxy stands in between, and whether BLIP_URL is right"+untrusted(err))
		}
		return good(fmt.Sprintf("%s answers in %s", base.Host, a.end.Sub(a.begun).Round(time.Millisecond)))
	})
	found := append(name, network...) //nolint:gocritic // name is not used again
	if base.Scheme == "https" {
		found = append(found, check(ctx, "blip", "certificate", func(context.Context) []Finding {
			if a.state == nil {
				return skip("there is no connection to see it on")
			}
			return certificate(a.state.PeerCertificates, a.end)
		})...)
	}
	return append(found, check(ctx, "blip", "clock", func(context.Context) []Finding {
		theirs, err := http.ParseTime(a.date)
		if err != nil {
			return skip("no answer tells the time")
		}
		return skew(theirs, a.begun, a.end)
	})...)
}

// answered is what an answer says without its body.
type answered struct {
	begun, end time.Time
	date       string               // the header
	state      *tls.ConnectionState // nil = no TLS
}

// chooseProxy is as in http.Transport.
type chooseProxy = func(*http.Request) (*url.URL, error)

// call makes one request on a connection of its own. Any status is an answer.
func call(ctx context.Context, r *http.Request, proxy chooseProxy) (answered, error) {
	line := &http.Transport{Proxy: proxy, DialContext: new(net.Dialer).DialContext, DisableKeepAlives: true}
	defer line.CloseIdleConnections()
	a := answered{begun: time.Now()}
	// Not through a Client: it would follow a redirect, and its errors have the address.
	response, err := line.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return a, err
	}
	a.end, a.date, a.state = time.Now(), response.Header.Get("Date"), response.TLS
	return a, response.Body.Close()
}

// untrusted adds what is behind a certificate that is not trusted.
func untrusted(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "; the certificate is not trusted when this machine's clock is wrong, or when a proxy opens the line with a certificate that is not among the system's"
	}
	return ""
}

// lateCertificate is how long before its end a certificate is usually renewed.
const lateCertificate = 7 * 24 * time.Hour

func certificate(chain []*x509.Certificate, now time.Time) []Finding {
	if len(chain) == 0 {
		return skip("the connection shows none")
	}
	end := chain[0].NotAfter
	what := "Blip's certificate is trusted until " + end.UTC().Format(time.DateOnly)
	if end.Sub(now) < lateCertificate {
		return doubt(what, "nothing, if Blip renews it in time; if it is your proxy's, have it renewed")
	}
	return good(what)
}

// farOff is how much the clocks may differ. A Date header has whole seconds, and
// nobody gives the time of a row to the second.
const farOff = 30 * time.Second

// skew compares the time in an answer with ours between request and answer.
func skew(theirs, begun, end time.Time) []Finding {
	var off time.Duration // how far ours is behind
	switch {
	case theirs.Before(begun):
		off = theirs.Sub(begun)
	case theirs.After(end):
		off = theirs.Sub(end)
	}
	word := "behind"
	if off < 0 {
		word = "ahead of"
	}
	if off.Abs() > farOff {
		return doubt(fmt.Sprintf("this machine's clock is %s %s Blip's", off.Abs().Round(time.Second), word), "set the clock by a time server (NTP): times of sending and expiry would be wrong")
	}
	return good("this machine's clock agrees with Blip's")
}
