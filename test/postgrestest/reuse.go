package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// reuse are the databases that tests use one after another, with what lends their sessions.
type reuse struct {
	pooler *pooler              // nil = nobody has asked yet
	free   map[string][]*reused // by template
}

// lend has PgBouncer give a client the sessions that others have left, wiped. To start a
// process, and to read the catalogs into it, takes most of what a small test costs. The
// server allows 100 connections, of which others need some too.
const lend = "pool_mode = session\ndefault_pool_size = 50\nmax_user_connections = 80\nserver_idle_timeout = 10\n"

// reused is a database that is set back after each test.
type reused struct {
	name  string
	admin *pgconn.PgConn
}

// Reuse returns the address of a database as Copy makes it. It may be one that another
// test has used: its rows and sequences are set back, and sessions are used again, which
// takes a fraction of what new ones take. PgBouncer lends them; where it is not installed,
// the database is a copy. It is for tests that change rows only: no tables, no settings of
// the database, and none in the address either.
func (s *Server) Reuse(tb testing.TB, template string, fill func(ctx context.Context, dsn string) error) string {
	tb.Helper()
	if err := s.fill(tb.Context(), template, fill); err != nil {
		tb.Fatalf("fill the database %s: %v", template, err)
	}
	d, at, err := s.takeReused(tb.Context(), template)
	if errors.Is(err, errNoPooler) {
		return s.Copy(tb, template, fill)
	}
	if err != nil {
		tb.Fatalf("reuse a copy of the database %s: %v", template, err)
	}
	tb.Cleanup(func() {
		if err := s.setBack(template, d); err != nil {
			tb.Errorf("set the database %s back: %v", d.name, err)
		}
	})
	u := url.URL{Scheme: "postgres", User: url.UserPassword(User, Password), Host: at, Path: "/" + d.name, RawQuery: "sslmode=disable"}
	return u.String()
}

// takeReused returns a database that nobody uses, and where its sessions are lent.
func (s *Server) takeReused(ctx context.Context, template string) (d *reused, at string, err error) {
	s.reusing.Lock()
	defer s.reusing.Unlock()
	r := &s.reuse
	if r.pooler == nil {
		if r.pooler, err = s.newPooler(lend); err != nil {
			return nil, "", err
		}
		r.free = map[string][]*reused{}
	}
	at = r.pooler.address
	if list := r.free[template]; len(list) > 0 {
		r.free[template] = list[:len(list)-1]
		return list[len(list)-1], at, nil
	}
	d = &reused{name: fmt.Sprintf("test_%d", s.names.Add(1))}
	if err := s.manage(ctx, "CREATE DATABASE "+d.name+" TEMPLATE "+template+s.strategy()); err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if d.admin, err = pgconn.Connect(ctx, s.DSN(d.name)); err != nil {
		return nil, "", err
	}
	_, err = d.admin.Exec(ctx, pristine).ReadAll()
	return d, at, err
}

// gracePeriod is how long the last words of clients that are gone may take to arrive.
const gracePeriod = 5 * time.Second

// setBack gives a database to the next test.
func (s *Server) setBack(template string, d *reused) error {
	s.reusing.Lock()
	p := s.reuse.pooler
	s.reusing.Unlock()
	if p == nil {
		return nil // the server was stopped
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.cut(ctx, d.name, gracePeriod); err != nil {
		return errors.Join(err, d.admin.Close(ctx))
	}
	if _, err := d.admin.Exec(ctx, "SELECT pristine.restore()").ReadAll(); err != nil {
		return errors.Join(err, d.admin.Close(ctx))
	}
	s.reusing.Lock()
	defer s.reusing.Unlock()
	if s.reuse.pooler == p {
		s.reuse.free[template] = append(s.reuse.free[template], d)
	}
	return nil
}

// closeReuse ends what is kept for reuse.
func (s *Server) closeReuse() {
	s.reusing.Lock()
	r := s.reuse
	s.reuse = reuse{}
	s.reusing.Unlock()
	if r.pooler == nil {
		return
	}
	r.pooler.close()
	for _, list := range r.free {
		for _, d := range list {
			_ = d.admin.Close(context.Background())
		}
	}
}

// pristine keeps what a copy has of rows and sequences, and makes the function that sets it
// back. A table that has grown is made anew, so that the next test finds it small.
const pristine = `
CREATE SCHEMA pristine;
CREATE TABLE pristine.sequence AS
	SELECT format('%I.%I', schemaname, sequencename)::regclass AS name, coalesce(last_value, start_value) AS value, last_value IS NOT NULL AS called
	FROM pg_sequences WHERE schemaname = 'public';
DO $$
DECLARE t record; filled boolean;
BEGIN
	FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', t.relname) INTO filled;
		IF filled THEN
			EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', 'of_' || t.relname, t.relname);
		END IF;
	END LOOP;
END $$;
CREATE TABLE pristine.tables AS
	SELECT oid AS name, format('public.%I', relname) AS text, to_regclass(format('pristine.%I', 'of_' || relname))::text AS kept
	FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;
CREATE FUNCTION pristine.restore() RETURNS void LANGUAGE plpgsql AS $$
DECLARE t record;
BEGIN
	FOR t IN SELECT * FROM pristine.tables LOOP
		IF pg_relation_size(t.name) > 128 * 1024 THEN
			EXECUTE 'TRUNCATE ' || t.text;
		ELSIF pg_relation_size(t.name) > 0 THEN
			EXECUTE 'DELETE FROM ' || t.text;
		END IF;
		IF t.kept IS NOT NULL THEN
			EXECUTE format('INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM %s', t.text, t.kept);
		END IF;
	END LOOP;
	PERFORM setval(name, value, called) FROM pristine.sequence;
END $$;
SET session_replication_role = replica; -- no triggers
SET lock_timeout = '10s';
SET search_path = '';
`
