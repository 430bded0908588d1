-- Events for the company's systems. They are written by triggers that belong to the connection
-- of a process that has EVENTS_URL (sqlite/outbox.sql), so that nobody else pays for them.

-- +goose Up
CREATE TABLE outbox (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    type       TEXT    NOT NULL,
    stream     TEXT    NOT NULL, -- what is sent one after another
    at         INTEGER NOT NULL, -- when it happened
    source     TEXT    NOT NULL, -- the key of the notification; '' = it is about something else
    row_key    TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    template   TEXT    NOT NULL, -- '' = the usual one, ? = erased
    state      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,
    extra      TEXT    NOT NULL, -- a JSON object, or ''
    tries      INTEGER NOT NULL DEFAULT 0,
    tried      INTEGER,          -- the first try
    due        INTEGER,          -- NULL = acknowledged, or given up
    acked      INTEGER,
    given_up   INTEGER,
    answer     TEXT    NOT NULL DEFAULT ''
);

CREATE INDEX outbox_due    ON outbox (due, number)    WHERE due IS NOT NULL;
CREATE INDEX outbox_open   ON outbox (number)         WHERE acked IS NULL;
CREATE INDEX outbox_stream ON outbox (stream, number) WHERE acked IS NULL;
CREATE INDEX outbox_at     ON outbox (at, number);

-- The alerts of which alert.raised was written and alert.cleared was not.
CREATE TABLE outbox_alert (
    name TEXT PRIMARY KEY,
    seen INTEGER NOT NULL -- when it was last active
) WITHOUT ROWID;

-- How templates stood at the last look: what a change is a change from.
CREATE TABLE outbox_template (
    name     TEXT NOT NULL,
    language TEXT NOT NULL,
    status   TEXT NOT NULL,
    category TEXT NOT NULL,
    hash     TEXT NOT NULL, -- as in template_version
    PRIMARY KEY (name, language)
) WITHOUT ROWID;
