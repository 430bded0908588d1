-- The operator's desk: who may use it, who does at present, and the trail of what people did
-- there, by the API and on the command line.

-- +goose Up
CREATE TABLE desk_user (
    name     TEXT PRIMARY KEY,
    hash     TEXT NOT NULL,    -- of the password, Argon2id; '' = none is set yet
    role     TEXT NOT NULL,
    grants   INTEGER NOT NULL, -- bits of pombo.Grants
    language TEXT NOT NULL,    -- '' = what the browser asks for
    keys_off INTEGER NOT NULL, -- 1 = no keyboard shortcuts
    created  INTEGER NOT NULL,
    seen     INTEGER,          -- the last sign-in
    disabled INTEGER NOT NULL  -- 1 = nobody signs in
) WITHOUT ROWID;

CREATE TABLE desk_session (
    token   TEXT PRIMARY KEY, -- hashed: it is not the word in the cookie
    name    TEXT NOT NULL,
    data    BLOB NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

-- Words that are good once, until they are forgotten because they are too old anyway.
CREATE TABLE desk_once (
    word    TEXT PRIMARY KEY,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

-- It is only added to; AUDIT_RETENTION alone takes lines away.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    role    TEXT NOT NULL,
    via     TEXT NOT NULL, -- desk, api, cli
    address TEXT NOT NULL,
    act     TEXT NOT NULL,
    target  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    person  BLOB,          -- HMAC-SHA-256 of the phone in E.164, with AUDIT_KEY
    result  TEXT NOT NULL
);

CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_person ON audit (person) WHERE person IS NOT NULL;
