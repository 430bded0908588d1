-- By what a ledger is known that has gone back to an earlier time: see lineage.go.

-- +goose Up
CREATE TABLE lineage (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    id      TEXT    NOT NULL, -- of this ledger and of every copy of it
    count   INTEGER NOT NULL, -- counted up while it is written; the mark beside a file repeats it
    server  TEXT    NOT NULL, -- the database's server and timeline, where it has such; '' = not known
    safe    INTEGER NOT NULL, -- 1 = a standby of that server has every commit
    noticed INTEGER,          -- when it was last noticed that something is lost; NULL = never
    alive   INTEGER,          -- when what was lost was last written, as far as is known
    taking  INTEGER NOT NULL  -- 1 = what is taken in may be what was lost
);
INSERT INTO lineage (one, id, count, server, safe, taking) VALUES (1, lower(hex(randomblob(16))), 0, '', 0, 0);
