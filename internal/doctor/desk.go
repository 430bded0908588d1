package doctor

import (
	"context"
	"crypto/tls"
	"time"

	"pombo/internal/config"
	"pombo/internal/port"
)

// diagnoseDesk looks whether the operator's desk can be served, and who can read its key.
func diagnoseDesk(ctx context.Context, c config.Config, serve running) []Finding {
	if c.Desk.Addr == "" {
		return nil
	}
	found := check(ctx, "desk", "address", func(ctx context.Context) []Finding {
		l, err := port.Listen(ctx, c.Desk.Addr)
		switch {
		case err == nil:
			_ = l.Close() // it was only tried
			return good("DESK_ADDR=" + c.Desk.Addr + " is free")
		case serve.pombo:
			return good("DESK_ADDR=" + c.Desk.Addr + " is taken, and pombo serve is running: pombo desk opens it")
		}
		return doubt("the desk cannot be served, though messages go all the same: "+said(err), "set DESK_ADDR to an address of this machine and a free port, or to - for no desk")
	})
	if file := c.AuditKeyFile(); file != "" && c.Desk.AuditKey == "" {
		found = append(found, check(ctx, "desk", "privacy", func(context.Context) []Finding {
			return private("anybody with the key of the desk is its administrator", file)
		})...)
	}
	if c.Desk.TLSCert == "" {
		return found
	}
	return append(found, check(ctx, "desk", "certificate", func(context.Context) []Finding {
		pair, err := tls.LoadX509KeyPair(c.Desk.TLSCert, c.Desk.TLSKey)
		switch {
		case err != nil:
			return bad("the certificate of the desk cannot be read: "+said(err), "check DESK_TLS_CERT and DESK_TLS_KEY")
		case time.Now().After(pair.Leaf.NotAfter):
			return bad("the certificate of the desk is over since "+pair.Leaf.NotAfter.Format(time.DateOnly), "put a new one in its place; it is read again by itself")
		case time.Until(pair.Leaf.NotAfter) < 30*24*time.Hour:
			return doubt("the certificate of the desk is good only until "+pair.Leaf.NotAfter.Format(time.DateOnly), "put a new one in its place; it is read again by itself")
		}
		return good("the certificate of the desk is good until " + pair.Leaf.NotAfter.Format(time.DateOnly))
	})...)
}
