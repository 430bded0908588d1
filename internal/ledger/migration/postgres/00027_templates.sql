-- What each is for is told in the schema for SQLite.

-- +goose Up
CREATE TABLE template_version (
    name       text   NOT NULL,
    language   text   NOT NULL,
    first_seen bigint NOT NULL,
    last_seen  bigint NOT NULL,
    hash       text   NOT NULL,
    body       text   NOT NULL,
    PRIMARY KEY (name, language, first_seen)
);

CREATE TABLE template_hold (
    name  text   PRIMARY KEY,
    who   text   NOT NULL,
    note  text   NOT NULL,
    at    bigint NOT NULL,
    until bigint
);
