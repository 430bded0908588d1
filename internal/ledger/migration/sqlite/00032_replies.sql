-- What people send to the bot, and which notification each answers.

-- +goose Up
CREATE TABLE reply (
    number     INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of coming in
    inbound    TEXT    NOT NULL, -- a hash of Blip's id of it: the id may have the phone in it
    received   INTEGER NOT NULL,
    at         INTEGER,          -- when it was written; NULL = nobody said
    phone      INTEGER,          -- the person, as far as known and not erased
    identity   TEXT,
    bsuid      TEXT,
    kind       TEXT    NOT NULL,
    form       TEXT    NOT NULL,
    body       TEXT    NOT NULL, -- JSON: [Blip's id, text, payload]; '' = erased
    opt_out    INTEGER NOT NULL, -- 1 = a word for "no more messages"
    matched    TEXT    NOT NULL,
    source     TEXT    NOT NULL, -- the notification that it answers; '' = unmatched
    row_key    TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    counts     INTEGER NOT NULL, -- 1 = the answer that stands
    code       TEXT    NOT NULL, -- the status code that it gives the row; '' = none
    due        INTEGER NOT NULL, -- 1 = to be written to the row; 2 = it was, and another one took its place
    written    INTEGER           -- when the row got it
);

CREATE UNIQUE INDEX reply_inbound   ON reply (inbound);
CREATE INDEX        reply_received  ON reply (received);
CREATE INDEX        reply_key       ON reply (row_key, source) WHERE row_key <> '';
CREATE INDEX        reply_unmatched ON reply (number)          WHERE matched = 'unmatched';
CREATE INDEX        reply_phone     ON reply (phone)           WHERE phone IS NOT NULL;

-- The number of the reply that stands.
ALTER TABLE notification ADD COLUMN reply INTEGER;

-- What else Blip calls a sent message: the first 8 bytes of a hash of it. Within blocks, as
-- ids are.
CREATE TABLE message_reference (
    seq       INTEGER PRIMARY KEY,
    reference INTEGER NOT NULL
);

CREATE INDEX message_reference_block ON message_reference (seq >> 12, reference);

-- The notifications whose recipients' messages are read, because no webhook brings answers.
CREATE TABLE reply_poll (
    seq   INTEGER PRIMARY KEY,
    next  INTEGER NOT NULL,
    polls INTEGER NOT NULL
);

CREATE INDEX reply_poll_next ON reply_poll (next);
