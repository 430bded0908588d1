-- What each is for is told in the schema for SQLite.

-- +goose Up
CREATE TABLE reply (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- with gaps
    inbound    text    NOT NULL,
    received   bigint  NOT NULL,
    at         bigint,
    phone      bigint,
    identity   text,
    bsuid      text,
    kind       text    NOT NULL,
    form       text    NOT NULL,
    body       text    NOT NULL,
    opt_out    integer NOT NULL,
    matched    text    NOT NULL,
    source     text    NOT NULL,
    row_key    text    NOT NULL COLLATE "C",
    generation integer NOT NULL,
    counts     integer NOT NULL,
    code       text    NOT NULL,
    due        integer NOT NULL,
    written    bigint
);

CREATE UNIQUE INDEX reply_inbound   ON reply (inbound);
CREATE INDEX        reply_received  ON reply (received);
CREATE INDEX        reply_key       ON reply (row_key, source) WHERE row_key <> '';
CREATE INDEX        reply_unmatched ON reply (number)          WHERE matched = 'unmatched';
CREATE INDEX        reply_phone     ON reply (phone)           WHERE phone IS NOT NULL;

ALTER TABLE notification ADD COLUMN reply bigint;

CREATE TABLE message_reference (
    seq       bigint PRIMARY KEY,
    reference bigint NOT NULL
);

CREATE INDEX message_reference_reference ON message_reference (reference);

CREATE TABLE reply_poll (
    seq   bigint PRIMARY KEY,
    next  bigint  NOT NULL,
    polls integer NOT NULL
);

CREATE INDEX reply_poll_next ON reply_poll (next);
