-- What they are for is told in the schema for SQLite.

-- +goose Up
CREATE TABLE tally (
    hour     bigint NOT NULL,
    template text   NOT NULL,
    state    text   NOT NULL,
    reason   text   NOT NULL,
    n        bigint NOT NULL,
    PRIMARY KEY (hour, template, state, reason)
);

CREATE TABLE latency (
    hour     bigint  NOT NULL,
    template text    NOT NULL,
    leg      integer NOT NULL,
    bucket   integer NOT NULL,
    n        bigint  NOT NULL,
    PRIMARY KEY (hour, template, leg, bucket)
);

CREATE TABLE tally_day (
    day      bigint NOT NULL,
    template text   NOT NULL,
    state    text   NOT NULL,
    reason   text   NOT NULL,
    n        bigint NOT NULL,
    PRIMARY KEY (day, template, state, reason)
);

CREATE TABLE latency_day (
    day      bigint  NOT NULL,
    template text    NOT NULL,
    leg      integer NOT NULL,
    bucket   integer NOT NULL,
    n        bigint  NOT NULL,
    PRIMARY KEY (day, template, leg, bucket)
);

CREATE TABLE tally_progress (
    one     integer PRIMARY KEY CHECK (one = 1),
    counted bigint,
    late    bigint,
    whole   bigint,
    final   bigint
);
INSERT INTO tally_progress (one) VALUES (1);
