-- A further word in notification.settle: taken_back, when the row's owner had
-- changed its status before anything was sent.

-- +goose Up

-- Who gets no more messages. A person who wrote to the bot is known by the
-- identity alone.
CREATE TABLE optout (
    seq      INTEGER PRIMARY KEY,
    phone    INTEGER UNIQUE,
    identity TEXT UNIQUE,
    at       INTEGER NOT NULL,
    by       TEXT    NOT NULL,
    CHECK (phone IS NOT NULL OR identity IS NOT NULL)
);

-- Counts the changes of the list, so that who has it in memory can tell at the
-- price of one row whether it is still the list.
CREATE TABLE optout_version (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
);
INSERT INTO optout_version (one, version) VALUES (1, 0);

-- What waits in the queue and has an end. Only a claim and a way back to the
-- queue change who is in it, and only for those rows.
CREATE INDEX notification_expires ON notification (expires_at) WHERE expires_at IS NOT NULL AND lane <= 9;
