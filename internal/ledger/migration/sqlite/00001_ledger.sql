-- Times are Unix milliseconds in UTC. Columns that decide come first, so that
-- SQLite finds them without walking over the text behind them.

-- +goose Up
CREATE TABLE notification (
    seq        INTEGER PRIMARY KEY, -- in the order of taking in
    state      TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,    -- POSTs begun; fences
    tries      INTEGER NOT NULL,    -- attempts that count towards the schedule
    priority   INTEGER NOT NULL,    -- 0 to 9, higher goes first
    lane       INTEGER,             -- which list it is on; NULL = none: see lane.go
    not_before INTEGER,             -- queued: claimable from; uncertain: asked about from
    expires_at INTEGER,
    owner      TEXT,                -- who has it in hands; only while claimed or sending
    settle_at  INTEGER,             -- a result may be owed to the source from then on; NULL = nothing is owed
    settle     TEXT,                -- why nothing is ever owed: none, diverged, gone or refused
    settled    TEXT,                -- the status code last written to the source
    poll_at    INTEGER,             -- Blip is asked for receipts from then on; NULL = not asked
    run        INTEGER,             -- the run that took it in
    created    INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    id         INTEGER NOT NULL,    -- the first 8 bytes of the id, which follows from the key
    phone      INTEGER,             -- the digits of the E.164 number
    source     TEXT    NOT NULL,
    row_key    TEXT    NOT NULL,
    message    TEXT    NOT NULL,    -- JSON: [recipient, template, send after, place, value, place, value, …]
    history    TEXT    NOT NULL     -- JSON arrays one after another: [time, state, attempt, reason, detail]
);

CREATE UNIQUE INDEX notification_key ON notification (row_key, source, generation);

-- Ids and phones come in no order, so each new row would dirty another page of
-- an index over all of them. Within blocks of 32,768 rows the pages in use stay
-- few; a search asks every block, newest first.
CREATE INDEX notification_id    ON notification (seq >> 15, id);
CREATE INDEX notification_phone ON notification (seq >> 15, phone);

-- Small indexes, each with what somebody has to do or to look at and with
-- nothing that is done. None of them names the state: a step of the road would
-- have to look into each of them to find that nothing changes.
CREATE INDEX notification_lane     ON notification (lane, not_before) WHERE lane IS NOT NULL;
CREATE INDEX notification_in_hands ON notification (owner)            WHERE owner IS NOT NULL;
CREATE INDEX notification_settle   ON notification (settle_at)        WHERE settle_at IS NOT NULL;
CREATE INDEX notification_poll     ON notification (poll_at)          WHERE poll_at IS NOT NULL;

-- (OR and not IN: SQLite uses a partial index only where it can see that the
-- query implies its condition.)
CREATE INDEX notification_parked ON notification (settle)
    WHERE settle = 'diverged' OR settle = 'gone' OR settle = 'refused';

-- What Blip calls a phone, and when it said so.
CREATE TABLE identity (
    phone INTEGER PRIMARY KEY,
    name  TEXT    NOT NULL,
    asked INTEGER NOT NULL
);

-- The leases of the processes that have notifications in hands.
CREATE TABLE owner (
    name  TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
    id        INTEGER PRIMARY KEY,
    started   INTEGER NOT NULL,
    finished  INTEGER,          -- NULL = under way
    taking    INTEGER NOT NULL, -- 1 = still taking in
    error     TEXT    NOT NULL,
    first_seq INTEGER NOT NULL, -- its rows are not before this one
    last_seq  INTEGER,          -- nor after this one, once it has taken in
    tally     TEXT              -- JSON, once it is finished
);

CREATE INDEX run_under_way ON run (id) WHERE finished IS NULL;

-- At most one row: the bot is paused.
CREATE TABLE pause (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    until  INTEGER, -- NULL = until resumed
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    by     TEXT NOT NULL
);

-- Written to by every check for readiness.
CREATE TABLE pulse (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
);
