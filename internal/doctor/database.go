package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"pombo/internal/config"
	"pombo/internal/setup"
	"pombo/internal/source"
	"pombo/internal/source/oracle"
)

func diagnoseSource(ctx context.Context, c config.Config, _ running) []Finding {
	var found []Finding
	if host, port, ok := databaseAddress(c.Source.URL.Reveal(), c.Source.DSN); ok {
		setting := "DB_URL"
		if c.Source.DSN != "" {
			setting = "DB_DSN"
		}
		found = check(ctx, "source", "network", func(ctx context.Context) []Finding { return reach(ctx, host, port, setting) })
	}
	o := setup.Source(c.Source)
	o.Timeout = checkTime
	table, err := source.Open(ctx, o)
	if err != nil {
		return append(found, check(ctx, "source", "table", func(context.Context) []Finding { return sourceTrouble(err) })...)
	}
	defer table.Close() //nolint:errcheck // it was only looked at
	checked := check(ctx, "source", "table", func(ctx context.Context) []Finding {
		if err := table.Check(ctx); err != nil {
			return sourceTrouble(err)
		}
		return good("login, table, columns, types and the rights to read and to write are as they must be")
	})
	found = append(found, checked...)
	found = append(found, check(ctx, "source", "status codes", func(context.Context) []Finding { return statusCodes(c.Source) })...)
	inOrder := func(look func(context.Context) []Finding) func(context.Context) []Finding {
		if failed(checked) {
			return func(context.Context) []Finding { return skip("the table has to be in order first") }
		}
		return look
	}
	found = append(found, check(ctx, "source", "pending", inOrder(func(ctx context.Context) []Finding { return pending(ctx, table, c.Source) }))...)
	for _, d := range table.Diagnostics() {
		found = append(found, check(ctx, "source", string(d), inOrder(func(ctx context.Context) []Finding { return inspect(ctx, table, d) }))...)
	}
	return found
}

// inspect looks at what the work could do without.
func inspect(ctx context.Context, table *source.Table, d source.Diagnostic) []Finding {
	r, err := table.Inspect(ctx, d)
	switch {
	case err != nil:
		found := sourceTrouble(err)
		for i := range found {
			found[i].Result = Warn
		}
		return found
	case r.Skipped:
		return skip(r.Message)
	case r.Hint != "":
		return doubt(r.Message, r.Hint)
	}
	return good(r.Message)
}

// sourceTrouble makes a finding of each fault that the check has joined.
func sourceTrouble(err error) (found []Finding) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // the join itself is meant, not what it wraps
		for _, e := range joined.Unwrap() {
			found = append(found, sourceTrouble(e)...)
		}
		return found
	}
	known, ok := errors.AsType[*source.TableError](err)
	if !ok {
		return bad(said(err), "compare the DB_ settings with the database")
	}
	todo := known.Hint
	if todo == "" {
		todo = "see whether the database is up, and compare the DB_ settings with it"
	}
	return bad(known.Op+": "+said(known.Err), todo)
}

// statusCodes looks for ends that leave no mark in the table.
func statusCodes(c config.Source) []Finding {
	if c.Failed == "" {
		return doubt("STATUS_FAILED is not set: a row whose message failed, expired or was suppressed keeps "+c.ColStatus+" = "+c.Pending+
			". Nobody sees in the table that nothing will be sent, and every pass reads the row again",
			"set STATUS_FAILED to a code of its own; it is written for what expires and for opt-outs too, unless STATUS_EXPIRED and STATUS_SUPPRESSED name others")
	}
	switch {
	case c.Fallback == "":
		return good("every end of a message has a code in the table")
	case len(c.FallbackOn) == 0 && c.FallbackAfter == 0:
		return doubt("STATUS_FALLBACK="+c.Fallback+" is set, and no row will ever get it: FALLBACK_ON is empty and FALLBACK_AFTER is not set",
			"say for which reasons (FALLBACK_ON) or after which time (FALLBACK_AFTER) another channel takes a row")
	}
	return good("every end of a message has a code in the table, and what does not reach the person goes to another channel by STATUS_FALLBACK=" + c.Fallback)
}

// slowPage is how long one row may take to be found. With an index it takes
// milliseconds, however many rows are finished.
const slowPage = time.Second

// pending reads one pending row and reveals nothing of it.
func pending(ctx context.Context, table *source.Table, c config.Source) []Finding {
	begun := time.Now()
	rows, err := table.Page(ctx, "", 1)
	took := time.Since(begun)
	code := c.ColStatus + " = " + c.Pending
	switch problems := table.Problems(); {
	case err != nil:
		return sourceTrouble(err)
	case len(problems) > 0:
		return doubt(fmt.Sprintf("%d rows with %s cannot be taken in: %s", len(problems), code, problems[0]), "correct these rows; the others are not held up")
	case took > slowPage:
		return doubt(fmt.Sprintf("it took %s to find one row with %s", took.Round(10*time.Millisecond), code), "give the table an index: pombo sql suggests one")
	case len(rows) == 0:
		return good("no row has " + code + ". If some should: have they been committed, and is STATUS_PENDING right? In a column of text it must be the same letter by letter: \"1 \" and \"01\" are not \"1\"")
	}
	return good("rows with " + code + " are waiting")
}

// reach looks a host up and connects to its port.
func reach(ctx context.Context, host, port, setting string) []Finding {
	begun := time.Now()
	if found := lookUp(ctx, host, setting); failed(found) {
		return found
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return bad(fmt.Sprintf("no connection to %s: %s", net.JoinHostPort(host, port), said(err)),
			"see whether the database is up, whether a firewall stands in between, and whether the port in "+setting+" is right")
	}
	_ = conn.Close() // nothing was said
	return good(fmt.Sprintf("%s can be reached in %s", net.JoinHostPort(host, port), time.Since(begun).Round(time.Millisecond)))
}

// lookUp asks for the addresses of a host.
func lookUp(ctx context.Context, host, setting string) []Finding {
	if net.ParseIP(host) != nil {
		return good(host + " is an address already")
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return bad(fmt.Sprintf("the name %s cannot be found: %s", host, said(err)), "correct "+setting+", or the name service (DNS) of this machine")
	}
	return good(host + " is " + strings.Join(addresses, ", "))
}

// easyConnect is Oracle's short form, host:port/service; a descriptor names host
// and port in words.
var (
	easyConnect    = regexp.MustCompile(`^(?://)?([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\])(?::([0-9]+))?/[^/]+$`)
	descriptorHost = regexp.MustCompile(`(?i)\(\s*HOST\s*=\s*([^()\s]+)\s*\)`)
	descriptorPort = regexp.MustCompile(`(?i)\(\s*PORT\s*=\s*([0-9]+)\s*\)`)
)

// databaseAddress finds the first host of an address. ok is false where only the
// driver knows: a file, a socket, an alias, a list in a form of its own.
func databaseAddress(address, dsn string) (host, port string, ok bool) {
	if address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || strings.Contains(u.Host, ",") || setup.DefaultPort(u.Scheme) == "" {
			return "", "", false
		}
		if port = u.Port(); port == "" {
			port = setup.DefaultPort(u.Scheme)
		}
		return u.Hostname(), port, true
	}
	port = oracle.Driver.Port
	if m := easyConnect.FindStringSubmatch(dsn); m != nil {
		if m[2] != "" {
			port = m[2]
		}
		return strings.Trim(m[1], "[]"), port, true
	}
	if m := descriptorHost.FindStringSubmatch(dsn); m != nil {
		if p := descriptorPort.FindStringSubmatch(dsn); p != nil {
			port = p[1]
		}
		return m[1], port, true
	}
	return "", "", false
}
