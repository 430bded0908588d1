-- What is done to many notifications at once, and to which.

-- +goose Up
CREATE TABLE bulk (
    id       INTEGER PRIMARY KEY,
    state    TEXT    NOT NULL, -- drawn until its items are there, then open, stopped or done
    plan     TEXT    NOT NULL, -- JSON
    who      TEXT    NOT NULL,
    note     TEXT    NOT NULL,
    changed  INTEGER NOT NULL, -- of the plan, what had changed before the start
    created  INTEGER NOT NULL,
    finished INTEGER
);

-- state and attempt are those of the notification when the bulk started: a fence.
CREATE TABLE bulk_item (
    bulk    INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    result  TEXT    NOT NULL, -- '' = not looked at yet
    sent    INTEGER NOT NULL, -- the notification that is sent again; 0 = none
    PRIMARY KEY (bulk, seq)
) WITHOUT ROWID;

CREATE INDEX bulk_item_left ON bulk_item (bulk, seq) WHERE result = '';
