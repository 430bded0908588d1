-- The guard against a table that went back: see guard.go. At most one row, and
-- one for each lot of rows that was set back to pending within the last minute.

-- +goose Up
CREATE TABLE guard (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    since   bigint, -- when it began to hold; NULL = it does not
    allowed bigint  -- until when a person lets them go
);
INSERT INTO guard (one) VALUES (1);

CREATE TABLE set_back (
    at   bigint NOT NULL,
    rows INTEGER NOT NULL
);
