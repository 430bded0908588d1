package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"pombo"
	"pombo/config"
	"pombo/ledger"
	"pombo/source"
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
	o := SourceOptions(c.Source)
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
	return append(found, check(ctx, "source", "pending", func(ctx context.Context) []Finding {
		if failed(checked) {
			return skip("the table has to be in order first")
		}
		return pending(ctx, table, c.Source)
	})...)
}

// sourceTrouble makes a finding of each fault that the check has joined.
func sourceTrouble(err error) (found []Finding) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // the join itself is meant, not what it wraps
		for _, e := range joined.Unwrap() {
			found = append(found, sourceTrouble(e)...)
		}
		return found
	}
	known, ok := errors.AsType[*source.Error](err)
	if !ok {
		return bad(said(err), "compare the DB_ settings with the database")
	}
	todo := known.Hint
	if todo == "" {
		todo = "see whether the database is up, and compare the DB_ settings with it"
	}
	return bad(known.Op+": "+said(known.Err), todo)
}

// slowPage is how long one row may take to be found. With an index it takes
// milliseconds, however many rows are finished.
const slowPage = time.Second

// pending reads one pending row and tells nothing of it.
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
		return good("no row has " + code + ". If some should: have they been committed, and is STATUS_PENDING right?")
	}
	return good("rows with " + code + " are waiting")
}

func diagnoseLedger(ctx context.Context, c config.Config, serve running) []Finding {
	address := c.Ledger.URL.Reveal()
	path, isFile := strings.CutPrefix(address, "sqlite:")
	if !isFile {
		return diagnoseServer(ctx, address)
	}
	found := check(ctx, "ledger", "rights", func(context.Context) []Finding {
		if told, ok := serve.checkOf("ledger"); ok && told.OK {
			return good("the running pombo writes to it")
		}
		// The write-ahead log is made beside the file whenever it is opened.
		for _, file := range []string{path, path + ".lock", path + "-wal"} {
			if err := mayWrite(file); err != nil {
				return bad(err.Error(), "give this user the right to write the file and its folder, or set LEDGER_URL to a place where it may")
			}
		}
		return good(path + " and its folder can be written")
	})
	found = append(found, check(ctx, "ledger", "schema", func(ctx context.Context) []Finding { return schema(ctx, address) })...)
	return append(found, check(ctx, "ledger", "disk", func(context.Context) []Finding { return room(path) })...)
}

// diagnoseServer is for a ledger in a database that several machines share.
func diagnoseServer(ctx context.Context, address string) []Finding {
	var found []Finding
	if host, port, ok := databaseAddress(address, ""); ok {
		found = check(ctx, "ledger", "network", func(ctx context.Context) []Finding { return reach(ctx, host, port, "LEDGER_URL") })
	}
	return append(found, check(ctx, "ledger", "schema", func(ctx context.Context) []Finding { return schema(ctx, address) })...)
}

func schema(ctx context.Context, address string) []Finding {
	s, err := ledger.Inspect(ctx, address)
	switch {
	case errors.Is(err, pombo.ErrNotFound):
		return good("there is no ledger yet: pombo serve makes it when it starts")
	case err != nil:
		return bad(said(err), "do what the message says, or correct LEDGER_URL")
	case s.Have > s.Want:
		return bad(fmt.Sprintf("the ledger was written by a newer pombo (schema %d, this program knows %d)", s.Have, s.Want), "install the newer program again, or name another file in LEDGER_URL")
	case s.Have < s.Want:
		return doubt(fmt.Sprintf("the ledger has the schema of an older pombo (%d, this program has %d)", s.Have, s.Want), "back it up; pombo serve of this version brings it up to date when it starts")
	}
	return good("the schema is the one that this program works with")
}

// What the ledger's disk should have free: 100,000 notifications take some 60 MB.
const (
	littleRoom = 1 << 30
	noRoom     = 64 << 20
)

func room(path string) []Finding {
	folder, err := standing(filepath.Dir(path))
	if err != nil {
		return bad(err.Error(), "set LEDGER_URL to a place where this user may write")
	}
	free, err := freeBytes(folder)
	if err != nil {
		return doubt(fmt.Sprintf("the free room in %s cannot be told: %v", folder, err), "see to it that the disk has some gigabytes free")
	}
	what := fmt.Sprintf("%d MiB are free in %s", free>>20, folder)
	switch {
	case free < noRoom:
		return bad(what, "make room on this disk, or set LEDGER_URL to another one")
	case free < littleRoom:
		return doubt(what, "make room on this disk")
	}
	return good(what)
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

// Ports of databases whose address names none.
var defaultPorts = map[string]string{"oracle": "1521", "postgres": "5432", "postgresql": "5432"}

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
		if err != nil || u.Hostname() == "" || strings.Contains(u.Host, ",") || defaultPorts[u.Scheme] == "" {
			return "", "", false
		}
		if port = u.Port(); port == "" {
			port = defaultPorts[u.Scheme]
		}
		return u.Hostname(), port, true
	}
	port = defaultPorts["oracle"]
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
