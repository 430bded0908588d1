-- What each is for is told in the schema for SQLite.

-- +goose Up
CREATE TABLE desk_user (
    name     text PRIMARY KEY,
    hash     text NOT NULL,    -- of the password, Argon2id; '' = none is set yet
    role     text NOT NULL,
    grants   bigint NOT NULL,  -- bits of pombo.Grants
    language text NOT NULL,    -- '' = what the browser asks for
    keys_off bigint NOT NULL,  -- 1 = no keyboard shortcuts
    created  bigint NOT NULL,
    seen     bigint,           -- the last sign-in
    disabled bigint NOT NULL   -- 1 = nobody signs in
);

CREATE TABLE desk_session (
    token   text PRIMARY KEY, -- hashed: it is not the word in the cookie
    name    text NOT NULL,
    data    bytea NOT NULL,
    expires bigint NOT NULL
);

CREATE TABLE desk_once (
    word    text PRIMARY KEY,
    expires bigint NOT NULL
);

CREATE TABLE audit (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      bigint NOT NULL,
    who     text NOT NULL,
    role    text NOT NULL,
    via     text NOT NULL, -- desk, api, cli
    address text NOT NULL,
    act     text NOT NULL,
    target  text NOT NULL,
    detail  text NOT NULL,
    person  bytea,         -- HMAC-SHA-256 of the phone in E.164, with AUDIT_KEY
    result  text NOT NULL
);

CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_person ON audit (person) WHERE person IS NOT NULL;
