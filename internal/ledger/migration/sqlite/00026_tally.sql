-- How many notifications were taken in by the hour, and what became of them. Derived:
-- each hour is counted anew from the notifications and replaced as a whole, until
-- retention begins on it; from then on it stays. Nothing here is about a person. Hours
-- are those since 1970 in UTC.

-- +goose Up
CREATE TABLE tally (
    hour     INTEGER NOT NULL, -- in which they were taken in
    template TEXT    NOT NULL, -- '' = the configured one
    state    TEXT    NOT NULL,
    reason   TEXT    NOT NULL, -- '' = none
    n        INTEGER NOT NULL,
    PRIMARY KEY (hour, template, state, reason)
) WITHOUT ROWID;

CREATE TABLE latency (
    hour     INTEGER NOT NULL,
    template TEXT    NOT NULL,
    leg      INTEGER NOT NULL, -- 1 = until accepted, 2 = from there until delivered, 3 = from there until read
    bucket   INTEGER NOT NULL, -- more than 2^(bucket-1) ms and at most 2^bucket
    n        INTEGER NOT NULL,
    PRIMARY KEY (hour, template, leg, bucket)
) WITHOUT ROWID;

-- The same by the day, summed from the hours so that a report of months is read at once.
-- Days are dates since 1970-01-01, on the clocks of the zone of the company's table.
CREATE TABLE tally_day (
    day      INTEGER NOT NULL,
    template TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (day, template, state, reason)
) WITHOUT ROWID;

CREATE TABLE latency_day (
    day      INTEGER NOT NULL,
    template TEXT    NOT NULL,
    leg      INTEGER NOT NULL,
    bucket   INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (day, template, leg, bucket)
) WITHOUT ROWID;

-- How far the count has come; times are Unix milliseconds.
CREATE TABLE tally_progress (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    counted INTEGER, -- when the current hour was last counted
    late    INTEGER, -- when a count of the last days last began
    whole   INTEGER, -- when a count of all hours last began
    final   INTEGER  -- hours before this one are not counted again; NULL = none
);
INSERT INTO tally_progress (one) VALUES (1);
