-- What each is for is told in the schema for SQLite.

-- +goose Up
CREATE TABLE bulk (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state    text   NOT NULL,
    plan     text   NOT NULL,
    who      text   NOT NULL,
    note     text   NOT NULL,
    changed  bigint NOT NULL,
    created  bigint NOT NULL,
    finished bigint
);

CREATE TABLE bulk_item (
    bulk    bigint NOT NULL,
    seq     bigint NOT NULL,
    state   text   NOT NULL,
    attempt bigint NOT NULL,
    result  text   NOT NULL,
    sent    bigint NOT NULL,
    PRIMARY KEY (bulk, seq)
);

CREATE INDEX bulk_item_left ON bulk_item (bulk, seq) WHERE result = '';
