-- Templates as Blip listed them, and those that an operator holds.

-- +goose Up
CREATE TABLE template_version (
    name       TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    hash       TEXT    NOT NULL, -- of what a message of it looks like
    body       TEXT    NOT NULL, -- JSON of the whole template
    PRIMARY KEY (name, language, first_seen)
) WITHOUT ROWID;

CREATE TABLE template_hold (
    name  TEXT PRIMARY KEY,
    who   TEXT    NOT NULL,
    note  TEXT    NOT NULL,
    at    INTEGER NOT NULL,
    until INTEGER            -- NULL = until released
) WITHOUT ROWID;
