-- By what a ledger is known that has gone back to an earlier time: see lineage.go.

-- +goose Up
CREATE TABLE lineage (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    id      text    NOT NULL, -- of this ledger and of every copy of it
    count   bigint NOT NULL, -- counted up while it is written; the mark beside a file repeats it
    server  text    NOT NULL, -- the database's server and timeline, where it has such; '' = not known
    safe    INTEGER NOT NULL, -- 1 = a standby of that server has every commit
    noticed bigint,          -- when it was last noticed that something is lost; NULL = never
    alive   bigint,          -- when what was lost was last written, as far as is known
    taking  INTEGER NOT NULL  -- 1 = what is taken in may be what was lost
);
INSERT INTO lineage (one, id, count, server, safe, taking) VALUES (1, md5(random()::text || clock_timestamp()::text), 0, '', 0, 0);
