package doctor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"pombo"
	"pombo/internal/config"
	"pombo/internal/disk"
	"pombo/internal/ledger"
)

func diagnoseLedger(ctx context.Context, c config.Config, serve running) []Finding {
	address := c.Ledger.URL.Reveal()
	path, isFile := strings.CutPrefix(address, "sqlite:")
	if !isFile {
		return diagnoseServer(ctx, address)
	}
	path, wrong := ledger.Locate(path)
	if wrong != nil {
		return check(ctx, "ledger", "place", func(context.Context) []Finding {
			return bad(wrong.Error(), "do what the message says")
		})
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
	found = append(found, check(ctx, "ledger", "privacy", func(context.Context) []Finding {
		return private("phones and texts are in it", path, path+"-wal", path+"-shm")
	})...)
	found = append(found, check(ctx, "ledger", "schema", func(ctx context.Context) []Finding { return schema(ctx, address) })...)
	return append(found, check(ctx, "ledger", "disk", func(context.Context) []Finding { return room(path) })...)
}

// diagnoseServer is for a ledger in a database that several machines share.
func diagnoseServer(ctx context.Context, address string) []Finding {
	var found []Finding
	if host, port, ok := databaseAddress(address, ""); ok {
		found = check(ctx, "ledger", "network", func(ctx context.Context) []Finding { return reach(ctx, host, port, "LEDGER_URL") })
	}
	found = append(found, check(ctx, "ledger", "rights", func(ctx context.Context) []Finding { return ledgerRights(ctx, address) })...)
	return append(found, check(ctx, "ledger", "schema", func(ctx context.Context) []Finding { return schema(ctx, address) })...)
}

// ledgerRights asks what the account may do with a ledger in PostgreSQL, or
// whether it may make one.
func ledgerRights(ctx context.Context, address string) []Finding {
	const todo = "run pombo migrate as the account of LEDGER_URL, which then owns the tables, or as their owner run GRANT SELECT, INSERT, UPDATE, DELETE on them"
	r, err := ledger.InspectRights(ctx, address)
	switch {
	case errors.Is(err, ledger.ErrAway):
		return skip("the ledger has to be reached first")
	case err != nil:
		return doubt("the rights cannot be seen: "+said(err), "see whether LEDGER_URL names a PostgreSQL")
	case r.Schema == "":
		return bad("the account "+r.Account+" has no schema to work in", "create the schema that its search_path names, and GRANT USAGE, CREATE ON it TO "+r.Account)
	case !r.Made && !r.MayMake:
		return bad(fmt.Sprintf("there is no ledger yet, and %s may not create tables in the schema %s", r.Account, r.Schema), fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s, or run pombo migrate as an account that may", r.Schema, r.Account))
	case !r.Made:
		return good(fmt.Sprintf("%s may create the ledger's tables in the schema %s", r.Account, r.Schema))
	case r.Lacks != "":
		return bad(fmt.Sprintf("%s lacks %s in the schema %s", r.Account, r.Lacks, r.Schema), todo)
	}
	return good(fmt.Sprintf("%s may read and write the ledger's tables in the schema %s", r.Account, r.Schema))
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
	free, err := disk.FreeBytes(folder)
	if err != nil {
		return doubt(fmt.Sprintf("the free room in %s cannot be told: %v", folder, err), "make sure that the disk has some gigabytes free")
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
