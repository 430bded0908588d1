-- What each is for is told in the schema for SQLite.

-- +goose Up
CREATE TABLE optout (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phone    bigint UNIQUE,
    identity text UNIQUE,
    at       bigint NOT NULL,
    by       text   NOT NULL,
    CHECK (phone IS NOT NULL OR identity IS NOT NULL)
);

CREATE TABLE optout_version (
    one     integer PRIMARY KEY CHECK (one = 1),
    version bigint  NOT NULL
);
INSERT INTO optout_version (one, version) VALUES (1, 0);

CREATE INDEX notification_expires ON notification (expires_at, seq) WHERE expires_at IS NOT NULL AND lane <= 9;
